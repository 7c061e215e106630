"""A fuse in a real runner: SIGKILL before, during or after the n-th time that one of its effects takes place.

An effect is whatever reaches out of the process, or looks there: writes to the store, words to the guardian, calls of
a target; and the boundaries of phases. It is known by its name and by how many times that name came up before, which
differs less from run to run than a number of all effects would.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Literal, NamedTuple, TypeVar

Result = TypeVar("Result")
Moment = Literal["before", "during", "after"]


class Point(NamedTuple):
    """Where the runner dies: at the ``nth`` time (from 1) of ``effect``; ``during`` is ``delay`` seconds into it."""

    effect: str
    nth: int
    moment: Moment
    delay: float = 0.0

    def __str__(self) -> str:
        return f"{self.moment} {self.effect} {self.nth}"


class Seen(NamedTuple):
    """One effect of a run that was left alone."""

    effect: str
    nth: int
    phase: str
    seconds: float


class Fuse:
    """Counts effects, and kills this process at ``point``; with it its guardian, when ``both``.

    The last thing it does is to write into ``note`` where it was.
    """

    def __init__(self, point: Point | None, *, both: bool, note: Path) -> None:
        self.seen: list[Seen] = []
        self.phase = "start"
        self.guardian = 0
        self._point = point
        self._both = both
        self._note = note
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def around(self, effect: str, call: Callable[[], Result]) -> Result:
        """``call``, as one effect."""
        with self._lock:
            self._counts[effect] += 1
            nth = self._counts[effect]
        phase, point = self.phase, self._point
        here = point if point is not None and point[:2] == (effect, nth) else None
        if here is not None and here.moment == "before":
            self._burn(here)
        elif here is not None and here.moment == "during":
            Thread(target=self._burn_later, args=[here], daemon=True).start()
        begin = time.perf_counter()
        try:
            return call()
        finally:
            if here is not None:
                self._burn(here)
            self.seen.append(Seen(effect, nth, phase, time.perf_counter() - begin))

    def _burn_later(self, point: Point) -> None:
        time.sleep(point.delay)
        self._burn(point)

    def _burn(self, point: Point) -> None:
        with self._lock:  # never given back: of two threads that come here, one is enough
            self._note.write_text(json.dumps({"at": str(point), "phase": self.phase, "guardian": self.guardian}))
            if self._both and self.guardian:
                os.kill(self.guardian, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)


def wrap(fuse: Fuse, owner: Any, name: str, effect: str) -> None:
    """Make every call of the function ``name`` of a class or module an effect."""
    plain = getattr(owner, name)

    def fused(*args: Any, **kwargs: Any) -> Any:
        return fuse.around(effect, lambda: plain(*args, **kwargs))

    setattr(owner, name, fused)


def fused_source(fuse: Fuse, source: Any) -> Any:
    """A target source whose looks are effects, and those of the targets that it opens too."""
    proxy = like(source, lambda name, call: lambda *a, **k: fuse.around(f"source.{name}", lambda: call(*a, **k)))
    plain = source.open

    @contextmanager
    def opened(ref: Any) -> Iterator[Any]:
        manager: AbstractContextManager[Any] = plain(ref)
        target = fuse.around("source.open", manager.__enter__)
        try:
            yield fused_target(fuse, target)
        finally:
            manager.__exit__(None, None, None)

    type(proxy).open = staticmethod(opened)
    return proxy


def fused_target(fuse: Fuse, target: Any) -> Any:
    """A target each of whose methods is an effect."""
    return like(target, lambda name, call: lambda *a, **k: fuse.around(f"target.{name}", lambda: call(*a, **k)))


def like(inner: Any, around: Callable[[str, Callable[..., Any]], Callable[..., Any]]) -> Any:
    """An object with exactly the public members of ``inner``, so that it satisfies the same protocols and no other."""

    def member(name: str) -> Any:
        if isinstance(inspect.getattr_static(inner, name), property) or not callable(getattr(inner, name)):
            return property(lambda _self: getattr(inner, name))
        return staticmethod(around(name, getattr(inner, name)))

    members = {name: member(name) for name in dir(inner) if not name.startswith("_")}
    return type(f"Fused{type(inner).__name__}", (), members)()
