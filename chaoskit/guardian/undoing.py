"""What the guardian of one run has to undo, and how: by the same undo, from the same data, as everybody else."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from chaoskit.app import is_live, revive
from chaoskit.cleanup import conclude_dead, orphans
from chaoskit.domain.errors import ChaoskitError, TargetGone
from chaoskit.domain.journal import Injected, InjectFailed, Intended, outstanding
from chaoskit.drivers import DriverSources, timers
from chaoskit.engine.access import Access
from chaoskit.engine.clock import RealClock
from chaoskit.engine.rollback import Undone, roll_back
from chaoskit.settings import Settings
from chaoskit.store.store import Store

DIES_WITHIN = 120.0
"""Seconds that a runner may take to end after it has closed its connection: it may be writing its reports."""
_LOOK_EVERY = 0.02

Log = Callable[[str], None]


class Undoing:
    """The open injections of one run, by number. Without a store it can still undo, and keeps no books.

    ``began`` is when the run did, in the seconds of the clock that all processes of a machine share: that of the day
    may be set meanwhile.
    """

    def __init__(self, run: str, settings: Settings, store: Store | None, began: float) -> None:
        self._run = run
        self._settings = settings
        self._store = store
        self._began = began
        self._undone: dict[int, Undone] = {}
        self._restored_at: dict[int, float] = {}

    @classmethod
    def ordered(cls, orders: Mapping[str, Any]) -> Self:
        """The duty that the runner's first message tells of, with all that it needs imported."""
        store = Store(Path(orders["store"])) if orders["store"] else None
        _warm_up(orders["targets"])
        settings = Settings.model_validate(orders["settings"])
        return cls(str(orders["run"]), settings, store, float(orders["began"]))

    # --- undoing ---------------------------------------------------------------------------------------

    def undo(self, held: Sequence[Any], log: Log) -> bool:
        """Undo all of them, newest first, over fresh connections. What is gone for good counts as done with."""
        intended = TypeAdapter(list[Intended]).validate_python(list(held))
        sources = DriverSources(self._settings.docker_host)
        access = Access(sources)
        try:
            undone = roll_back(intended[::-1], access, revive, timers(), RealClock(), lambda one: log(_told(one)))
        finally:
            access.close()
            sources.close()
        now = self._run_seconds()
        for one in undone:
            self._undone[one.intended.n] = one
            if one.restored:
                self._restored_at.setdefault(one.intended.n, now)
            else:
                self._restored_at.pop(one.intended.n, None)
        return all(one.restored or _is_gone(one) for one in undone)

    def outstanding(self) -> Sequence[Any]:
        """The open intentions of the run in the journal."""
        if self._store is None or not self._store.path.exists():  # looking must not make a store anew
            return []
        try:
            entries, _ = self._store.salvage(self._run)
        except ChaoskitError:
            return []
        return [one.model_dump(mode="json") for one in outstanding(entries)]

    def may_still_land(self, held: Collection[int]) -> bool:
        """Whether any of these injections has no outcome in the journal: the runner died while it was being made."""
        if self._store is None:
            return True
        try:
            entries, _ = self._store.salvage(self._run)
        except ChaoskitError:
            return True
        made = {entry.n for entry in entries if isinstance(entry, Injected)}
        failed = {entry.n for entry in entries if isinstance(entry, InjectFailed)}
        return not set(held) <= made - failed

    def conclude(self, log: Log) -> None:
        """Write what was undone into the journal and the run's record, once its runner is dead."""
        if self._store is None:
            return
        try:
            self._wait_for_the_end(self._store)
            left = [one for one in orphans(self._store, self._run) if not one.live]
            for orphaned in left:
                mine = [self._undone[one.n] for one in orphaned.left if one.n in self._undone]
                conclude_dead(orphaned, mine, self._store, self._settings, self._restored_at, self._run_seconds())
        except ChaoskitError as error:
            log(f"restored, but not written down: {error}; `chaoskit rollback {self._run}` will")

    def _run_seconds(self) -> float:
        return RealClock().now() - self._began

    def _wait_for_the_end(self, store: Store) -> None:
        deadline = time.monotonic() + DIES_WITHIN
        while is_live(store, self._run) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)


def _warm_up(kinds: Sequence[str]) -> None:
    """Import now what undoing needs: when the time comes, memory may be short and the installation replaced."""
    if "docker" in kinds:
        import chaoskit.targets.docker
    if "local" in kinds:
        import chaoskit.targets.local
    import chaoskit.store.database

    with suppress(ImportError):
        import chaoskit.reports.write  # noqa: F401 as above; a report can do without


def _told(one: Undone) -> str:
    what = f"{one.intended.kind} on {one.intended.ref.name}"
    return f"{what}: {one.note}" if one.restored else f"{what}: NOT restored: {'; '.join(one.residue)}"


def _is_gone(one: Undone) -> bool:
    """Whether the target itself no longer exists: no further attempt will bring it back."""
    return bool(one.residue) and all(line.startswith(f"{TargetGone.__name__}: ") for line in one.residue)
