"""The verdict as a pure function: every verdict, every precedence, and a slow second opinion on what may pass."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chaoskit.domain.errors import Exit
from chaoskit.domain.history import Recovery, RunRecord
from chaoskit.domain.ports import Effect
from chaoskit.domain.readings import Outcome, Reading
from chaoskit.domain.verdict import Verdict, judge
from tests.unit.domain.runs import (
    DETECTING,
    INJECT,
    RECOVERY,
    ROLLBACK,
    TOLERANT,
    abort,
    experiment,
    injection,
    passing,
    reading,
    readings,
    with_readings,
)

UNPROVEN = Effect(bit=None, requested="killed", measured="no answer")
NOTHING = Effect(bit=False, requested="killed", measured="still running")
DEVIATED = readings((15.0, "deviated"))


UNSEEN_BEFORE: list[tuple[float, Outcome]] = [(float(at), "unknown") for at in range(5, 10)]
LATE = Recovery(started_at=RECOVERY, limit=5.0, recovered_at=27.0)
NEVER = Recovery(started_at=RECOVERY, limit=5.0)


def detections(*outcomes: tuple[float, Outcome]) -> tuple[Reading, ...]:
    return tuple(reading(at, outcome, role="detection", name="Down") for at, outcome in outcomes)


def detecting(*outcomes: tuple[float, Outcome], until: int = 18) -> RunRecord:
    """An alert that is quiet each second until then, but for those given."""
    by_time = {float(at): "deviated" for at in range(2, until)} | dict(outcomes)
    return passing(DETECTING, readings=(*readings(), *detections(*sorted(by_time.items()))))  # type: ignore[arg-type]  # dict.fromkeys loses the Literal


def test_a_run_in_which_everything_is_proven_passes() -> None:
    judged = judge(passing())
    assert judged.verdict is Verdict.PASSED
    assert judged.exit_code is Exit.PASSED
    assert (judged.restored, judged.injected) == (1, 1)


def test_each_verdict_has_its_own_exit_code() -> None:
    codes = {verdict: verdict.exit_code for verdict in Verdict}
    assert codes == {
        Verdict.PASSED: 0,
        Verdict.FAILED: 1,
        Verdict.BLOCKED: 3,
        Verdict.ABORTED: 4,
        Verdict.INCONCLUSIVE: 5,
        Verdict.DIRTY: 6,
        Verdict.ERROR: 7,
    }


EACH: dict[Verdict, list[tuple[str, RunRecord]]] = {
    Verdict.DIRTY: [
        ("residue is left", passing(injections=(injection(restored_at=None, residue=("it is down",)),))),
        ("one of two is left", passing(injections=(injection(1), injection(2, restored_at=None)))),
        ("the runner died in the middle", passing(ended_at=None, injections=(injection(restored_at=None),))),
    ],
    Verdict.BLOCKED: [("a guard said no", passing(injections=(), blocked=("protected",)))],
    Verdict.ERROR: [
        ("the store failed", passing(errors=("the disk is full",))),
        ("a driver failed", passing(injections=(injection(error="injecting failed: boom"),))),
        ("blocked after something was injected", passing(blocked=("claimed by another run",))),
    ],
    Verdict.ABORTED: [
        ("a condition was met", passing(abort=abort("condition"))),
        ("a person stopped it", passing(abort=abort("halt"))),
        ("stopped before anything was injected", passing(injections=(), recovery=None, abort=abort("halt"))),
    ],
    Verdict.INCONCLUSIVE: [
        ("nothing was injected", passing(injections=())),
        ("no effect", passing(injections=(injection(effect=NOTHING),))),
        ("the effect could not be told", passing(injections=(injection(effect=UNPROVEN),))),
        ("the effect was never looked at", passing(injections=(injection(effect=None),))),
        ("one of two had no effect", passing(injections=(injection(1), injection(2, effect=NOTHING)))),
        ("the effect went away", passing(injections=(injection(drift="restarted"),), abort=abort("drift"))),
        ("the effect went away unnoticed until the end", passing(injections=(injection(drift="restarted"),))),
        ("the run went blind", passing(abort=abort("blind"))),
        ("the fault was cut short", passing(injections=(injection(rollback_at=ROLLBACK - 1),))),
        ("when it was made is not known", passing(injections=(injection(injected_at=None),))),
        ("when it was undone is not known", passing(injections=(injection(rollback_at=None),))),
        ("the record ends early", passing(recovery=None)),
        ("the record has no end", passing(ended_at=None)),
        ("a check was never sampled", passing(readings=())),
        ("a check was not sampled in the fault", passing(readings=[r for r in readings() if r.phase != "observe"])),
        ("a check was not sampled before it", passing(readings=[r for r in readings() if r.phase != "baseline"])),
        ("a check was silent for a part of it", passing(readings=[r for r in readings() if not 13 <= r.at < 16])),
        ("a check fell silent before it", passing(readings=[r for r in readings() if not 6 <= r.at < INJECT])),
        ("a check was not steady before it", passing(readings=readings((5.0, "deviated")))),
        ("recovery was not seen", passing(recovery=NEVER)),
        ("an alert fired, on which side of its limit nobody saw", detecting((17.0, "held"), until=14)),
        ("an alert was not seen quiet before", detecting(*UNSEEN_BEFORE, (12.0, "held"))),
        ("an alert was not watched long enough", detecting(until=13)),
    ],
    Verdict.FAILED: [
        ("a check deviated", passing(readings=DEVIATED)),
        ("a check deviated while it was injected", passing(readings=readings((INJECT + 0.5, "deviated")))),
        ("a check deviated, then the run went blind", passing(readings=DEVIATED, abort=abort("blind"))),
        ("it recovered too late", passing(recovery=LATE, readings=readings((26.5, "deviated")))),
        ("it never recovered", passing(recovery=NEVER, readings=readings((29.0, "deviated")))),
        ("an alert did not fire", detecting()),
        ("an alert fired too late", detecting((17.0, "held"))),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "record"),
    [
        pytest.param(verdict, record, id=f"{verdict}: {name}")
        for verdict, cases in EACH.items()
        for name, record in cases
    ],
)
def test_every_verdict_is_given_for_its_reasons(verdict: Verdict, record: RunRecord) -> None:
    judged = judge(record)
    assert judged.verdict is verdict
    assert judged.reasons
    assert all(judged.reasons)


# What in a record speaks for each verdict; together, the one that comes first here must win.
SIGNS: dict[Verdict, dict[str, Any]] = {
    Verdict.DIRTY: {"restored_at": None},
    Verdict.ERROR: {"errors": ("boom",)},
    Verdict.ABORTED: {"abort": abort("condition")},
    Verdict.INCONCLUSIVE: {"effect": NOTHING},
    Verdict.FAILED: {"readings": DEVIATED},
}


@pytest.mark.parametrize(("first", "second"), list(combinations(SIGNS, 2)))
def test_of_two_reasons_the_graver_verdict_wins(first: Verdict, second: Verdict) -> None:
    signs = SIGNS[first] | SIGNS[second]
    touched = {key: signs.pop(key) for key in ("restored_at", "effect") if key in signs}
    assert judge(passing(injections=(injection(**touched),), **signs)).verdict is first


def test_blocked_outranks_everything_but_residue() -> None:
    blocked = passing(injections=(), blocked=("no",), errors=("boom",), abort=abort("halt"), readings=DEVIATED)
    assert judge(blocked).verdict is Verdict.BLOCKED


def test_a_refuted_hypothesis_outranks_one_that_could_not_be_told() -> None:
    two = experiment(steady_state=[{"name": n, "promql": n, "at_least": 1} for n in ("up", "silent")])
    assert judge(passing(two, readings=DEVIATED)).verdict is Verdict.FAILED
    assert judge(passing(two)).verdict is Verdict.INCONCLUSIVE


# --- a slow second opinion --------------------------------------------------------------------------------

Change = Callable[[RunRecord], RunRecord]
NEEDED = ("injected_at", "rollback_at", "restored_at")
outcomes: st.SearchStrategy[Outcome] = st.sampled_from(["held", "unknown", "deviated"])
seconds = st.integers(2, 29).map(float)


def on_one_injection(which: int, **update: object) -> Change:
    def change(record: RunRecord) -> RunRecord:
        made = list(record.injections)
        made[which % len(made)] = made[which % len(made)].model_copy(update=update)
        return record.model_copy(update={"injections": tuple(made)})

    return change


def on_the_record(**update: object) -> Change:
    return lambda record: record.model_copy(update=update)


def on_readings(judge_anew: Callable[[Reading], Reading | None]) -> Change:
    def change(record: RunRecord) -> RunRecord:
        kept = [new for old in record.readings if (new := judge_anew(old)) is not None]
        return record.model_copy(update={"readings": tuple(kept)})

    return change


def lost_between(start: float, end: float) -> Change:
    return on_readings(lambda r: None if start <= r.at < end else r)


def otherwise(start: float, length: float, outcome: Outcome) -> Change:
    """Every reading from ``start`` on comes to ``outcome``."""
    return on_readings(lambda r: r.model_copy(update={"outcome": outcome}) if start <= r.at < start + length else r)


def slow(start: float, took: float) -> Change:
    return on_readings(lambda r: r.model_copy(update={"took": took}) if r.at >= start else r)


changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(otherwise, seconds, st.sampled_from([1.0, 1.0, 2.0, 3.0, 4.0, 20.0]), outcomes),
    st.builds(otherwise, seconds, st.sampled_from([1.0, 1.0, 2.0, 3.0, 4.0, 20.0]), outcomes),
    st.builds(lost_between, seconds, st.integers(2, 30).map(float)),
    st.builds(lambda start, length: lost_between(start, start + length), seconds, st.sampled_from([0.5, 2.0, 3.0])),
    st.builds(slow, seconds, st.sampled_from([0.0, 0.9, 3.0])),
    st.builds(on_one_injection, st.integers(0, 1), effect=st.sampled_from([None, UNPROVEN, NOTHING])),
    st.builds(on_one_injection, st.integers(0, 1), drift=st.just("restarted")),
    st.builds(on_one_injection, st.integers(0, 1), error=st.just("boom")),
    *(st.builds(on_one_injection, st.integers(0, 1), **{at: st.one_of(st.none(), seconds)}) for at in NEEDED),
    st.builds(on_the_record, recovery=st.none()),
    st.builds(
        on_the_record,
        recovery=st.sampled_from([26.0, 26.5, None]).map(
            lambda at: Recovery(started_at=RECOVERY, limit=5.0, recovered_at=at)
        ),
    ),
    st.builds(
        on_the_record, abort=st.sampled_from([abort("condition"), abort("blind"), abort("halt"), abort("drift")])
    ),
    st.builds(on_the_record, errors=st.just(("boom",))),
    st.builds(on_the_record, blocked=st.just(("no",))),
    st.builds(on_the_record, ended_at=st.none()),
)

FIRED: dict[int, Outcome] = {at: "held" if at >= 15 else "deviated" for at in range(2, 30)}
BASES = (
    passing(),
    passing(TOLERANT),
    passing(TOLERANT, readings=readings((12.0, "deviated"), (13.0, "deviated"), (14.0, "deviated"))),
    passing(injections=(injection(1), injection(2, step=1, duration=4.0, rollback_at=15.0))),
    detecting(*((float(at), o) for at, o in FIRED.items())),
)


@st.composite
def records(draw: st.DrawFn) -> RunRecord:
    """A run that passes, with up to three things changed in it."""
    record = draw(st.sampled_from(BASES))
    for change in draw(st.lists(changes, max_size=3)):
        record = change(record)
    return record


@pytest.mark.parametrize("base", BASES)
def test_what_is_changed_below_passes_as_it_is(base: RunRecord) -> None:
    assert may_pass(base)
    assert judge(base).verdict is Verdict.PASSED


def may_pass(record: RunRecord) -> bool:
    """Whether everything that a passed run promises is in the record, looked up the slow way."""
    made = record.injections
    if not made or record.errors or record.abort or record.blocked or record.ended_at is None:
        return False
    for one in made:
        if one.effect is None or one.effect.bit is not True or one.error or one.drift or one.restored_at is None:
            return False
        if one.injected_at is None or one.rollback_at is None or one.rollback_at - one.injected_at < one.duration:
            return False
    recovery = record.recovery
    if recovery is None or recovery.recovered_at is None:
        return False
    if recovery.recovered_at - recovery.started_at > recovery.limit:
        return False
    return all(endured(record, name) for name in ("up",)) and detected(record)


def endured(record: RunRecord, name: str) -> bool:
    mine = sorted((r for r in record.readings if r.role == "check" and r.name == name), key=lambda r: r.at)
    before = [
        r for r in mine if r.phase == "baseline" and r.at + r.took <= min(i.intended_at for i in record.injections)
    ]
    if not before or any(r.outcome != "held" for r in before):
        return False
    if min(i.intended_at for i in record.injections) - max(r.at + r.took for r in before) > 3 + 2 * usual(before):
        return False
    for one in record.injections:
        assert one.injected_at is not None
        assert one.rollback_at is not None
        inside = [r for r in mine if r.phase in {"inject", "observe"} and one.injected_at <= r.at <= one.rollback_at]
        held = [r for r in inside if r.outcome == "held" and r.at + r.took <= one.rollback_at]
        unknown = [r for r in inside if r.outcome == "unknown"]
        if len(held) < 3 or len(unknown) > 0.2 * (len(held) + len(unknown)):
            return False
        told = [r for r in inside if r.outcome != "unknown" and r.at + r.took <= one.rollback_at]
        if silent(told, one.injected_at, one.rollback_at) > 0.2 * round(one.rollback_at - one.injected_at):
            return False
    during = record.experiment.steady_state[0].during
    return tolerable(mine, 0.0 if during is None else during.allow_for)


def usual(mine: list[Reading]) -> float:
    return sorted(r.took for r in mine)[(len(mine) - 1) // 2]


def silent(told: list[Reading], start: float, end: float) -> int:
    """The ticks on which an answer was due and none began, walked through one by one."""
    count = 0
    stops = [(start, start), *((r.at, r.at + r.took) for r in told), (end, end)]
    for index, (due, following) in enumerate(
        zip((over for _, over in stops), (at for at, _ in stops[1:]), strict=False)
    ):
        border = index in {0, len(told)}
        if border and following - due - usual(told) <= 1.5:
            continue
        while (due := due + 1.0) < following - 0.5:
            count += 1
    return count


def tolerable(mine: list[Reading], allowed: float) -> bool:
    """Every reading that deviated in the fault is followed, soon enough after its piece began, by one that held."""
    for index, bad in enumerate(mine):
        if bad.phase not in {"inject", "observe"} or bad.outcome != "deviated":
            continue
        after = [r for r in mine[index + 1 :] if r.outcome == "held"]
        if allowed == 0 or not after or after[0].at - bad.at > allowed:
            return False
    return True


def detected(record: RunRecord) -> bool:
    for alert in record.experiment.expect.alerts:
        mine = [r for r in record.readings if r.role == "detection" and r.name == alert.alert]
        fires = sorted((r.at, r.at + r.took) for r in mine if r.outcome == "held")
        if not fires or fires[0][0] < INJECT or fires[0][1] - INJECT > alert.fires_within:
            return False
        quiet = [r for r in mine if r.outcome == "deviated" and r.at + r.took <= INJECT]
        if not quiet or INJECT - max(r.at + r.took for r in quiet) > 3 + 2 * usual(quiet):
            return False
    return True


@given(records())
def test_nothing_passes_that_a_second_opinion_does_not_let_pass(record: RunRecord) -> None:
    if judge(record).verdict is Verdict.PASSED:
        assert may_pass(record)


@given(records())
def test_whatever_the_second_opinion_lets_pass_does_pass(record: RunRecord) -> None:
    if may_pass(record):
        assert judge(record).verdict is Verdict.PASSED


RANK = [Verdict.PASSED, Verdict.INCONCLUSIVE, Verdict.FAILED]
bad: st.SearchStrategy[Outcome] = st.sampled_from(["unknown", "deviated"])


@given(records(), st.floats(2.0, 29.9), bad, st.sampled_from([0.0, 0.5, 2.0]))
def test_one_more_bad_reading_of_a_check_never_improves_a_verdict(
    record: RunRecord, at: float, outcome: Outcome, took: float
) -> None:
    before, after = judge(record), judge(with_readings(record, [reading(at, outcome, took=took)]))
    # A deviation that is tolerated still tells more than silence.
    assume(outcome == "unknown" or not any(check.unseen for check in before.checks))
    if before.verdict in RANK:
        assert RANK.index(after.verdict) >= RANK.index(before.verdict)
    else:
        assert after.verdict is before.verdict


@given(records(), st.floats(2.0, 29.9), bad)
def test_one_more_bad_reading_of_an_alert_never_makes_a_run_pass(
    record: RunRecord, at: float, outcome: Outcome
) -> None:
    assume(outcome == "unknown" or at >= INJECT)  # to be quiet before the fault is what an alert should be
    more = reading(at, outcome, role="detection", name="Down")
    if judge(with_readings(record, [more])).verdict is Verdict.PASSED:
        assert judge(record).verdict is Verdict.PASSED


@given(records())
def test_a_stored_run_is_judged_as_it_was_when_it_ran(record: RunRecord) -> None:
    again = RunRecord.model_validate_json(record.model_dump_json(by_alias=True))
    assert again == record
    assert judge(again) == judge(record)


def test_a_stored_run_with_an_infinite_value_is_judged_as_it_was() -> None:
    record = passing(readings=(*DEVIATED, reading(16.0, "deviated", value=float("inf"))))
    again = RunRecord.model_validate_json(record.model_dump_json(by_alias=True))
    assert judge(again) == judge(record)
