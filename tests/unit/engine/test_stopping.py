"""What stops a run before its time: conditions, silence, drift and people. Then everything is restored, fast."""

import threading
from collections.abc import Callable

import pytest

from chaoskit.domain.history import RunRecord
from chaoskit.domain.journal import outstanding
from chaoskit.domain.ports import Sample
from chaoskit.domain.verdict import Verdict, judge
from chaoskit.engine import sampler
from chaoskit.engine.access import Access
from chaoskit.engine.crew import WORKERS
from chaoskit.engine.planner import make_plan
from chaoskit.engine.sampler import Key
from tests.unit.engine.kit import (
    BAD,
    BLIND,
    GOOD,
    HANGS,
    FakeProbe,
    World,
    away,
    condition,
    experiment,
    lost,
    step,
)

BEGUN = 2.0
"""When the injecting begins in these worlds: the baseline is two seconds."""

LONG = 60.0
"""Seconds of a lease: in virtual time nobody renews it while a machine takes its time."""


def restored(world: World) -> bool:
    return not world.faulty and not outstanding(world.book.journal)


def breach(world: World, seconds: float, until: float = 1000.0) -> None:
    """The abort condition's limit is exceeded from then on."""
    world.when("abort", "errors", lambda: BAD["abort"] if seconds <= world.now < until else GOOD["abort"])


def inject_at_a_pace(world: World, seconds_each: float) -> None:
    """Injecting takes time, and no worker runs ahead of the loop that keeps the journal."""
    under_way = threading.Semaphore(WORKERS)

    def one_more() -> None:
        assert under_way.acquire(timeout=10)
        world.clock.wait(seconds_each)

    for machine in world.all:
        machine.before["inject"] = one_more
    world.book.after = lambda call: under_way.release() if call == "append" else None


def rolled_back_at(record: RunRecord) -> float:
    span = record.span("rollback")
    assert span is not None
    return span.start


# --- abort conditions ------------------------------------------------------------------------------------


def test_a_condition_that_is_met_stops_the_run_with_the_very_sample_that_shows_it() -> None:
    world = World(experiment(faults=[step(duration="60s")]))
    breach(world, 5.0)
    record = world.run()
    assert judge(record).verdict is Verdict.ABORTED
    assert record.abort is not None
    assert (record.abort.cause, record.abort.breached_at) == ("condition", 5.0)
    assert rolled_back_at(record) == 5.0
    assert judge(record).time_to_abort == pytest.approx(0.0)
    assert restored(world)


@pytest.mark.parametrize("tick", [0.1, 0.5, 1.0, 5.0])
@pytest.mark.parametrize("took", [0.0, 0.3, 0.9])
def test_the_rollback_begins_with_the_arrival_of_the_sample_that_shows_the_breach(tick: float, took: float) -> None:
    plan = experiment(faults=[step(duration="60s")], sampling={"tick": f"{round(tick * 1000)}ms", "baseline": "2s"})
    world = World(plan)
    world.when("abort", "errors", lambda: BAD["abort"] if world.now >= 13.37 else GOOD["abort"], took=took)
    record = world.run()
    latency = make_latency(world)
    assert record.abort is not None
    assert rolled_back_at(record) == pytest.approx(record.abort.breached_at + took)
    assert rolled_back_at(record) - 13.37 <= latency


def make_latency(world: World) -> float:
    return make_plan(world.job().brief, world.sources, Access(world.sources), "plan").plan.latency.worst


@pytest.mark.parametrize(("lasts", "verdict"), [(2.9, Verdict.PASSED), (3.1, Verdict.ABORTED)])
def test_a_condition_must_be_met_for_as_long_as_it_says(lasts: float, verdict: Verdict) -> None:
    plan = experiment(abort_when=[condition("errors", **{"for": "3s"})], faults=[step(duration="30s")])
    world = World(plan)
    breach(world, 10.0, 10.0 + lasts)
    record = world.run()
    assert judge(record).verdict is verdict
    if record.abort is not None:
        assert (record.abort.breached_at, record.abort.at) == (10.0, 13.0)


