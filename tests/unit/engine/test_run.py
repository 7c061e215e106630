"""Whole runs in virtual time: what is done in which order, and what makes a run not start."""

from collections.abc import Callable

import pytest

from chaoskit.domain.errors import InvalidInput
from chaoskit.domain.history import RunRecord
from chaoskit.domain.journal import Intended, outstanding
from chaoskit.domain.plan import Plan
from chaoskit.domain.ports import Sample
from chaoskit.domain.verdict import Verdict, judge
from chaoskit.engine.access import Access
from chaoskit.engine.planner import make_plan
from chaoskit.engine.sampler import Key
from tests.unit.engine.kit import (
    BAD,
    BLIND,
    GOOD,
    HANGS,
    RUN,
    FakeProbe,
    Look,
    World,
    away,
    check,
    condition,
    experiment,
    raising,
    step,
)

PHASES = ["plan", "guard", "baseline", "inject", "observe", "rollback", "recovery"]


def phases(record: RunRecord) -> list[str]:
    return [span.name for span in record.phases]


def untouched(world: World) -> bool:
    return not any(machine.touched or machine.calls["revert"] for machine in world.all)


def since(world: World, seconds: float, then: Sample, before: Sample) -> Look:
    """Answers ``then`` from that many seconds after the world began."""
    return lambda: then if world.now >= seconds else before


def while_faulty(world: World, then: Sample, before: Sample) -> Look:
    return lambda: then if world.faulty else before


# --- the normal run --------------------------------------------------------------------------------------


def test_a_run_goes_through_its_phases_and_passes() -> None:
    world = World()
    record = world.run()
    assert judge(record).verdict is Verdict.PASSED
    assert phases(record) == PHASES
    assert [entry.entry for entry in world.book.journal] == ["intended", "injected", "restored"]
    assert outstanding(world.book.journal) == ()
    assert world.one.touched == {"chaoskit-r1-1"}
    assert not world.faulty


def test_the_intention_is_in_the_journal_before_the_target_is_touched() -> None:
    world = World()
    seen: list[list[str]] = []
    world.one.before["inject"] = lambda: seen.append([entry.entry for entry in world.book.journal])
    world.run()
    assert seen == [["intended"]]


def test_all_intentions_are_written_in_one_step_before_any_target_is_touched() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=40)
    world.run()
    assert world.book.calls["claim"] == 1
    assert [entry.entry for entry in world.book.journal[:40]] == ["intended"] * 40


def test_a_fault_is_in_for_its_whole_time_and_no_longer() -> None:
    world = World(experiment(faults=[step(duration="7s")]))
    record = world.run()
    (injection,) = record.injections
    assert injection.injected_at is not None
    assert injection.rollback_at == pytest.approx(injection.injected_at + 7.0)


def test_faults_of_different_durations_end_each_at_its_own_time() -> None:
    plan = experiment(faults=[step("web", "4s"), step("db", "9s")])
    world = World(plan)
    world.add("db", 1)
    record = world.run()
    short, long = record.injections
    assert judge(record).verdict is Verdict.PASSED
    assert phases(record) == PHASES
    assert short.rollback_at == pytest.approx(6.0)
    assert short.restored_at == pytest.approx(6.0)
    assert long.rollback_at == pytest.approx(11.0)


def test_two_faults_on_one_target_are_both_undone_newest_first() -> None:
    world = World(experiment(faults=[step(), step()]))
    record = world.run()
    assert judge(record).verdict is Verdict.PASSED
    reverts = [line for line in world.one.log if line.startswith("revert")]
    assert reverts == ["revert chaoskit-r1-2", "revert chaoskit-r1-1"]


def test_three_hundred_targets_are_broken_and_restored() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=300)
    record = world.run()
    assert judge(record).verdict is Verdict.PASSED
    assert all(machine.touched for machine in world.all)
    assert not world.faulty


