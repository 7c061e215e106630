"""The matrix: every case, times every effect of its run, times whether the guardian dies too; several cells at once."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from chaoskit.demo import provision
from tests.contract import eventually
from tests.testbed.crash.cases import IN_CONTAINERS, MAKERS, NOWHERE, kind_of
from tests.testbed.crash.dying import Came, Cell, die, trace
from tests.testbed.crash.fuse import Moment, Point, Seen
from tests.testbed.docker import docker_parts as parts
from tests.testbed.docker.conftest import Place, furnished

LOOKS = {
    *("source.discover", "source.open", "source.close", "target.identity", "target.state", "target.changed"),
    *("target.dependents", "target.uncrashable", "target.endpoints", "target.addresses"),
    *("target.process", "target.successors"),
}
"""Effects that change nothing: a loop repeats them, and a death between two of them differs from the next by time
alone. All others count as changes.
"""
REPEATS = 3
"""How many times one look is tried in one phase: the first, the middle and the last."""
LONG_ENOUGH = 0.0005
"""Seconds that a change takes at least for a death to be aimed at the middle of it."""
RISKY = ("inject", "observe", "rollback")
WORKERS = 4
AGAIN = 2
"""How often the times of a cell are measured again: a busy machine is slow, and that is not what is judged."""
CALM, CALM_WITHIN = 25.0, 20.0
"""Per cent of the time in which somebody waits for a processor; seconds to wait for such a moment."""

Result = TypeVar("Result")


def cells_of(case: str, seen: Sequence[Seen]) -> list[Cell]:
    """Every cell of one case, by the effects of a run that was left alone.

    Before anything is intended, and once all is restored, the cases of one kind differ in nothing, and a guardian has
    nothing to do: there, one of them is tried, without killing its guardian.
    """
    first = case == next(other for other in MAKERS if kind_of(other) == kind_of(case))
    kept = [one for one in seen if one.effect not in LOOKS] + _thinned([one for one in seen if one.effect in LOOKS])
    return [
        Cell(case, Point(one.effect, one.nth, moment, one.seconds / 2), one.phase, both)
        for one in kept
        if first or one.phase in RISKY
        for moment in _moments(one)
        for both in ((False, True) if one.phase in RISKY else (False,))
    ]


def _moments(one: Seen) -> list[Moment]:
    """After a look is before the next effect."""
    if one.effect in LOOKS:
        return ["before"]
    middle = one.seconds >= LONG_ENOUGH and not one.effect.startswith("phase.")
    return ["before", "during", "after"] if middle else ["before", "after"]


def _thinned(looks: Sequence[Seen]) -> list[Seen]:
    alike: defaultdict[tuple[str, str], list[Seen]] = defaultdict(list)
    for one in looks:
        alike[one.phase, one.effect].append(one)
    return [
        one
        for found in alike.values()
        for one in (found if len(found) <= REPEATS else (found[0], found[len(found) // 2], found[-1]))
    ]


KNOWN: set[tuple[str, int, Moment]] = {
    ("guardian.start", 1, "before"),
    ("guardian.start", 1, "after"),
    ("store.claim", 1, "after"),
    ("guardian.release", 1, "after"),
    ("guardian.disarm", 1, "after"),
}
"""Where a death once left something: a file, an intention that nobody held, a wrong verdict."""


def sample(cells: Sequence[Cell], seed: str) -> list[Cell]:
    """Cells in which every effect is hit, and every case in each risky phase with its guardian and without."""
    shuffled = sorted(cells)
    random.Random(seed).shuffle(shuffled)
    chosen: list[Cell] = []
    met: set[object] = {None}
    # What is picked for one reason may serve the others, too.
    for reason in REASONS:
        for cell in shuffled:
            if reason(cell) not in met:
                chosen.append(cell)
                met |= {other(cell) for other in REASONS}
    return chosen


def _known_of(cell: Cell) -> object:
    return cell.point[:3] if cell.point[:3] in KNOWN and not cell.both else None


def _risk_of(cell: Cell) -> object:
    return (cell.case, cell.phase, cell.both) if cell.phase in RISKY else None


def _effect_of(cell: Cell) -> object:
    return cell.point.effect


REASONS: tuple[Callable[[Cell], object], ...] = (_known_of, _risk_of, _effect_of)


class Hall:
    """Where cells are tried, several at once, each on a place of its own."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places: SimpleQueue[Place] = SimpleQueue()
        for place in places:
            self._places.put(place)
        self._pool = ThreadPoolExecutor(len(places))

    def traces(self, cases: Sequence[str]) -> dict[str, list[Cell]]:
        """All cells, by case."""
        made = {case: self._on_a_place(partial(_traced, case)) for case in cases}
        return {case: cells_of(case, seen.result()) for case, seen in made.items()}

    def tries(self, cells: Sequence[Cell], tell: Callable[[Came], None] = lambda came: None) -> list[Came]:
        """What comes of them. A cell that was only late is tried again when nothing else is going on."""
        came: list[Came] = []
        for future in as_completed([self._on_a_place(partial(_tried, cell)) for cell in cells]):
            came.append(future.result())
            tell(came[-1])
        return [self._again(one) if one.late and not one.wrong else one for one in came]

    def _again(self, came: Came) -> Came:
        for _ in range(AGAIN):
            if came.late:
                eventually(is_calm, CALM_WITHIN)
                came = self._on_a_place(partial(_tried, came.cell)).result()
        return came

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _on_a_place(self, work: Callable[[Place], Result]) -> Future[Result]:
        def on_a_place() -> Result:
            place = self._places.get()
            try:
                return work(place)
            finally:
                self._places.put(place)

        return self._pool.submit(on_a_place)


def is_calm() -> bool:
    """Whether processes seldom have to wait for a processor; true where the kernel cannot tell."""
    pressure = Path("/proc/pressure/cpu")
    return not pressure.exists() or float(pressure.read_text().split()[1].partition("=")[2]) < CALM


def _traced(case: str, place: Place) -> list[Seen]:
    return trace(MAKERS[case](place))


def _tried(cell: Cell, place: Place) -> Came:
    try:
        return die(cell, MAKERS[cell.case](place))
    except Exception as error:  # noqa: BLE001 one cell that cannot be tried must not cost the others their turn
        return Came(cell, False, wrong=(f"{type(error).__name__}: {error}",))


def possible_cases() -> list[str]:
    """The cases whose targets this machine can make."""
    without = set(IN_CONTAINERS) if engine_trouble() else set()
    return [case for case in MAKERS if case not in without]


def engine_trouble() -> str | None:
    """Why there can be no containers here."""
    if parts.busybox() is None:
        return "no static busybox (Debian package busybox-static)"
    return provision.engine_trouble()


@contextmanager
def hall(workers: int = WORKERS) -> Iterator[Hall]:
    """A hall with a place for each worker; gone at the end."""
    with ExitStack() as stack:
        places = [NOWHERE] * workers
        if not engine_trouble():
            image = stack.enter_context(parts.image())
            prefixes = [f"10.{number}.{os.getpid() % 256}" for number in range(214, 214 + workers)]
            places = [stack.enter_context(furnished(image, prefix)) for prefix in prefixes]
        it = Hall(places)
        stack.callback(it.close)
        yield it