def test_a_breach_that_ends_in_between_begins_anew() -> None:
    plan = experiment(abort_when=[condition("errors", **{"for": "3s"})], faults=[step(duration="30s")])
    world = World(plan)
    world.when("abort", "errors", lambda: BAD["abort"] if world.now in {10, 11, 12, 14, 15, 16} else GOOD["abort"])
    assert judge(world.run()).verdict is Verdict.PASSED


def test_not_knowing_neither_ends_nor_completes_a_breach() -> None:
    plan = experiment(abort_when=[condition("errors", **{"for": "3s"})], faults=[step(duration="30s")])
    seen: dict[float, Sample] = {10: BAD["abort"], 11: BLIND, 12: BLIND, 13: BLIND, 14: BLIND, 15: BAD["abort"]}
    world = World(plan)
    world.when("abort", "errors", lambda: seen.get(world.now, GOOD["abort"]))
    record = world.run()
    assert record.abort is not None
    assert (record.abort.cause, record.abort.breached_at, record.abort.at) == ("condition", 10.0, 15.0)


def test_each_of_several_conditions_has_its_own_breach() -> None:
    both = [condition("errors", **{"for": "3s"}), condition("slow", **{"for": "3s"})]
    world = World(experiment(abort_when=both, faults=[step(duration="30s")]))
    world.when("abort", "errors", lambda: BAD["abort"] if world.now in {10, 11} else GOOD["abort"])
    world.when("abort", "slow", lambda: BAD["abort"] if world.now in {12, 13} else GOOD["abort"])
    assert judge(world.run()).verdict is Verdict.PASSED


def test_a_breach_while_still_injecting_stops_the_injecting() -> None:
    """Three hundred targets take time; nobody goes on breaking them when the limit is exceeded."""
    world = World(experiment(faults=[step(pick="all", duration="60s")]), machines=300)
    inject_at_a_pace(world, seconds_each=0.1)
    breach(world, 5.0)
    record = world.run()
    touched = sum(bool(machine.touched) for machine in world.all)
    assert judge(record).verdict is Verdict.ABORTED
    assert 0 < touched < 100
    assert record.span("observe") is None
    assert restored(world)


def test_a_breach_with_the_last_injection_is_not_observed_any_longer() -> None:
    world = World()
    world.one.before["inject"] = lambda: world.clock.wait(4.0)
    breach(world, 3.0)
    record = world.run()
    assert judge(record).verdict is Verdict.ABORTED
    assert record.span("observe") is None
    assert restored(world)


def test_injecting_that_takes_longer_than_silence_may_is_not_mistaken_for_silence() -> None:
    world = World(experiment(faults=[step(duration="5s")]))
    world.lease = LONG
    world.one.before["inject"] = lambda: world.clock.wait(30.0)
    assert judge(world.run()).verdict is Verdict.PASSED


def test_an_early_rollback_that_takes_long_is_not_mistaken_for_silence() -> None:
    world = World(experiment(faults=[step("web", "4s"), step("db", "40s")]))
    world.lease = LONG
    world.add("db", 1)
    world.one.before["revert"] = lambda: world.clock.wait(20.0)
    assert judge(world.run()).verdict is Verdict.PASSED


def test_a_breach_during_an_early_rollback_stops_the_other_faults_too() -> None:
    world = World(experiment(faults=[step("web", "4s"), step("db", "10m")]))
    world.add("db", 1)
    world.one.before["revert"] = lambda: world.clock.wait(5.0)
    breach(world, 8.0)
    record = world.run()
    assert judge(record).verdict is Verdict.ABORTED
    assert rolled_back_at(record) == pytest.approx(11.0)
    assert restored(world)