@pytest.mark.parametrize("tick", ["100ms", "1s", "7s", "60s"])
def test_any_tick_will_do(tick: str) -> None:
    world = World(experiment(sampling={"tick": tick, "baseline": "2s"}, faults=[step(duration="4m")]))
    if tick == "60s":  # by default more than ten seconds without data is blindness
        world.experiment = experiment(
            sampling={"tick": tick, "baseline": "2s"},
            faults=[step(duration="4m")],
            abort_when=[condition("errors"), {"no_data_for": "3m"}],
        )
    assert judge(world.run()).verdict is Verdict.PASSED


def test_a_hypothesis_that_does_not_hold_under_the_fault_fails_the_run() -> None:
    world = World()
    world.when("check", "up", while_faulty(world, BAD["check"], GOOD["check"]))
    assert judge(world.run()).verdict is Verdict.FAILED
    assert not world.faulty


def test_a_system_that_does_not_come_back_fails_the_run() -> None:
    world = World(experiment(expect={"recover_within": "10s"}))
    world.when("check", "up", lambda: BAD["check"] if world.one.touched and not world.faulty else GOOD["check"])
    record = world.run()
    assert judge(record).verdict is Verdict.FAILED
    assert "did not recover" in judge(record).reasons[0]
    assert record.ended_at is not None
    assert record.ended_at <= 7.0 + 10.0 + 1.0


def test_a_system_that_comes_back_in_time_passes_and_its_time_is_told() -> None:
    world = World(experiment(expect={"recover_within": "10s"}))
    world.when("check", "up", lambda: BAD["check"] if 7.0 < world.now < 12.0 else GOOD["check"])
    judged = judge(world.run())
    assert judged.verdict is Verdict.PASSED
    assert judged.time_to_recover == pytest.approx(5.0)


def test_a_system_that_comes_back_too_late_fails_the_run() -> None:
    world = World(experiment(expect={"recover_within": "5s"}))
    world.when("check", "up", lambda: BAD["check"] if 7.0 < world.now < 14.5 else GOOD["check"])
    assert judge(world.run()).verdict is Verdict.FAILED


@pytest.mark.parametrize(("then", "verdict"), [("held", Verdict.PASSED), ("blind", Verdict.INCONCLUSIVE)])
def test_a_check_that_fell_silent_is_not_taken_for_recovered(then: str, verdict: Verdict) -> None:
    """It held at first, when another did not yet; whether both ever held at once is not known."""
    world = World(experiment(steady_state=[check("up"), check("slow")], expect={"recover_within": "9s"}))
    world.when("check", "slow", lambda: BAD["check"] if 7.0 < world.now < 12.0 else GOOD["check"])
    probe = FakeProbe(lambda: BLIND if then == "blind" and 10.5 < world.now < 19.0 else GOOD["check"], bound=9.0)
    world.probes[Key("check", "up")] = probe
    world.at(10.5, lambda: setattr(probe, "took", 9.0))
    world.at(19.0, lambda: setattr(probe, "took", 0.0))
    judged = judge(world.run())
    assert judged.verdict is verdict
    assert judged.time_to_recover == pytest.approx(5.0 if then == "held" else 13.0)


def test_a_request_from_before_the_limit_that_failed_after_it_refutes_no_recovery() -> None:
    world = World(experiment(expect={"recover_within": "5s"}))
    probe = FakeProbe(lambda: BAD["check"] if 7.0 < world.now < 11.5 else GOOD["check"], bound=5.0)
    world.probes[Key("check", "up")] = probe
    world.at(10.5, lambda: setattr(probe, "took", 4.5))
    world.at(12.0, lambda: setattr(probe, "took", 0.0))
    judged = judge(world.run())
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "not known to be later" in judged.recovery_why


def test_a_slow_probe_still_shows_a_recovery_that_began_in_time() -> None:
    world = World(experiment(expect={"recover_within": "3s"}, faults=[step(duration="20s")]))
    world.when("check", "up", lambda: GOOD["check"], bound=5.0, took=2.5)
    assert judge(world.run()).verdict is Verdict.PASSED


def test_a_fault_without_effect_is_undone_at_once_and_proves_nothing() -> None:
    world = World()
    world.one.bites = False
    record = world.run()
    assert judge(record).verdict is Verdict.INCONCLUSIVE
    assert "observe" not in phases(record)
    assert not world.faulty


