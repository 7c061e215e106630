"""From a sample to an outcome."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.checks import AbortCondition, Check
from chaoskit.domain.ports import Sample
from chaoskit.domain.readings import Outcome, Reading, judge_abort, judge_check, judge_detection, worst

INF, NAN = math.inf, math.nan


def check(**more: object) -> Check:
    return Check.model_validate({"name": "up", "promql": "up", "at_least": 1} | more)


def condition(**more: object) -> AbortCondition:
    return AbortCondition.model_validate({"promql": "errors", "above": 0.2} | more)


def sample(*values: float) -> Sample:
    return Sample(values=values)


def test_outcomes_are_ordered_held_unknown_deviated() -> None:
    assert worst(["held", "unknown", "deviated"]) == "deviated"
    assert worst(["unknown", "held"]) == "unknown"
    assert worst(["held", "held"]) == "held"


def test_nothing_at_all_is_unknown() -> None:
    assert worst([]) == "unknown"


@pytest.mark.parametrize(
    ("bounds", "value", "outcome"),
    [
        ({"at_least": 1}, 1.0, "held"),
        ({"at_least": 1}, 0.999, "deviated"),
        ({"at_least": 1}, INF, "held"),
        ({"at_least": None, "at_most": "300ms"}, 0.3, "held"),
        ({"at_least": None, "at_most": "300ms"}, 0.301, "deviated"),
        ({"at_least": None, "at_most": "300ms"}, INF, "deviated"),
        ({"at_least": "10%", "at_most": "20%"}, 0.15, "held"),
        ({"at_least": "10%", "at_most": "20%"}, 0.21, "deviated"),
        ({"at_least": None, "equals": 0}, 0.0, "held"),
        ({"at_least": None, "equals": 0}, -0.001, "deviated"),
    ],
)
def test_a_value_holds_within_its_bounds_ends_included(bounds: dict[str, object], value: float, outcome: str) -> None:
    judged = judge_check(check(**bounds), sample(value), fault_in=False)
    assert (judged.outcome, judged.value) == (outcome, value)


DURING = {"at_least": 1, "during": {"at_least": 0.5}}


@pytest.mark.parametrize(("fault_in", "outcome"), [(True, "held"), (False, "deviated")])
def test_the_looser_bound_counts_only_while_the_fault_is_in(fault_in: bool, outcome: str) -> None:
    assert judge_check(check(**DURING), sample(0.7), fault_in=fault_in).outcome == outcome


def test_a_tolerance_without_a_bound_of_its_own_keeps_the_checks_bound() -> None:
    tolerant = check(during={"allow_for": "5s"})
    assert judge_check(tolerant, sample(0.9), fault_in=True).outcome == "deviated"


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (Sample(), "no data"),
        (Sample(problem="monitoring is away"), "monitoring is away"),
        (Sample(values=(1.0,), problem="stale"), "stale"),
        (sample(NAN), "NaN"),
        (sample(1.0, 1.0), "reduce"),
    ],
    ids=["silence", "trouble", "staleness", "NaN", "many"],
)
def test_what_cannot_be_judged_is_unknown_in_every_role(told: Sample, problem: str) -> None:
    for judged in (judge_check(check(), told, fault_in=False), judge_abort(condition(), told)):
        assert judged.outcome == "unknown"
        assert problem in judged.problem


@pytest.mark.parametrize("told", [Sample(), Sample(problem="away"), sample(NAN), sample(1.0, NAN)])
def test_an_alert_that_cannot_be_seen_is_unknown(told: Sample) -> None:
    assert judge_detection(told).outcome == "unknown"


@pytest.mark.parametrize("reduce", ["all", "any", "max", "min", "sum"])
@pytest.mark.parametrize("values", [(NAN, 5.0), (5.0, NAN), (0.0, NAN)])
def test_one_nan_among_many_series_spoils_them_all(reduce: str, values: tuple[float, ...]) -> None:
    assert judge_check(check(reduce=reduce), sample(*values), fault_in=False).outcome == "unknown"
    assert judge_abort(condition(reduce=reduce), sample(*values)).outcome == "unknown"


def test_a_sum_of_opposite_infinities_is_unknown() -> None:
    assert judge_check(check(reduce="sum"), sample(INF, -INF), fault_in=False).outcome == "unknown"


@pytest.mark.parametrize(
    ("reduce", "values", "outcome", "value"),
    [
        ("all", (1.0, 2.0), "held", 1.0),
        ("all", (2.0, 0.0, 0.5), "deviated", 0.0),
        ("any", (0.0, 2.0), "held", 2.0),
        ("any", (0.5, 0.0), "deviated", 0.5),
        ("max", (0.0, 2.0), "held", 2.0),
        ("min", (0.0, 2.0), "deviated", 0.0),
        ("sum", (0.4, 0.6), "held", 1.0),
    ],
)
def test_many_series_come_to_one_outcome_and_one_number(
    reduce: str, values: tuple[float, ...], outcome: str, value: float
) -> None:
    judged = judge_check(check(reduce=reduce), sample(*values), fault_in=False)
    assert (judged.outcome, judged.value) == (outcome, value)


@pytest.mark.parametrize(
    ("reduce", "values", "outcome"),
    [
        ("any", (0.1, 0.9), "deviated"),
        ("any", (0.1, 0.1), "held"),
        ("all", (0.1, 0.9), "held"),
        ("all", (0.9, 0.8), "deviated"),
        ("max", (0.1, 0.9), "deviated"),
        ("min", (0.1, 0.9), "held"),
        ("sum", (0.15, 0.15), "deviated"),
    ],
)
def test_an_abort_condition_is_met_when_any_or_all_of_its_series_exceed_the_limit(
    reduce: str, values: tuple[float, ...], outcome: str
) -> None:
    assert judge_abort(condition(reduce=reduce), sample(*values)).outcome == outcome


@pytest.mark.parametrize(
    ("limits", "value", "outcome"),
    [
        ({"above": 0.2}, 0.2, "held"),
        ({"above": 0.2}, 0.21, "deviated"),
        ({"above": None, "below": 3}, 3.0, "held"),
        ({"above": None, "below": 3}, 2.0, "deviated"),
    ],
)
def test_an_abort_condition_is_met_beyond_its_limit_only(limits: dict[str, object], value: float, outcome: str) -> None:
    assert judge_abort(condition(**limits), sample(value)).outcome == outcome


HTTP = {"promql": None, "above": None, "http": {"url": "http://127.0.0.1/"}}


@pytest.mark.parametrize(("holds", "outcome"), [(True, "held"), (False, "deviated"), (None, "unknown")])
def test_a_probe_with_its_own_judgement_is_taken_at_its_word(holds: bool | None, outcome: Outcome) -> None:
    told = Sample(holds=holds, problem="" if holds else "status 503")
    web = Check.model_validate({"name": "front page", "http": {"url": "http://127.0.0.1/"}})
    assert judge_check(web, told, fault_in=False).outcome == outcome
    assert judge_abort(condition(**HTTP), told).outcome == outcome


def test_a_refusal_of_the_probe_outranks_its_number() -> None:
    command = Check.model_validate({"name": "queue", "command": {"run": ["depth"]}, "at_most": 10})
    judged = judge_check(command, Sample(values=(3.0,), holds=False, problem="ended with status 1"), fault_in=False)
    assert (judged.outcome, judged.problem) == ("deviated", "ended with status 1")


def test_an_alert_fires_when_any_of_its_series_is_above_zero() -> None:
    assert judge_detection(sample(0.0, 1.0)).outcome == "held"
    assert judge_detection(sample(0.0)).outcome == "deviated"


@given(st.lists(st.floats(), min_size=0, max_size=4), st.sampled_from(["all", "any", "max", "min", "sum", None]))
def test_no_judgement_ever_carries_a_number_that_is_not_one(values: list[float], reduce: str | None) -> None:
    found = [
        judge_check(check(reduce=reduce), sample(*values), fault_in=False),
        judge_abort(condition(reduce=reduce), sample(*values)),
        judge_detection(sample(*values)),
        judge_abort(condition(**HTTP), Sample(values=tuple(values), holds=True)),
    ]
    for judged in found:
        assert judged.value is None or not math.isnan(judged.value)


@given(st.floats(allow_nan=False) | st.none())
def test_a_reading_survives_json_whatever_its_number(value: float | None) -> None:
    reading = Reading(role="check", name="up", phase="observe", at=1.0, took=0.1, outcome="held", value=value)
    assert Reading.model_validate_json(reading.model_dump_json()) == reading
