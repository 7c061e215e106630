"""The process may die before or after any effect: what the journal holds is enough to restore everything.

A fuse "kills" the run at its n-th effect: from then on no effect of that process happens. Another process then
undoes what the journal says is outstanding. It may be killed, too; the last one is not.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.journal import Intended, outstanding
from chaoskit.domain.verdict import Verdict, judge
from chaoskit.engine.access import Access
from chaoskit.engine.injecting import closing_entry
from chaoskit.engine.rollback import Undone, roll_back
from tests.unit.engine.kit import BAD, GOOD, Machine, Trouble, World, experiment, lost, revive, step

OPERATIONS = ("discover", "open", "prepare", "inject", "effect", "drift", "revert", "verify")


class Killed(BaseException):
    """SIGKILL, as far as this process can tell."""


class Fuse:
    """Kills the process at its n-th effect, before or after it takes place; then no effect happens any more."""

    def __init__(self, world: World) -> None:
        self._lock = threading.Lock()
        self._left: float = float("inf")
        self.burnt = False
        self.effects = 0
        for machine in world.all:
            for operation in OPERATIONS:
                machine.before[operation] = self._around(machine.before.get(operation))
                machine.after[operation] = self._around(machine.after.get(operation))
        world.book.before = lambda call: self._burn()
        world.book.after = lambda call: self._burn()
        world.guardian.before = lambda call: self._burn()
        world.guardian.after = lambda call: self._burn()

    def set(self, position: float) -> None:
        """A new process, that will be killed at that position."""
        self._left = position
        self.burnt = False

    def _around(self, trouble: Trouble | None) -> Trouble:
        def burn() -> None:
            self._burn()
            if trouble:
                trouble()

        return burn

    def _burn(self) -> None:
        with self._lock:
            self.effects += 1
            self._left -= 1
            self.burnt = self.burnt or self._left < 0
            if self.burnt:
                raise Killed


def restore(world: World) -> None:
    """What a new process does: it has the journal, and writes there what it has restored."""

    def keep(undone: Undone) -> None:
        world.book.append(closing_entry(undone, world.clock))

    access = Access(world.sources)
    try:
        roll_back(outstanding(world.book.journal), access, revive, world.timers, world.clock, keep)
    finally:
        access.close()


def breakdown(machine: Machine, operation: str, times: int, when: str) -> None:
    getattr(machine, when)[operation] = lost(times)


def two_on_one_target() -> World:
    return World(experiment(faults=[step(duration="3s"), step(duration="3s")]))


def many_targets() -> World:
    return World(experiment(faults=[step(pick="all", duration="3s"), step(pick=2, duration="4s")]), machines=4)


def two_groups_of_different_durations() -> World:
    world = World(experiment(faults=[step("web", "3s"), step("db", "5s"), step("web", "5s")]))
    world.add("db", 1)
    return world


def an_abort() -> World:
    world = many_targets()
    world.when("abort", "errors", lambda: BAD["abort"] if world.now > 4.0 else GOOD["abort"])
    return world


MAKERS = [two_on_one_target, many_targets, two_groups_of_different_durations, an_abort]


def every_touch_was_intended(world: World) -> bool:
    intended = {(e.ref.id, e.injection["tag"]) for e in world.book.journal if isinstance(e, Intended)}
    return {(machine.id, tag) for machine in world.all for tag in machine.touched} <= intended


@given(
    make=st.sampled_from(MAKERS),
    positions=st.lists(st.integers(0, 250), min_size=1, max_size=3),
    operation=st.sampled_from([*OPERATIONS[3:], ""]),
    times=st.integers(1, 3),
    when=st.sampled_from(["before", "after"]),
)
def test_wherever_processes_die_the_last_one_restores_everything(
    make: Callable[[], World], positions: list[int], operation: str, times: int, when: str
) -> None:
    world = make()
    if operation:
        breakdown(world.one, operation, times, when)
    fuse = Fuse(world)
    fuse.set(positions[0])
    with suppress(Killed):
        world.run()
    assert every_touch_was_intended(world)
    for position in positions[1:]:
        fuse.set(position)
        with suppress(Killed):
            restore(world)
    fuse.set(float("inf"))
    restore(world)
    assert not world.faulty
    assert outstanding(world.book.journal) == ()


@pytest.mark.parametrize("make", [two_on_one_target, two_groups_of_different_durations])
def test_at_each_single_effect_of_a_run_a_death_leaves_enough_in_the_journal(make: Callable[[], World]) -> None:
    whole = make()
    fuse = Fuse(whole)
    assert judge(whole.run()).verdict is Verdict.PASSED
    touched_and_killed = 0
    for position in range(fuse.effects):
        world = make()
        burning = Fuse(world)
        burning.set(position)
        with suppress(Killed):
            world.run()
        assert burning.burnt
        assert every_touch_was_intended(world)
        touched_and_killed += world.faulty
        burning.set(float("inf"))
        restore(world)
        assert not world.faulty, f"killed at effect {position} of {fuse.effects}"
    assert touched_and_killed > 10


def test_a_process_that_is_not_killed_never_leaves_anything_to_another() -> None:
    for make in MAKERS:
        world = make()
        world.run()
        assert outstanding(world.book.journal) == ()
        assert not world.faulty
