"""What became of each check, and of the recovery."""

import pytest

from chaoskit.domain.history import Recovery
from chaoskit.domain.readings import Outcome, Reading
from chaoskit.domain.results import (
    CheckResult,
    judge_hypothesis,
    judge_recovery,
    time_to_abort,
    time_to_recover,
)
from tests.unit.domain.runs import (
    INJECT,
    RECOVERY,
    TOLERANT,
    abort,
    experiment,
    injection,
    passing,
    reading,
    readings,
)

Timed = tuple[float, Outcome]


def judged(*wrong: Timed, tolerant: bool = False) -> CheckResult:
    plan = TOLERANT if tolerant else experiment()
    return judge_hypothesis(passing(plan, readings=readings(*wrong)), plan.steady_state[0])


def during(*mine: Reading) -> CheckResult:
    """The result when only these readings, and good ones before and after, are in the record."""
    others = [r for r in readings() if r.phase not in {"inject", "observe"}]
    return judge_hypothesis(passing(TOLERANT, readings=(*others, *mine)), TOLERANT.steady_state[0])


# --- checks ----------------------------------------------------------------------------------------------


def test_one_deviation_refutes_a_check_without_a_tolerance() -> None:
    result = judged((15.0, "deviated"))
    assert result.outcome == "deviated"
    assert "at 15.0s" in result.why
    assert "at least 1" in result.why


def test_deviations_outside_the_fault_do_not_refute_a_check() -> None:
    assert judged((20.0, "deviated"), (21.0, "deviated"), (25.0, "deviated")).outcome == "held"


@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [
        ([12.0], "held"),
        ([12.0, 13.0, 14.0], "held"),  # three seconds up to the next one that held
        ([12.0, 13.0, 14.0, 15.0], "deviated"),
        ([12.0, 13.0, 14.0, 16.0, 17.0, 18.0], "held"),  # two pieces, each short enough
        ([17.0, 18.0, 19.0], "held"),  # 20 s held, after the rollback had begun
    ],
)
def test_a_tolerance_is_for_each_piece_of_deviation(wrong: list[float], outcome: str) -> None:
    assert judged(*((at, "deviated") for at in wrong), tolerant=True).outcome == outcome


def test_a_piece_that_was_not_seen_to_end_is_neither_proven_nor_refuted() -> None:
    result = judged(*((float(at), "deviated") for at in (18, 19, 20, 21, 22)), tolerant=True)
    assert result.outcome == "unknown"
    assert "not seen to end" in result.why


def test_a_piece_that_nothing_ended_is_neither_proven_nor_refuted() -> None:
    assert judged(*((float(at), "deviated") for at in range(18, 30)), tolerant=True).outcome == "unknown"
    assert (
        judged(*((float(at), "unknown") for at in range(19, 30)), (18.0, "deviated"), tolerant=True).outcome
        == "unknown"
    )


def test_a_piece_that_only_silence_ended_is_neither_proven_nor_refuted() -> None:
    result = judged((13.0, "deviated"), (14.0, "unknown"), (15.0, "unknown"), (16.0, "unknown"), tolerant=True)
    assert result.outcome == "unknown"


def test_silence_in_the_midst_of_a_piece_does_not_end_it() -> None:
    result = judged((12.0, "deviated"), (13.0, "unknown"), (14.0, "deviated"), tolerant=True)
    assert result.outcome == "held"  # 15 s held
    result = judged(
        (12.0, "deviated"), *((at, "unknown") for at in (13.0, 14.0, 15.0)), (16.0, "deviated"), tolerant=True
    )
    assert result.outcome == "deviated"


def test_tolerated_deviations_are_no_proof_that_the_check_held() -> None:
    result = during(reading(12.0, "deviated"), reading(13.0, "deviated"), reading(14.0, "held"))
    assert result.outcome == "unknown"
    assert "held in 1 samples" in result.why


def test_a_check_seen_only_while_it_was_injected_is_not_proven() -> None:
    early = [reading(INJECT + 0.1 * i) for i in range(9)]
    assert during(*early).outcome == "unknown"


def test_a_sample_that_ended_after_the_rollback_began_is_no_proof() -> None:
    enough = [reading(11.0, took=2.5), reading(14.0, took=2.5)]
    assert during(*enough, reading(17.0, took=2.5)).outcome == "held"
    result = during(*enough, reading(17.0, took=3.5))
    assert (result.outcome, "held in 2 samples" in result.why) == ("unknown", True)


@pytest.mark.parametrize(("unknown", "outcome"), [(2, "held"), (3, "unknown")])
def test_more_than_the_stated_share_of_missing_samples_proves_nothing(unknown: int, outcome: str) -> None:
    mine = [reading(11.0 + i) for i in range(8)]
    silent = [reading(18.5 + i / 2, "unknown") for i in range(unknown)]
    result = during(*mine, *silent)
    assert (result.outcome, result.missing) == (outcome, unknown)