def test_a_run_that_had_to_stop_during_an_early_rollback_does_not_go_on_when_the_cause_is_over() -> None:
    world = World(experiment(faults=[step("web", "4s"), step("db", "10m")]))
    world.lease = LONG
    world.add("db", 1)
    world.one.before["revert"] = lambda: world.clock.wait(20.0)
    world.one.after["revert"] = lost(times=1)
    world.when("check", "up", lambda: BLIND if 6.0 < world.now < 26.5 else GOOD["check"])
    record = world.run()
    assert record.abort is not None
    assert record.abort.cause == "blind"
    assert rolled_back_at(record) < 60.0
    assert restored(world)


def test_silence_during_an_early_rollback_stops_the_run_though_it_was_over_afterwards() -> None:
    world = World(experiment(faults=[step("web", "4s"), step("db", "10m")]))
    world.lease = LONG
    world.add("db", 1)
    world.one.before["revert"] = lambda: world.clock.wait(20.0)
    world.when("check", "up", lambda: BLIND if 6.0 < world.now < 26.5 else GOOD["check"])
    record = world.run()
    assert record.abort is not None
    assert record.abort.cause == "blind"
    assert rolled_back_at(record) == pytest.approx(26.0)
    assert judge(record).verdict is Verdict.INCONCLUSIVE
    assert restored(world)


# --- silence ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [Key("check", "up"), Key("abort", "errors")])
def test_a_probe_without_data_for_too_long_stops_the_run(key: Key) -> None:
    world = World(experiment(faults=[step(duration="5m")]))
    world.when(*key, lambda: BLIND if world.now > 20.0 else GOOD[key.role])
    record = world.run()
    assert record.abort is not None
    assert record.abort.cause == "blind"
    assert "monitoring is away" in record.abort.reason
    assert judge(record).verdict is Verdict.INCONCLUSIVE
    assert 30.0 < rolled_back_at(record) <= 32.0
    assert restored(world)


def test_a_probe_that_hangs_stops_the_run_as_silence_does() -> None:
    world = World(experiment(faults=[step(duration="5m")]))
    probe = FakeProbe(lambda: GOOD["check"])
    world.probes[Key("check", "up")] = probe
    world.at(19.5, lambda: setattr(probe, "took", HANGS))
    record = world.run()
    assert record.abort is not None
    assert record.abort.cause == "blind"
    assert rolled_back_at(record) <= 32.0
    assert any(r.outcome == "unknown" and "no answer from the probe" in r.problem for r in record.readings)


def test_the_stated_silence_counts() -> None:
    plan = experiment(abort_when=[condition("errors"), {"no_data_for": "3s"}], faults=[step(duration="5m")])
    world = World(plan)
    world.when("check", "up", lambda: BLIND if world.now > 20.0 else GOOD["check"])
    assert rolled_back_at(world.run()) <= 25.0


def test_a_short_silence_does_not_stop_the_run() -> None:
    world = World(experiment(faults=[step(duration="1m")]))
    world.when("check", "up", lambda: BLIND if 20.0 < world.now < 28.0 else GOOD["check"])
    assert judge(world.run()).verdict is Verdict.PASSED


def test_a_defect_in_a_probe_reads_as_silence() -> None:
    def broken() -> Sample:
        if world.now > 4.0:
            raise ZeroDivisionError
        return GOOD["check"]

    world = World(experiment(faults=[step(duration="1m")]))
    world.when("check", "up", lambda: safely(broken))
    assert judge(world.run()).verdict is Verdict.INCONCLUSIVE
    assert restored(world)


def safely(look: Callable[[], Sample]) -> Sample:
    return sampler._safely(FakeProbe(look))


def test_a_probe_that_is_slower_than_the_tick_is_no_silence() -> None:
    world = World(experiment(faults=[step(duration="30s")], sampling={"tick": "100ms", "baseline": "2s"}))
    world.when("check", "up", lambda: GOOD["check"], bound=5.0, took=2.0)
    assert judge(world.run()).verdict is Verdict.PASSED


