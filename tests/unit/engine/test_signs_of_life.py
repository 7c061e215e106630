"""A runner shows life whatever its loop is busy with: nobody may take a live run for a dead one."""

from queue import SimpleQueue

import pytest

from chaoskit.domain.errors import StoreFailed
from chaoskit.domain.verdict import Verdict, judge
from chaoskit.engine.recorder import LIFE_EVERY
from tests.unit.engine.kit import LEASE, World

PATIENCE = 10.0
"""Seconds of real time for the loop to look around, which it does ten times a second."""


@pytest.mark.parametrize("operation", ["prepare", "revert"])
def test_it_beats_while_a_target_takes_long(operation: str) -> None:
    world = World()
    beats: SimpleQueue[str] = SimpleQueue()

    def take_long() -> None:
        del world.one.before[operation]
        world.book.after = lambda call: beats.put(call) if call == "heartbeat" else None
        for _ in range(3):
            world.clock.wait(LIFE_EVERY)
            beats.get(timeout=PATIENCE)
        world.book.after = lambda call: None

    world.one.before[operation] = take_long
    assert judge(world.run()).verdict is Verdict.PASSED


def test_a_store_that_fails_in_the_rollback_is_not_asked_again_and_the_run_ends_as_an_error() -> None:
    world = World()
    asked: SimpleQueue[str] = SimpleQueue()
    looked: SimpleQueue[str] = SimpleQueue()

    def fail(call: str) -> None:
        if call == "heartbeat":
            asked.put(call)
            raise StoreFailed("the store is locked")

    def take_long() -> None:
        del world.one.before["revert"]
        world.book.before = fail
        world.guardian.before = looked.put
        for _ in range(3):
            world.clock.wait(LEASE / 2)
            looked.get(timeout=PATIENCE)
        assert asked.qsize() == 1
        world.book.before = lambda call: None

    world.one.before["revert"] = take_long
    record = world.run()
    assert judge(record).verdict is Verdict.ERROR
    assert record.errors == ("the runner could not show that it lives: the store is locked",)
    assert record.injections[0].attempts == 1
    assert not world.faulty