def test_an_effect_that_shows_after_a_moment_is_waited_for() -> None:
    world = World()
    world.one.bites = False
    world.one.before["effect"] = lambda: setattr(world.one, "bites", world.now > 3.0)
    assert judge(world.run()).verdict is Verdict.PASSED


def hanging(world: World, begin: float, end: float, took: float, then: Sample) -> None:
    """Between these seconds each sample of the check takes so long, and says ``then``."""
    probe = FakeProbe(lambda: then if begin <= world.now < end else GOOD["check"], bound=took)
    world.probes[Key("check", "up")] = probe
    world.at(begin - 0.5, lambda: setattr(probe, "took", took))
    world.at(end - 0.5, lambda: setattr(probe, "took", 0.0))


def test_a_probe_that_times_out_for_almost_half_of_the_fault_proves_nothing() -> None:
    world = World(experiment(faults=[step(duration="20s")]))
    hanging(world, begin=12.0, end=22.0, took=5.0, then=BLIND)
    judged = judge(world.run())
    assert (judged.verdict, judged.checks[0].missing) == (Verdict.INCONCLUSIVE, 2)
    assert "10s of 20.0s passed without an answer, more than 20%" in judged.reasons[0]


def test_a_sample_that_only_the_rollback_freed_proves_nothing() -> None:
    plan = experiment(faults=[step(duration="20s")], abort_when=[condition("errors"), {"no_data_for": "1m"}])
    world = World(plan)
    hanging(world, begin=6.0, end=7.0, took=17.5, then=GOOD["check"])
    judged = judge(world.run())
    assert (judged.verdict, judged.checks[0].missing) == (Verdict.INCONCLUSIVE, 0)
    assert "passed without an answer" in judged.reasons[0]


def test_one_sample_that_timed_out_in_a_long_fault_is_forgiven() -> None:
    world = World(experiment(faults=[step(duration="40s")]))
    hanging(world, begin=12.0, end=17.0, took=5.0, then=BLIND)
    assert judge(world.run()).verdict is Verdict.PASSED


# --- detection -------------------------------------------------------------------------------------------

ALERTING = {"recover_within": "10s", "alerts": [{"alert": "Down", "fires_within": "15s"}]}


def test_an_alert_that_fires_in_time_is_detected() -> None:
    world = World(experiment(expect=ALERTING))
    world.when("detection", "Down", since(world, 8.0, BAD["detection"], GOOD["detection"]))
    judged = judge(world.run())
    assert judged.verdict is Verdict.PASSED
    assert judged.time_to_detect == pytest.approx(6.0)


def test_an_alert_that_never_fires_is_waited_for_and_refuted() -> None:
    world = World(experiment(expect=ALERTING))
    record = world.run()
    assert judge(record).verdict is Verdict.FAILED
    assert record.ended_at is not None
    assert record.ended_at >= 17.0


@pytest.mark.parametrize(("then", "verdict"), [("quiet", Verdict.FAILED), ("blind", Verdict.INCONCLUSIVE)])
def test_an_alert_is_not_refuted_by_a_probe_that_hung(then: str, verdict: Verdict) -> None:
    world = World(experiment(expect={"alerts": [{"alert": "Down", "fires_within": "30s"}]}))
    hung = GOOD["detection"] if then == "quiet" else BLIND
    probe = FakeProbe(lambda: hung if 4.5 < world.now < 14.0 else GOOD["detection"], bound=5.0)
    world.probes[Key("detection", "Down")] = probe
    world.at(4.5, lambda: setattr(probe, "took", 5.0))
    world.at(14.0, lambda: setattr(probe, "took", 0.0))
    judged = judge(world.run())
    assert judged.verdict is verdict
    assert ("10s of 30s passed without an answer" in judged.detections[0].why) is (then == "blind")


def test_an_alert_of_a_slow_probe_is_watched_for_its_whole_time() -> None:
    world = World(experiment(expect=ALERTING))
    world.when("detection", "Down", lambda: GOOD["detection"], bound=5.0, took=2.5)
    assert judge(world.run()).verdict is Verdict.FAILED