# --- drift -----------------------------------------------------------------------------------------------


def test_a_fault_that_is_no_longer_in_force_stops_the_run() -> None:
    world = World(experiment(faults=[step(duration="1m")]))
    world.at(10.0, lambda: setattr(world.one, "drifts", "somebody restarted it"))
    record = world.run()
    assert record.abort is not None
    assert record.abort.cause == "drift"
    assert record.injections[0].drift == "somebody restarted it"
    assert judge(record).verdict is Verdict.INCONCLUSIVE
    assert rolled_back_at(record) <= 11.0
    assert restored(world)


def test_a_target_that_cannot_be_looked_at_for_too_long_stops_the_run() -> None:
    world = World(experiment(faults=[step(duration="5m")]))
    world.at(10.0, lambda: world.one.before.update(drift=lost()))
    record = world.run()
    assert record.abort is not None
    assert record.abort.cause == "blind"
    assert rolled_back_at(record) <= 22.0
    assert judge(record).verdict is Verdict.INCONCLUSIVE


def test_a_fault_seen_to_be_gone_in_the_last_moment_is_not_overlooked() -> None:
    """The look that finds it is over only when the fault's time is."""
    world = World(experiment(faults=[step(pick="all", duration="5s")]), machines=3)

    def slow_look() -> None:
        if world.now > BEGUN + 4.5:
            world.clock.wait(2.0)

    world.at(BEGUN + 4.5, lambda: setattr(world.one, "drifts", "gone"))
    world.machines["web"][2].before["drift"] = slow_look
    record = world.run()
    assert judge(record).verdict is not Verdict.PASSED
    assert "gone" in [injection.drift for injection in record.injections]


def test_a_fault_that_nobody_looked_at_for_its_last_seconds_proves_nothing() -> None:
    world = World(experiment(faults=[step(duration="12s")]))
    world.at(BEGUN + 6.5, lambda: world.one.before.update(drift=away()))
    record = world.run()
    assert record.abort is None
    assert judge(record).verdict is Verdict.INCONCLUSIVE
    assert "was not looked at in the last 6.0s" in judge(record).reasons[0]


def test_a_fault_that_nobody_ever_looked_at_again_proves_nothing() -> None:
    world = World()
    world.one.before["drift"] = away()
    record = world.run()
    assert judge(record).verdict is Verdict.INCONCLUSIVE
    assert "was never looked at again" in judge(record).reasons[0]


def test_a_rollback_of_our_own_is_no_drift() -> None:
    world = World(experiment(faults=[step("web", "4s"), step("db", "9s")]))
    world.add("db", 1)
    world.one.before["revert"] = lambda: setattr(world.one, "drifts", "it is back")
    record = world.run()
    assert judge(record).verdict is Verdict.PASSED
    assert [injection.drift for injection in record.injections] == ["", ""]


# --- people ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [0.5, 1.99])
def test_a_halt_before_the_injecting_leaves_everything_untouched(moment: float) -> None:
    world = World()
    world.at(moment, lambda: world.halt.engage("stopped by SIGINT"))
    record = world.run()
    assert judge(record).verdict is Verdict.ABORTED
    assert record.injections == ()
    assert not world.one.touched


def test_a_halt_while_planning_again_leaves_everything_untouched() -> None:
    world = World()

    def stop_the_second_time() -> None:
        if world.now > 1:
            world.halt.engage("stopped by SIGINT")

    world.one.before["prepare"] = stop_the_second_time
    record = world.run()
    assert judge(record).verdict is Verdict.ABORTED
    assert not world.one.touched
    assert world.book.journal == []


def test_a_halt_while_injecting_injects_no_further_and_restores_what_was_done() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=100)
    world.machines["web"][7].after["inject"] = lambda: world.halt.engage("stopped by SIGTERM")
    record = world.run()
    assert judge(record).verdict is Verdict.ABORTED
    assert record.abort is not None
    assert record.abort.reason == "stopped by SIGTERM"
    assert sum(bool(machine.touched) for machine in world.all) < 100
    assert restored(world)
    time_to_abort = judge(record).time_to_abort
    assert time_to_abort is not None
    assert time_to_abort >= 0


