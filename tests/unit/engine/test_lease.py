"""The lease of a run: when it is renewed, when it is lost, what a lost one does; nothing is touched unarmed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.errors import GuardianLost
from chaoskit.domain.history import RunRecord
from chaoskit.domain.verdict import Verdict, judge
from chaoskit.engine.lease import RENEWALS, Lease
from tests.unit.engine.kit import LEASE, MemoryGuardian, VirtualClock, World, away, experiment, lost, raising, step
from tests.unit.engine.test_crash_anywhere import MAKERS, Fuse, Killed


def held() -> tuple[Lease, MemoryGuardian, VirtualClock]:
    guardian, clock = MemoryGuardian(), VirtualClock()
    lease = Lease(LEASE, guardian, clock)
    lease.arm([])
    return lease, guardian, clock


def test_it_is_renewed_every_third_of_its_time_and_not_more_often() -> None:
    lease, guardian, clock = held()
    for _ in range(300):
        clock.wait(0.1)
        assert lease.keep() == ""
    assert guardian.renewals == pytest.approx(30.0 / LEASE * RENEWALS, abs=1)


def test_a_runner_that_was_silent_for_longer_has_lost_it_for_good() -> None:
    lease, guardian, clock = held()
    clock.wait(LEASE)
    assert "silent for 15.0s" in lease.keep()
    assert guardian.renewals == 0
    assert lease.due == float("inf")
    assert "silent" in lease.keep()


def test_what_the_guardian_says_is_heard_between_renewals() -> None:
    lease, guardian, clock = held()
    clock.wait(0.1)
    guardian.reason = "the guardian died"
    assert lease.keep() == "the guardian died"
    guardian.reason = ""
    assert lease.keep() == "the guardian died"


@given(st.lists(st.floats(0.0, 20.0), max_size=30))
def test_it_is_lost_exactly_when_one_silence_was_as_long_as_the_lease(silences: list[float]) -> None:
    lease, guardian, clock = held()
    last_renewal, gone = clock.now(), False
    for silence in silences:
        clock.wait(silence)
        before = guardian.renewals
        gone = gone or clock.now() - last_renewal >= LEASE
        assert bool(lease.keep()) == gone
        if guardian.renewals > before:
            last_renewal = clock.now()


# --- in a run ------------------------------------------------------------------------------------------------


def cause(record: RunRecord) -> str:
    return record.abort.cause if record.abort else ""


def test_nothing_is_touched_before_the_guardian_holds_its_undo() -> None:
    world = World()

    def must_be_held() -> None:
        assert world.guardian.held, "touched while nobody would undo it"

    world.one.before["inject"] = must_be_held
    assert judge(world.run()).verdict is Verdict.PASSED
    assert world.guardian.disarmed
    assert world.guardian.held == {}


def test_a_guardian_that_cannot_be_armed_keeps_everything_untouched() -> None:
    world = World()

    def refuse(call: str) -> None:
        raise GuardianLost("the guardian died")

    world.guardian.before = refuse
    record = world.run()
    assert world.one.touched == set()
    assert judge(record).verdict is Verdict.ERROR
    assert "the guardian died" in record.errors[0]
    assert all(one.restored_at is not None for one in record.injections)


def test_a_lost_guardian_stops_the_run_within_a_tick_and_leaves_it_inconclusive() -> None:
    world = World(experiment(faults=[step(duration="30s")]))

    def die() -> None:
        world.guardian.reason = "the guardian died"

    world.at(7.5, die)
    record = world.run()
    assert cause(record) == "lease"
    assert record.abort is not None
    assert record.abort.at == pytest.approx(7.5, abs=1.0)
    assert not world.faulty
    judgement = judge(record)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reasons[0] == "the guardian died"


def test_a_runner_that_was_frozen_does_not_go_on_as_if_nothing_happened() -> None:
    world = World(experiment(faults=[step(duration="60s")]))
    world.at(8.0, lambda: world.clock.wait(20.0))
    record = world.run()
    assert cause(record) == "lease"
    assert not world.faulty
    assert judge(record).verdict is Verdict.INCONCLUSIVE
    assert world.guardian.disarmed


def test_what_is_undone_early_is_no_longer_the_guardians() -> None:
    world = World(experiment(faults=[step("web", "3s"), step("db", "8s")]))
    world.add("db", 1)
    seen: list[list[int]] = []
    world.at(7.0, lambda: seen.append(list(world.guardian.held)))
    world.run()
    assert seen == [[2]]


def test_while_something_is_left_the_guardian_stays_armed() -> None:
    world = World()
    world.one.before["revert"] = away()
    record = world.run()
    assert judge(record).verdict is Verdict.DIRTY
    assert not world.guardian.disarmed
    assert list(world.guardian.held) == [1]
    world.one.before.clear()
    assert all(undone.restored for undone in world.restore_by_guardian())
    assert not world.faulty


def test_an_injection_that_may_still_land_stays_with_the_guardian_until_it_was_looked_at_again() -> None:
    world = World()
    world.one.after["inject"] = lost(times=1)
    order: list[str] = []
    world.one.before["verify"] = lambda: order.append("verify")
    world.guardian.before = lambda call: order.append(call) if call in {"release", "disarm"} else None
    world.run()
    assert order.count("release") == 1
    assert order[-2:] == ["release", "disarm"]
    assert order.index("release") > order.index("verify", order.index("verify") + 1)


def test_the_lease_is_kept_while_a_stubborn_target_is_undone() -> None:
    world = World()
    silent = [world.clock.now()]
    gaps: list[float] = []

    def kept(call: str) -> None:
        if call == "renew":
            gaps.append(world.clock.now() - silent[0])
            silent[0] = world.clock.now()

    world.guardian.before = kept
    world.one.before["revert"] = raising(TimeoutError("no answer"), times=4)
    assert judge(world.run()).verdict is Verdict.PASSED
    assert max(gaps) < LEASE


@pytest.mark.parametrize("make", MAKERS)
def test_wherever_the_runner_dies_the_guardian_holds_all_that_is_in(make: type[World]) -> None:
    whole = make()
    fuse = Fuse(whole)
    whole.run()
    touched_and_killed = 0
    for position in range(fuse.effects):
        world = make()
        burning = Fuse(world)
        burning.set(position)
        with suppress(Killed):
            world.run()
        touched_and_killed += world.faulty
        burning.set(float("inf"))
        world.restore_by_guardian()
        assert not world.faulty, f"killed at effect {position} of {fuse.effects}"
    assert touched_and_killed > 10