HANGING = [
    pytest.param(
        [reading(at) for at in (11.0, 12.0, 13.0, 14.0)], reading(15.0, "unknown", took=5.0), 5, id="timed out"
    ),
    pytest.param([reading(at) for at in (11.0, 12.0, 13.0)], reading(14.0, took=7.0), 6, id="freed by the rollback"),
    pytest.param([reading(at) for at in (17.0, 18.0, 19.0)], reading(10.5, took=6.4), 5, id="from before the fault"),
    pytest.param([reading(at) for at in (11.0, 12.0, 13.0, 19.0)], None, 5, id="never taken"),
    pytest.param([reading(at) for at in (11.0, 12.0, 13.0)], None, 6, id="never answered"),
]


@pytest.mark.parametrize(("answered", "hung", "unseen"), HANGING)
def test_time_without_an_answer_is_missing_however_few_samples_it_was(
    answered: list[Reading], hung: Reading | None, unseen: int
) -> None:
    result = during(*answered, *([] if hung is None else [hung]))
    assert (result.outcome, result.unseen) == ("unknown", unseen)
    assert f"{unseen}s of 9.0s passed without an answer, more than 20%" in result.why


def test_a_probe_that_always_takes_long_is_believed() -> None:
    slow = [reading(at, took=2.4) for at in (10.5, 13.5, 16.5)]
    assert during(*slow).outcome == "unknown"  # the first began before the fault was in
    plan = experiment(
        faults=[{"kind": "instance.kill", "target": "web", "duration": "9s"}], sampling={"min_samples": 2}
    )
    others = [r for r in readings() if r.phase not in {"inject", "observe"}]
    result = judge_hypothesis(passing(plan, readings=(*others, *slow, reading(19.5, took=2.4))), plan.steady_state[0])
    assert (result.outcome, result.unseen) == ("held", 0)


def test_time_that_may_be_missing_is_a_share_of_the_fault() -> None:
    def without(*seconds: int) -> Outcome:
        return during(*(reading(float(at)) for at in range(11, 20) if at not in seconds)).outcome

    assert without(15) == "held"
    assert without(15, 16) == "unknown"


def test_time_without_an_answer_is_told_of_the_fault_where_it_was_most() -> None:
    plan = experiment()
    silent = [r for r in readings() if not 13.0 <= r.at < 16.0]
    two = (injection(1, rollback_at=16.0, duration=5.0), injection(2, step=1))
    result = judge_hypothesis(passing(plan, readings=silent, injections=two), plan.steady_state[0])
    assert (result.outcome, result.unseen) == ("unknown", 3.0)


def test_a_check_that_fell_silent_before_the_fault_is_not_known_to_have_held_up_to_it() -> None:
    plan = experiment()
    silent = [r for r in readings() if not 6.5 < r.at < INJECT]
    result = judge_hypothesis(passing(plan, readings=silent), plan.steady_state[0])
    assert (result.baseline, result.outcome) == ("unknown", "unknown")
    assert "was not seen in the last 4.0s before the fault" in result.why
    assert judge_hypothesis(passing(plan, readings=[*silent, reading(7.5)]), plan.steady_state[0]).outcome == "held"


def test_tolerated_deviations_do_not_make_up_for_missing_samples() -> None:
    mine = [reading(11.0 + i / 2) for i in range(8)]
    silent = [reading(16.0 + i / 4, "unknown") for i in range(3)]
    bad = [reading(18.0 + i / 10, "deviated") for i in range(8)]
    assert during(*mine, *silent, *bad, reading(19.0)).outcome == "unknown"


def test_a_check_must_be_seen_while_each_of_several_faults_was_in() -> None:
    short = injection(1, duration=2.0, rollback_at=13.0)
    long = injection(2, step=1)
    plan = experiment()
    result = judge_hypothesis(passing(plan, injections=(short, long)), plan.steady_state[0])
    assert result.outcome == "unknown"  # 11 s and 12 s only: three are needed
    assert "held in 2 samples" in result.why


def test_only_samples_taken_while_all_targets_of_a_fault_were_hit_are_proof() -> None:
    plan = experiment()
    early, late = injection(1, injected_at=11.0, duration=2.0), injection(2, injected_at=17.5, duration=2.0)
    result = judge_hypothesis(passing(plan, injections=(early, late)), plan.steady_state[0])
    assert (result.outcome, "held in 2 samples" in result.why) == ("unknown", True)
    first, last = injection(1, rollback_at=13.5, duration=2.0), injection(2, duration=2.0)
    result = judge_hypothesis(passing(plan, injections=(first, last)), plan.steady_state[0])
    assert (result.outcome, "held in 3 samples" in result.why) == ("held", True)
    result = judge_hypothesis(passing(plan, injections=(first, late)), plan.steady_state[0])
    assert result.outcome == "unknown"


