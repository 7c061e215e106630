"""Open connections to targets, opened on first use, kept for the run, thrown away after an error."""

from contextlib import AbstractContextManager, suppress
from threading import Lock

from chaoskit.domain.ports import Sources, Target, TargetRef
from chaoskit.domain.targeting import TargetSpec


class Access:
    """Gives the open :class:`Target` for a reference. Safe to use from several threads."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._open: dict[str, tuple[AbstractContextManager[Target], Target]] = {}
        self._lock = Lock()

    def target(self, spec: TargetSpec, ref: TargetRef) -> Target:
        """The connection to ``ref``. Raises TargetGone, Unreachable, AccessDenied, TargetTimeout."""
        with self._lock:
            held = self._open.get(ref.id)
        if held is not None:
            return held[1]
        manager = self._sources(spec).open(ref)
        target = manager.__enter__()
        with self._lock:
            held = self._open.setdefault(ref.id, (manager, target))
        if held[0] is not manager:
            _close(manager)  # another thread was quicker; one connection to a target is enough
        return held[1]

    def forget(self, ref: TargetRef) -> None:
        """Close the connection to ``ref`` so that the next use opens a fresh one."""
        with self._lock:
            held = self._open.pop(ref.id, None)
        if held is not None:
            _close(held[0])

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            held, self._open = list(self._open.values()), {}
        for manager, _ in held:
            _close(manager)


def _close(manager: AbstractContextManager[Target]) -> None:
    # A connection that cannot even be closed is lost either way; nothing on the target depends on it.
    with suppress(Exception):
        manager.__exit__(None, None, None)