def test_a_halt_ends_the_wait_for_an_effect() -> None:
    world = World()
    world.one.bites = False
    world.one.after["inject"] = lambda: world.halt.engage("stopped by SIGTERM")
    record = world.run()
    assert rolled_back_at(record) == pytest.approx(BEGUN)


def test_a_halt_while_observing_rolls_back_at_once() -> None:
    world = World(experiment(faults=[step(duration="1h")]))
    world.at(10.0, lambda: world.halt.engage("stopped by SIGINT"))
    record = world.run()
    assert judge(record).verdict is Verdict.ABORTED
    assert rolled_back_at(record) == 10.0
    assert restored(world)


def test_a_halt_while_rolling_back_does_not_cut_it_short() -> None:
    world = World()
    world.one.before["revert"] = lost(times=3)
    world.one.after["revert"] = lambda: world.halt.engage("stopped by SIGINT")
    world.one.before["open"] = lambda: world.halt.engage("stopped by SIGINT") if world.faulty else None
    record = world.run()
    assert judge(record).verdict is Verdict.ABORTED
    assert restored(world)
    assert record.injections[0].restored_at is not None


def test_a_halt_while_recovering_ends_the_run_and_there_is_no_time_to_abort() -> None:
    world = World(experiment(expect={"recover_within": "5m"}))
    world.when("check", "up", lambda: BAD["check"] if world.now > 7.0 else GOOD["check"])
    world.at(20.0, lambda: world.halt.engage("stopped by SIGINT"))
    record = world.run()
    judged = judge(record)
    assert judged.verdict is Verdict.ABORTED
    assert judged.time_to_abort is None
    assert record.recovery is not None
    assert record.recovery.cut_short
    assert record.ended_at == 20.0


@pytest.mark.parametrize("reason", ["game day is over", ""])
def test_a_halt_in_the_store_stops_the_run_within_a_tick(reason: str) -> None:
    world = World(experiment(faults=[step(duration="1h")]))
    world.book.halt = lambda: reason if world.now >= 10.0 else None
    record = world.run()
    assert judge(record).verdict is Verdict.ABORTED
    assert rolled_back_at(record) <= 11.0
    assert restored(world)


def test_a_halt_in_the_store_stops_the_injecting() -> None:
    world = World(experiment(faults=[step(pick="all", duration="60s")]), machines=300)
    inject_at_a_pace(world, seconds_each=0.1)
    world.book.halt = lambda: "enough" if world.now >= 5.0 else None
    assert judge(world.run()).verdict is Verdict.ABORTED
    assert sum(bool(machine.touched) for machine in world.all) < 100
    assert restored(world)


def test_the_first_reason_to_stop_stays() -> None:
    world = World(experiment(faults=[step(duration="1h")]))
    breach(world, 10.0)
    world.one.before["revert"] = lambda: world.halt.engage("stopped by SIGINT")
    record = world.run()
    assert record.abort is not None
    assert record.abort.cause == "condition"


@pytest.mark.parametrize("planning", [1, 2])
def test_a_halt_while_a_target_does_not_answer_the_planner_is_not_kept_waiting(planning: int) -> None:
    world = World()
    release = threading.Event()
    answered: list[bool] = []

    def hang() -> None:
        if world.one.calls["prepare"] == planning:
            world.halt.engage("stopped by SIGINT")
            answered.append(release.wait(60))

    world.one.before["prepare"] = hang
    record = world.run()
    assert answered == [], "the target was waited for"
    release.set()
    assert record.abort is not None
    assert record.abort.cause == "halt"
    assert judge(record).verdict is Verdict.ABORTED
    assert world.one.touched == set()