def test_a_check_that_deviated_before_the_fault_proves_nothing_by_holding_in_it() -> None:
    result = judged((9.0, "deviated"))
    assert (result.baseline, result.outcome) == ("deviated", "unknown")


def test_a_sample_under_way_when_the_injecting_began_counts_for_neither_side() -> None:
    straddling = reading(9.5, "deviated", took=2.0)
    plan = experiment()
    result = judge_hypothesis(passing(plan, readings=(*readings(), straddling)), plan.steady_state[0])
    assert (result.baseline, result.outcome) == ("held", "held")


def test_readings_that_arrived_out_of_order_are_judged_in_the_order_they_were_taken() -> None:
    wrong: list[Timed] = [(12.0, "deviated"), (13.0, "deviated")]
    shuffled = tuple(reversed(readings(*wrong)))
    assert judge_hypothesis(passing(TOLERANT, readings=shuffled), TOLERANT.steady_state[0]) == judged(
        *wrong, tolerant=True
    )


def test_readings_of_other_checks_and_roles_do_not_count() -> None:
    others = [reading(15.0, "deviated", name="other"), reading(15.0, "deviated", role="abort")]
    plan = experiment()
    assert judge_hypothesis(passing(plan, readings=(*readings(), *others)), plan.steady_state[0]).outcome == "held"


def test_the_numbers_of_a_check_are_its_median_before_its_worst_during_and_its_last_after() -> None:
    values = {5.0: 3.0, 6.0: 4.0, 7.0: 5.0, 12.0: 2.0, 13.0: 1.5, 28.0: 7.0, 29.0: 8.0}
    mine = tuple(r.model_copy(update={"value": values.get(r.at)}) for r in readings())
    plan = experiment()
    result = judge_hypothesis(passing(plan, readings=mine), plan.steady_state[0])
    assert (result.baseline_value, result.worst_value, result.final_value) == (4.0, 1.5, 8.0)


# --- recovery --------------------------------------------------------------------------------------------


def recovered(at: float | None, *wrong: Timed, cut_short: bool = False) -> Outcome:
    seen = Recovery(started_at=RECOVERY, limit=5.0, recovered_at=at, cut_short=cut_short)
    return judge_recovery(passing(recovery=seen, readings=readings(*wrong)))[0]


def test_recovery_within_the_limit_holds() -> None:
    assert recovered(RECOVERY) == "held"
    assert recovered(RECOVERY + 5.0) == "held"


def test_recovery_seen_too_late_is_refuted_only_when_it_was_seen_to_be_missing_before() -> None:
    assert recovered(27.0, (26.0, "deviated")) == "deviated"
    assert recovered(27.0, (25.0, "deviated"), (26.0, "unknown")) == "unknown"
    assert recovered(27.0) == "unknown"


def test_a_sample_from_before_the_limit_that_ended_after_it_refutes_no_recovery() -> None:
    slow = [*readings((24.0, "deviated")), reading(25.5, "deviated", took=2.0)]
    for at in (27.0, None):
        seen = Recovery(started_at=RECOVERY, limit=5.0, recovered_at=at)
        assert judge_recovery(passing(recovery=seen, readings=slow))[0] == "unknown"


def test_no_recovery_is_refuted_only_when_a_check_still_deviated_at_the_limit() -> None:
    assert recovered(None, (28.0, "deviated"), (29.0, "held")) == "deviated"
    assert recovered(None, (24.0, "deviated"), (29.0, "unknown")) == "unknown"


def test_recovery_that_was_cut_short_is_unknown() -> None:
    assert recovered(None, (24.0, "deviated"), cut_short=True) == "unknown"


def test_a_run_without_a_recovery_tells_nothing_of_it() -> None:
    assert judge_recovery(passing(recovery=None))[0] == "unknown"


def test_the_time_to_recover_counts_from_the_rollback() -> None:
    assert time_to_recover(passing()) == 1.0
    assert time_to_recover(passing(recovery=None)) is None


def test_the_time_to_abort_counts_from_the_first_sign_of_the_breach_to_the_last_target_restored() -> None:
    two = (injection(1, restored_at=20.0), injection(2, restored_at=21.0))
    assert time_to_abort(passing(injections=two, abort=abort("condition", at=19.0, breached_at=18.0))) == 3.0


@pytest.mark.parametrize(
    "record",
    [
        passing(),
        passing(abort=abort("halt"), injections=()),
        passing(abort=abort("halt"), injections=(injection(restored_at=None),)),
        passing(abort=abort("halt", at=25.0, breached_at=25.0)),
    ],
    ids=["no abort", "nothing injected", "not restored", "stopped when all was restored"],
)
def test_there_is_no_time_to_abort_where_no_fault_was_ended_by_it(record: object) -> None:
    assert time_to_abort(record) is None  # type: ignore[arg-type]  # parametrised over records