# --- what makes it not start -----------------------------------------------------------------------------


def test_every_reason_of_the_guards_and_the_plan_is_collected_and_nothing_is_touched() -> None:
    world = World(experiment(blast_radius={"max_targets": 1}, faults=[step(pick="all")]), machines=2)
    record = world.run(guards=[lambda plan: ["incident in progress"], lambda plan: ["a halt is in force"]])
    assert judge(record).verdict is Verdict.BLOCKED
    assert len(record.blocked) == 3
    assert untouched(world)
    assert phases(record) == ["plan", "guard"]


def test_a_target_that_cannot_be_prepared_blocks_the_run() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=5)
    world.one.before["open"] = away()
    record = world.run()
    assert judge(record).verdict is Verdict.BLOCKED
    assert "web-0" in record.blocked[0]
    assert untouched(world)


def test_a_defect_while_planning_is_an_error_and_not_dressed_up_as_a_guard() -> None:
    world = World()
    world.one.before["prepare"] = raising(KeyError("oops"))
    record = world.run()
    assert judge(record).verdict is Verdict.ERROR
    assert untouched(world)


def test_a_guard_that_fails_is_an_error_and_nothing_is_touched() -> None:
    def guard(plan: Plan) -> list[str]:
        raise InvalidInput(f"no calendar for {plan.experiment.name}")

    world = World()
    record = world.run(guards=[guard])
    assert judge(record).verdict is Verdict.ERROR
    assert record.errors == ("no calendar for e",)
    assert untouched(world)


@pytest.mark.parametrize("role", ["check", "abort"])
@pytest.mark.parametrize("sample", ["bad", "blind"])
@pytest.mark.parametrize("moment", [0.0, 1.0, 2.0])
def test_a_baseline_that_does_not_hold_all_the_time_blocks_the_run(role: str, sample: str, moment: float) -> None:
    world = World()
    name = {"check": "up", "abort": "errors"}[role]
    wrong = {"bad": BAD[role], "blind": BLIND}[sample]
    world.when(role, name, lambda: wrong if world.now == moment else GOOD[role])
    record = world.run()
    assert judge(record).verdict is Verdict.BLOCKED
    assert untouched(world)


def test_a_probe_that_never_answers_blocks_the_run() -> None:
    world = World()
    world.when("abort", "errors", lambda: GOOD["abort"], bound=3.0, took=HANGS)
    record = world.run()
    assert record.blocked == ("baseline: errors: the probe gave no answer in time",)
    assert untouched(world)


def test_a_probe_that_hangs_when_the_injecting_would_begin_blocks_the_run() -> None:
    world = World(experiment(sampling={"tick": "1s", "baseline": "5s"}))
    probe = FakeProbe(lambda: GOOD["abort"], bound=9.0)
    world.probes[Key("abort", "errors")] = probe
    world.at(0.5, lambda: setattr(probe, "took", 8.0))
    record = world.run()
    assert record.blocked == ("baseline: errors: no answer from the probe for 4.0s, so nobody knows how it is now",)
    assert untouched(world)


def test_an_alert_that_fires_already_blocks_the_run() -> None:
    world = World(experiment(expect=ALERTING))
    world.when("detection", "Down", lambda: BAD["detection"])
    assert judge(world.run()).verdict is Verdict.BLOCKED
    assert untouched(world)


def test_a_baseline_of_no_length_still_needs_every_probe_to_answer_once() -> None:
    world = World(experiment(sampling={"tick": "1s", "baseline": "0s"}))
    assert judge(world.run()).verdict is Verdict.PASSED
    world = World(experiment(sampling={"tick": "1s", "baseline": "0s"}))
    world.when("check", "up", lambda: BAD["check"])
    assert judge(world.run()).verdict is Verdict.BLOCKED


def test_a_check_without_a_probe_blocks_the_run() -> None:
    world = World(experiment(steady_state=[check("up"), check("fast")]))
    del world.probes[Key("check", "fast")]
    record = world.run()
    assert judge(record).verdict is Verdict.BLOCKED
    assert "fast" in record.blocked[0]


