"""Rollback from the journal: everything, newest first, proven, and one target never strands another."""

import threading
from collections.abc import Callable
from unittest.mock import patch

import pytest

from chaoskit.domain.journal import Intended
from chaoskit.domain.ports import Injection, Target, TargetRef
from chaoskit.engine import crew
from chaoskit.engine.access import Access
from chaoskit.engine.rollback import ATTEMPTS, FIRST_PAUSE, VERIFY_FOR, Undone, roll_back
from tests.unit.engine.kit import BEGIN, Breakage, Machine, Trouble, World, away, lost, raising, revive


def broken(world: World, *, per_target: int = 1) -> list[Intended]:
    """Break every machine; the intentions as the journal gives them, newest first."""
    made: list[Intended] = []
    for machine in world.all:
        for _ in range(per_target):
            n = len(made) + 1
            tag = f"chaoskit-r1-{n}"
            machine.broken.add(tag)
            made.append(intended(world, n, machine.ref, tag))
    return made[::-1]


def intended(world: World, n: int, ref: TargetRef, tag: str) -> Intended:
    injection = Breakage(tag=tag, target=ref.id)
    spec = world.experiment.targets["web"]
    return Intended(
        run="r1",
        n=n,
        at=BEGIN,
        kind="machine.break",
        step=0,
        group="web",
        spec=spec,
        ref=ref,
        injection=injection.model_dump(mode="json"),
    )


def undo(
    world: World, intentions: list[Intended], on_undone: Callable[[Undone], None] = lambda undone: None
) -> list[Undone]:
    return roll_back(intentions, Access(world.sources), revive, world.timers, world.clock, on_undone)


def test_everything_is_undone_and_read_back() -> None:
    world = World(machines=20)
    told: list[Undone] = []
    undone = undo(world, broken(world), told.append)
    assert not world.faulty
    assert len(undone) == len(told) == 20
    assert all(one.restored and one.note == "mended" and one.attempts == 1 and one.residue == () for one in undone)
    assert all(machine.calls["verify"] == 1 for machine in world.all)


def test_the_injections_of_one_target_are_undone_newest_first_and_only_then_read_back() -> None:
    world = World()
    undo(world, broken(world, per_target=3))
    assert world.one.log == [
        "open",
        *(f"revert chaoskit-r1-{n}" for n in (3, 2, 1)),
        *(f"verify chaoskit-r1-{n}" for n in (3, 2, 1)),
    ]


def test_outcomes_come_in_the_order_of_the_intentions() -> None:
    world = World(machines=5)
    intentions = broken(world, per_target=2)
    assert [one.intended for one in undo(world, intentions)] == intentions


@pytest.mark.parametrize("failures", range(1, ATTEMPTS))
@pytest.mark.parametrize("operation", ["revert", "verify", "open"])
def test_an_undo_that_fails_some_times_is_tried_again_with_growing_pauses(operation: str, failures: int) -> None:
    world = World()
    intentions = broken(world)
    world.one.before[operation] = lost(failures)
    (undone,) = undo(world, intentions)
    assert undone.restored
    assert undone.attempts == failures + 1
    assert world.now == pytest.approx(sum(FIRST_PAUSE * 2**i for i in range(failures)))


@pytest.mark.parametrize("operation", ["revert", "verify"])
def test_after_a_failure_the_connection_is_opened_anew(operation: str) -> None:
    world = World()
    intentions = broken(world)
    world.one.before[operation] = lost(times=1)
    undo(world, intentions)
    assert world.one.calls["open"] == 2


def test_an_undo_that_acted_and_then_timed_out_is_tried_again_and_proven() -> None:
    world = World()
    intentions = broken(world)
    world.one.after["revert"] = lost(times=1)
    (undone,) = undo(world, intentions)
    assert undone.restored
    assert world.one.calls["revert"] == 2


@pytest.mark.parametrize("trouble", [away(), lost(), raising(ValueError("a defect")), raising(RecursionError())])
def test_an_undo_that_never_works_says_what_is_left_and_strands_nobody(trouble: Trouble) -> None:
    world = World(machines=30)
    intentions = broken(world)
    world.one.before["revert"] = trouble
    told: list[Undone] = []
    undone = undo(world, intentions, told.append)
    left = [one for one in undone if not one.restored]
    assert [one.intended.ref.id for one in left] == [world.one.id]
    assert left[0].attempts == ATTEMPTS
    assert left[0].residue
    assert len(told) == 30
    assert [machine.id for machine in world.all if machine.broken] == [world.one.id]


