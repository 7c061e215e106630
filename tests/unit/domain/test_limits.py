"""How many runs may hold targets at once: whatever comes and goes, never more than the limits say."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chaoskit.domain.journal import Intended
from chaoskit.domain.limits import Holder, Limits, excesses
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.targeting import TargetSpec

SPEC = TargetSpec.model_validate({"local": {"port": 80}})
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUNS = "abcde"
KEYS, VALUES = ["service", "zone"], ["a", "b", ""]

refs = st.builds(
    TargetRef,
    id=st.sampled_from([f"local://{n}" for n in range(8)]),
    name=st.sampled_from(["web-1", "db-1"]),
    labels=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)),
)
limits_ = st.builds(
    Limits,
    max_runs=st.none() | st.integers(min_value=1, max_value=4),
    max_per_label=st.dictionaries(st.sampled_from(KEYS), st.integers(min_value=1, max_value=3)),
)


def ref(**labels: str) -> TargetRef:
    return TargetRef(id="local://x", name="x", labels=labels)


def held_by(run: str, target: TargetRef, n: int = 1) -> Intended:
    return Intended(run=run, n=n, at=NOON, kind="k", step=0, group="g", spec=SPEC, ref=target, injection={})


held_ = st.lists(st.builds(held_by, st.sampled_from(RUNS), refs, st.integers(1, 3)), max_size=10)
wanted_ = st.lists(refs, max_size=4)


def live(run: str) -> Holder:
    return Holder(run=run, who=f"ada@build-{run}")


def holding(held: Sequence[Intended], label: str = "", value: str = "") -> set[str]:
    """The runs that hold anything, or anything with that label; counted another way than the code does."""
    return {one.run for one in held if not label or (label, value) in one.ref.labels.items()}


# --- for all states of the world ------------------------------------------------------------------------------


@given(held_, wanted_, limits_)
def test_there_is_a_reason_for_each_full_limit_that_concerns_the_run_and_no_other(
    held: list[Intended], wanted: list[TargetRef], limits: Limits
) -> None:
    full = {}
    if wanted and limits.max_runs is not None and len(holding(held)) >= limits.max_runs:
        full[f"limit max_runs: {limits.max_runs} at once may hold targets"] = holding(held)
    for label, value in {pair for target in wanted for pair in target.labels.items()}:
        most, runs = limits.max_per_label.get(label), holding(held, label, value)
        if most is not None and len(runs) >= most:
            full[f"limit max_per_label.{label}: {most} at once may hold targets with {label}={value}"] = runs
    found = excesses(held, wanted, limits, live)
    reasons = {reason.partition(", and ")[0]: reason for reason in found}
    assert len(found) == len(reasons)
    assert reasons.keys() == full.keys()
    for what, runs in full.items():
        assert f", and {len(runs)} do: " in reasons[what]
        assert {run for run in RUNS if f"run {run} (ada@build-{run})" in reasons[what]} == runs
        assert {run for run in RUNS if f"`chaoskit halt {run}`" in reasons[what]} == runs


@given(st.lists(st.tuples(st.sampled_from(RUNS), st.booleans(), wanted_), max_size=25), limits_)
def test_however_runs_come_and_go_no_limit_is_ever_exceeded(
    steps: list[tuple[str, bool, list[TargetRef]]], limits: Limits
) -> None:
    held: list[Intended] = []
    number = count(1)
    for run, ends, wanted in steps:
        if ends:
            held = [one for one in held if one.run != run]
        elif not excesses([one for one in held if one.run != run], wanted, limits, live):
            held += [held_by(run, target, next(number)) for target in wanted]
        assert limits.max_runs is None or len(holding(held)) <= limits.max_runs
        for label, most in limits.max_per_label.items():
            assert all(len(holding(held, label, value)) <= most for value in VALUES)


@given(held_, wanted_)
def test_without_limits_nobody_is_in_the_way(held: list[Intended], wanted: list[TargetRef]) -> None:
    assert excesses(held, wanted, Limits(), live) == []


@given(held_, wanted_, limits_)
def test_the_order_in_which_places_were_taken_changes_no_answer(
    held: list[Intended], wanted: list[TargetRef], limits: Limits
) -> None:
    assert len(excesses(held, wanted, limits, live)) == len(excesses(held[::-1], wanted, limits, live))


# --- in words -------------------------------------------------------------------------------------------------


def test_every_reason_is_told_at_once_with_who_is_in_the_way_and_what_to_do() -> None:
    held = [held_by("a", ref(service="pay")), held_by("b", ref(service="pay")), held_by("b", ref(zone="z"), 2)]

    def holder(run: str) -> Holder:
        return Holder(run=run, who="ada@build-7, pid 7", live=run == "a")

    wanted = [ref(service="pay"), ref(service="pay", zone="y")]
    assert excesses(held, wanted, Limits(max_runs=2, max_per_label={"service": 1, "zone": 1}), holder) == [
        (
            "limit max_runs: 2 at once may hold targets, and 2 do: "
            "run a (ada@build-7, pid 7), which is still running: wait for it, or stop it with `chaoskit halt a`; "
            "run b (ada@build-7, pid 7), which ended without restoring it: restore it with `chaoskit rollback b`"
        ),
        (
            "limit max_per_label.service: 1 at once may hold targets with service=pay, and 2 do: "
            "run a (ada@build-7, pid 7), which is still running: wait for it, or stop it with `chaoskit halt a`; "
            "run b (ada@build-7, pid 7), which ended without restoring it: restore it with `chaoskit rollback b`"
        ),
    ]


def test_a_holder_of_whom_nothing_is_known_is_told_by_its_id() -> None:
    assert Holder(run="a").told == "run a"


def test_a_target_without_the_label_is_not_limited_by_it_nor_does_it_take_a_place() -> None:
    limits = Limits(max_per_label={"service": 1})
    assert excesses([held_by("a", ref())], [ref(service="pay")], limits, live) == []
    assert excesses([held_by("a", ref(service="pay"))], [ref()], limits, live) == []
    assert excesses([held_by("a", ref(service="pay"))], [ref(service="search")], limits, live) == []


def test_a_run_that_holds_many_targets_takes_one_place() -> None:
    held = [held_by("a", ref(service="pay"), n) for n in range(5)]
    assert excesses(held, [ref(service="pay")], Limits(max_runs=2, max_per_label={"service": 2}), live) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_runs": 0},
        {"max_runs": True},
        {"max_runs": "3"},
        {"max_per_label": {"service": 0}},
        {"max_per_label": {"service=pay": 1}},
        {"max_per_label": {"": 1}},
        {"max_per_label": {"com": {"service": 1}}},
    ],
)
def test_limits_that_would_limit_nothing_or_everything_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(wrong)