def test_no_probes_at_all_block_the_run() -> None:
    world = World()
    world.probes.clear()
    assert judge(world.run()).verdict is Verdict.BLOCKED
    assert untouched(world)


def test_a_condition_may_be_named_like_a_check() -> None:
    world = World(experiment(abort_when=[condition("up")], expect={"alerts": [{"alert": "up", "fires_within": "9s"}]}))
    world.when("detection", "up", while_faulty(world, BAD["detection"], GOOD["detection"]))
    assert judge(world.run()).verdict is Verdict.PASSED


def test_what_changed_since_the_promised_plan_blocks_the_run() -> None:
    world = World()
    promised = make_plan(world.job().brief, world.sources, Access(world.sources), "plan").plan
    assert judge(World().run(promised=promised)).verdict is Verdict.PASSED
    world.one.life = "second"
    record = world.run(promised=promised)
    assert record.blocked == ("reality drifted from the plan: web-0 of 'web' was restarted",)
    assert untouched(world)


Happening = Callable[[World], None]


def restarted(world: World) -> None:
    world.one.life = "second"


def joined(world: World) -> None:
    world.add("web", 1)


def lost_sight(world: World) -> None:
    world.one.before["discover"] = away()


@pytest.mark.parametrize("happening", [restarted, joined, lost_sight])
def test_targets_that_change_during_the_baseline_block_the_run(happening: Happening) -> None:
    world = World()
    world.at(1.5, lambda: happening(world))
    assert judge(world.run()).verdict is Verdict.BLOCKED
    assert untouched(world)


@pytest.mark.parametrize("role", ["check", "abort"])
@pytest.mark.parametrize("sample", ["bad", "blind"])
def test_what_turns_bad_while_planning_again_blocks_the_run(role: str, sample: str) -> None:
    """Looking at everything once more may take its time; the system may cease to be steady meanwhile."""
    world = World()
    name = {"check": "up", "abort": "errors"}[role]
    wrong = {"bad": BAD[role], "blind": BLIND}[sample]
    world.when(role, name, since(world, 3.5, wrong, GOOD[role]))
    world.one.before["prepare"] = lambda: world.clock.wait(4.0 if world.now > 1 else 0.0)
    assert judge(world.run()).verdict is Verdict.BLOCKED
    assert untouched(world)


def test_monitoring_that_falls_silent_while_planning_again_blocks_the_run() -> None:
    world = World()
    world.one.before["prepare"] = lambda: world.clock.wait(9.0 if world.now > 1 else 0.0)
    probe = FakeProbe(lambda: GOOD["abort"])
    world.probes[Key("abort", "errors")] = probe
    world.at(2.0, lambda: setattr(probe, "took", HANGS))
    assert judge(world.run()).verdict is Verdict.BLOCKED
    assert untouched(world)


def test_a_target_that_another_run_holds_blocks_the_run() -> None:
    world = World()
    first = World()
    first.run()
    taken = next(entry for entry in first.book.journal if isinstance(entry, Intended))
    world.book.journal.append(taken.model_copy(update={"run": "other"}))
    record = world.run()
    assert judge(record).verdict is Verdict.BLOCKED
    assert untouched(world)
    assert "rollback" not in phases(record)


def test_an_injection_that_would_not_survive_the_journal_is_never_made() -> None:
    def forgets(entry: Intended) -> object:
        raise KeyError(entry.kind)

    def confuses(entry: Intended) -> object:
        return entry

    for revive in (forgets, confuses):
        world = World()
        record = world.run(revive=revive)
        assert judge(record).verdict is Verdict.BLOCKED
        assert "journal" in record.blocked[0]
        assert untouched(world)
        assert world.book.journal == []


def test_the_record_says_what_was_run() -> None:
    record = World().run()
    assert (record.run, record.seed, record.trigger, record.command) == (RUN, "1", "test", "chaoskit run")
    assert record.ended_at is not None
    assert record.plan is not None