def test_every_target_has_its_first_turn_before_a_stubborn_one_has_its_second() -> None:
    world = World(machines=40)
    intentions = broken(world)
    order: list[str] = []

    def noted(machine: Machine, trouble: Trouble) -> Trouble:
        def note() -> None:
            order.append(machine.name)
            trouble()

        return note

    for index, machine in enumerate(world.all):
        machine.before["revert"] = noted(machine, lost() if index >= 20 else lambda: None)
    undo(world, intentions)
    assert len(set(order[:40])) == 40
    assert len(order) == 20 + 20 * ATTEMPTS


def test_what_is_not_clean_at_once_is_read_back_for_some_seconds() -> None:
    world = World()
    intentions = broken(world)
    world.one.after["revert"] = lambda: world.one.broken.add("chaoskit-r1-1")
    began = world.clock.now()

    def heal() -> None:
        if world.clock.now() - began > VERIFY_FOR / 2:
            world.one.broken.clear()

    world.one.before["verify"] = heal
    (undone,) = undo(world, intentions)
    assert (undone.restored, undone.attempts) == (True, 1)


def test_residue_that_stays_is_never_called_restored() -> None:
    world = World()
    intentions = broken(world)
    world.one.after["revert"] = lambda: world.one.broken.add("chaoskit-r1-1")
    (undone,) = undo(world, intentions)
    assert not undone.restored
    assert undone.residue == ("chaoskit-r1-1 is still there",)
    assert undone.attempts == ATTEMPTS


def test_a_late_undo_that_disturbs_what_was_clean_is_noticed() -> None:
    """The newest undo fails at first; when it works at last, it breaks again what an older one had restored."""
    world = World()
    intentions = broken(world, per_target=2)
    tags = [str(one.injection["tag"]) for one in intentions]
    tries: list[str] = []

    class Rude(Breakage):
        def revert(self, target: Target) -> str:
            tries.append(self.tag)
            if tries == [tags[0]]:
                raise OSError("not yet")
            if tries.count(tags[0]) == 2 and self.tag == tags[0]:
                world.one.broken.add(tags[1])
            return super().revert(target)

    def revive_rude(one: Intended) -> Injection:
        return Rude.model_validate(one.injection)

    undone = roll_back(intentions, Access(world.sources), revive_rude, world.timers, world.clock, lambda one: None)
    assert not world.faulty
    assert all(one.restored for one in undone)


def test_an_injection_that_cannot_be_revived_is_left_and_strands_nobody() -> None:
    world = World(machines=2)
    intentions = broken(world)

    def half(one: Intended) -> Injection:
        if one.n == 1:
            raise ValueError("no such kind")
        return revive(one)

    undone = roll_back(intentions, Access(world.sources), half, world.timers, world.clock, lambda one: None)
    assert [(one.intended.n, one.restored) for one in undone] == [(2, True), (1, False)]
    assert "no such kind" in undone[1].residue[0]


def test_a_listener_that_raises_costs_no_target_its_undo() -> None:
    world = World(machines=5)
    intentions = broken(world)
    world.one.before["revert"] = lost(times=2)
    told: list[int] = []

    def listen(undone: Undone) -> None:
        told.append(undone.intended.n)
        raise OSError("the pipe is closed")

    with pytest.raises(OSError, match="the pipe"):
        undo(world, intentions, listen)
    assert sorted(told) == [1, 2, 3, 4, 5]
    assert not world.faulty


def test_an_undo_that_hangs_for_ever_is_given_up_and_strands_nobody() -> None:
    world = World(machines=3)
    intentions = broken(world)
    released = threading.Event()

    def hang() -> None:
        released.wait()

    world.one.before["revert"] = hang
    try:
        with patch.object(crew, "_PULSE", 0.01):
            undone = roll_back(
                intentions,
                Access(world.sources),
                revive,
                world.timers,
                world.clock,
                lambda one: None,
                patience=lambda: 0.1,
            )
    finally:
        released.set()
    assert [(one.intended.ref.name, one.restored) for one in undone] == [
        ("web-2", True),
        ("web-1", True),
        ("web-0", False),
    ]
    assert "no answer" in undone[2].residue[0]


def test_nothing_outstanding_is_nothing_to_do() -> None:
    assert undo(World(), []) == []


def test_two_runs_with_the_same_numbers_are_not_confused() -> None:
    world = World(machines=2)
    one, two = (machine.ref for machine in world.all)
    intentions = [
        intended(world, 1, one, "chaoskit-a-1").model_copy(update={"run": "a"}),
        intended(world, 1, two, "chaoskit-b-1").model_copy(update={"run": "b"}),
    ]
    undone = undo(world, intentions)
    assert [(o.intended.run, o.intended.ref.id) for o in undone] == [("a", one.id), ("b", two.id)]
