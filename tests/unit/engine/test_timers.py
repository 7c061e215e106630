"""Dead-man timers on targets: armed before the touch, wound up while the run loop lives, disarmed after the proof."""

import pytest

from chaoskit.domain.errors import TargetError
from chaoskit.domain.verdict import Verdict, judge
from chaoskit.engine.access import Access
from chaoskit.engine.planner import make_plan
from chaoskit.engine.timers import TimerProbe, Winding
from tests.unit.engine.kit import ALONE, LEASE, World, away, experiment, raising, step
from tests.unit.engine.test_lease import cause


def alone(duration: str = "40s") -> dict[str, object]:
    return {**step(duration=duration), "place": ALONE}


def world(*steps: dict[str, object]) -> World:
    made = World(experiment(faults=list(steps) or [alone()]))
    made.one.after["inject"] = lambda: made.timers.log.append("injected")
    made.one.after["verify"] = lambda: made.timers.log.append("verified")
    return made


def test_the_timer_is_armed_before_the_touch_and_disarmed_after_the_proof() -> None:
    one = world()
    assert judge(one.run()).verdict is Verdict.PASSED
    log = one.timers.log
    assert log[:2] == ["arm chaoskit-r1-1", "injected"]
    assert log[-2:] == ["verified", "disarm chaoskit-r1-1"]
    assert one.timers.deadlines == {}


def test_it_is_renewed_so_often_that_two_renewals_may_get_lost() -> None:
    one = world(alone("60s"))
    one.run()
    assert 60 / LEASE * 3 - 1 <= one.timers.log.count("renew chaoskit-r1-1") <= 60 / LEASE * 3 + 1


def test_an_injection_that_its_target_cannot_undo_alone_has_none() -> None:
    one = world(step())
    one.run()
    assert [line for line in one.timers.log if line not in {"injected", "verified"}] == []


def test_what_cannot_be_armed_is_not_injected() -> None:
    one = world()
    one.timers.before = lambda call: raising(TargetError("no shell"))() if call == "arm" else None
    record = one.run()
    assert one.one.touched == set()
    assert judge(record).verdict is Verdict.ERROR
    assert "no shell" in record.injections[0].error


def test_a_timer_that_has_fired_stops_the_run() -> None:
    one = world()

    def fire() -> None:
        one.timers.deadlines["chaoskit-r1-1"] = 0.0
        one.timers.run_out(one.all)

    one.at(9.0, fire)
    record = one.run()
    assert cause(record) == "lease"
    assert record.abort is not None
    assert record.abort.reason == "machine.break on web-0: it has fired"
    assert judge(record).verdict is Verdict.INCONCLUSIVE
    assert not one.faulty


def test_a_target_whose_timer_cannot_be_reached_leaves_the_run_blind() -> None:
    one = world()
    one.timers.before = lambda call: away()() if call == "renew" else None
    record = one.run()
    assert cause(record) == "blind"
    assert record.abort is not None
    assert "the dead-man timer on web-0 could not be renewed" in record.abort.reason


def test_a_timer_that_cannot_be_disarmed_is_residue() -> None:
    one = world()
    one.timers.before = lambda call: away()() if call == "disarm" else None
    record = one.run()
    assert judge(record).verdict is Verdict.DIRTY
    assert "nobody answers" in record.injections[0].residue[0]
    assert [undone.restored for undone in one.restore_from_journal()] == [False]
    one.timers.before = lambda call: None
    assert [undone.restored for undone in one.restore_from_journal()] == [True]
    assert one.timers.deadlines == {}


def test_nothing_is_wound_up_for_a_run_loop_that_hangs() -> None:
    """The threads of the probes go on while the loop does not keep its lease."""
    one = world()
    lease = one.desk().lease
    lease.arm([])
    [prepared] = make_plan(one.job().brief, one.sources, Access(one.sources), "r1").prepared
    probe = TimerProbe([prepared], Access(one.sources), {1}, Winding(one.timers, lease, one.clock))
    renewals = []
    for second in range(1, 40):
        one.clock.wait(1.0)
        if second <= 8:
            lease.keep()
        assert probe.sample().holds is True
        renewals.append(len(one.timers.log))
    assert renewals[7] > 0
    assert renewals[8 + int(2 * lease.renew_every) :] == [renewals[-1]] * (31 - int(2 * lease.renew_every))
    assert renewals[-1] <= 3


@pytest.mark.parametrize("early", ["3s", "8s"])
def test_a_timer_ends_with_its_own_fault(early: str) -> None:
    one = World(experiment(faults=[alone(early), {**alone("20s"), "target": "db"}]))
    one.add("db", 1)
    left: list[list[str]] = []
    one.at(15.0, lambda: left.append(list(one.timers.deadlines)))
    assert judge(one.run()).verdict is Verdict.PASSED
    assert left == [["chaoskit-r1-2"]]
