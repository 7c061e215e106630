"""Who is hit, and whether that is too many: the same everywhere, never more than allowed."""

from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.experiment import BlastRadius, FaultStep
from chaoskit.domain.picking import parse_pick
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.selection import (
    Protection,
    Selection,
    carries,
    choose,
    excesses,
    exclusion,
    how_many,
    measure,
    share,
    shortfall,
    sort_out,
)

LABELS = st.dictionaries(st.sampled_from(["zone", "tier", "allow"]), st.sampled_from(["a", "b", ""]), max_size=3)
REFS = st.lists(
    st.builds(
        TargetRef,
        id=st.uuids().map(str),
        name=st.sampled_from(["web-1", "web-2", "db-1", "cache"]),
        labels=LABELS,
        healthy=st.booleans(),
        exclusion=st.sampled_from(["", "", "", "is chaoskit itself"]),
    ),
    max_size=12,
    unique_by=lambda ref: ref.id,
)
PERCENTS = st.decimals(min_value="0.000001", max_value=100, allow_nan=False, places=6)
PICKS = st.integers(1, 15) | PERCENTS.map(lambda percent: f"{percent:f}%") | st.just("all") | st.just({"zone": "a"})
SEEDS = st.text(max_size=5)
PROTECTIONS = st.builds(
    Protection,
    names=st.lists(st.sampled_from(["db-*", "cache", "*-2"]), max_size=2).map(tuple),
    labels=st.lists(st.sampled_from(["tier=a", "zone"]), max_size=1).map(tuple),
)
REQUIRED = st.none() | st.just("allow") | st.just("allow=a")


def ref(name: str, **more: Any) -> TargetRef:
    return TargetRef(id=f"test://{name}", name=name, **more)


def step(pick: Any, pick_min: int | None = None) -> FaultStep:
    return FaultStep.model_validate(
        {"kind": "instance.kill", "target": "web", "duration": "1s", "pick": pick, "pick_min": pick_min}
    )


def group(*refs: TargetRef) -> Selection:
    return sort_out("web", refs, None, Protection())


# --- who may be hit -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "wanted", "is_carried"),
    [
        ({"a": "1"}, "a", True),
        ({"a": "1"}, "a=1", True),
        ({"a": "1"}, "a=2", False),
        ({"a": "1"}, "b", False),
        ({"a": ""}, "a=", True),
        ({"a": "x=y"}, "a=x=y", True),
        ({}, "a=", False),
    ],
)
def test_a_label_is_carried_by_key_or_by_key_and_value(
    labels: dict[str, str], wanted: str, *, is_carried: bool
) -> None:
    assert carries(labels, wanted) is is_carried


NOT_OPTED_IN = "has not opted in: label allow=true is missing"


@pytest.mark.parametrize(
    ("target", "required", "protection", "why"),
    [
        (ref("web-1"), None, Protection(), ""),
        (ref("web-1", exclusion="is chaoskit itself"), None, Protection(), "is chaoskit itself"),
        (ref("db-1"), None, Protection(names=("db-*",)), "protected by name (db-*)"),
        (ref("web-1", labels={"tier": "0"}), None, Protection(labels=("tier=0",)), "protected by label (tier=0)"),
        (ref("web-1"), "allow=true", Protection(), NOT_OPTED_IN),
        (ref("web-1", labels={"allow": "false"}), "allow=true", Protection(), NOT_OPTED_IN),
        (ref("web-1", labels={"allow": "true"}), "allow=true", Protection(), ""),
    ],
)
def test_a_target_is_excluded_for_a_reason(
    target: TargetRef, required: str | None, protection: Protection, why: str
) -> None:
    assert exclusion(target, required, protection) == why


@given(REFS, REQUIRED, PROTECTIONS)
def test_every_matched_target_is_either_eligible_or_excluded(
    refs: list[TargetRef], required: str | None, protection: Protection
) -> None:
    selection = sort_out("web", refs, required, protection)
    assert sorted(one.id for one in selection.matched) == sorted(one.id for one in refs)
    assert len(selection.eligible) + len(selection.excluded) == len(refs)
    assert all(not exclusion(one, required, protection) for one in selection.eligible)
    assert all(one.why for one in selection.excluded)


# --- how many -------------------------------------------------------------------------------------------------


@given(PERCENTS | st.decimals(min_value="1e-18", max_value=100, allow_nan=False, places=18), st.integers(0, 10**6))
def test_a_share_is_the_exact_floor(percent: Decimal, of: int) -> None:
    assert share(percent, of) == floor(Fraction(percent) * of / 100)


@pytest.mark.parametrize(
    ("percent", "of", "count"),
    [
        ("29", 100, 29),
        ("57", 100, 57),
        ("34", 3, 1),
        ("33", 3, 0),
        ("33.34", 3, 1),
        ("99.999999999999999999", 3, 2),
        ("99." + "9" * 40, 3, 2),
        ("100", 7, 7),
        ("0.1", 999, 0),
        ("0.1", 1000, 1),
    ],
)
def test_a_share_is_never_rounded_up(percent: str, of: int, count: int) -> None:
    assert share(Decimal(percent), of) == count


@given(PERCENTS, st.integers(0, 100), st.integers(1, 100))
def test_a_share_with_a_minimum_is_never_less_and_otherwise_the_same(percent: Decimal, of: int, least: int) -> None:
    assert share(percent, of, least) == max(share(percent, of), least)


@pytest.mark.parametrize(
    ("pick", "pick_min", "count"),
    [
        (2, None, 2),
        ("34%", None, 1),
        ("10%", None, 0),
        ("10%", 1, 1),
        ("100%", None, 4),
        ("all", None, 3),
        ({"zone": "a"}, None, 2),
    ],
)
def test_a_pick_asks_for_a_number(pick: Any, pick_min: int | None, count: int) -> None:
    eligible = (ref("1", labels={"zone": "a"}), ref("2", labels={"zone": "a"}), ref("3", labels={"zone": "b"}))
    assert how_many(parse_pick(pick), pick_min, 4, eligible) == count


# --- the choice -----------------------------------------------------------------------------------------------


@given(REFS, PICKS, SEEDS, REQUIRED, PROTECTIONS, st.randoms(use_true_random=False))
def test_the_choice_does_not_hang_on_the_order_of_the_candidates(
    refs: list[TargetRef], pick: Any, seed: str, required: str | None, protection: Protection, random: Any
) -> None:
    shuffled = random.sample(refs, k=len(refs))
    first = choose(step(pick), sort_out("web", refs, required, protection), seed)
    assert choose(step(pick), sort_out("web", shuffled, required, protection), seed) == first


@given(REFS, PICKS, st.none() | st.integers(1, 15), SEEDS, REQUIRED, PROTECTIONS)
def test_only_eligible_targets_are_chosen_each_once_and_never_more_than_asked(
    refs: list[TargetRef], pick: Any, pick_min: int | None, seed: str, required: str | None, protection: Protection
) -> None:
    selection = sort_out("web", refs, required, protection)
    one = step(pick, pick_min)
    chosen = choose(one, selection, seed)
    ids = [target.id for target in chosen]
    assert len(set(ids)) == len(ids)
    assert set(ids) <= {target.id for target in selection.eligible}
    assert len(chosen) <= how_many(one.pick, one.pick_min, len(selection.matched), selection.eligible)
    if isinstance(pick, dict):
        assert all(target.labels["zone"] == "a" for target in chosen)


@given(REFS, PICKS, SEEDS)
def test_without_a_shortfall_exactly_what_was_asked_for_is_chosen(refs: list[TargetRef], pick: Any, seed: str) -> None:
    selection, one = group(*refs), step(pick)
    if not shortfall(0, one, selection):
        assert len(choose(one, selection, seed)) == how_many(one.pick, None, len(refs), selection.eligible) > 0


def test_different_seeds_reach_different_targets_and_one_seed_always_the_same() -> None:
    selection = group(*(ref(f"web-{number}") for number in range(5)))
    assert {choose(step(1), selection, str(seed))[0].name for seed in range(100)} == {f"web-{n}" for n in range(5)}
    assert [one.name for one in choose(step(2), selection, "seed")] == [
        one.name for one in choose(step(2), selection, "seed")
    ]


# --- what is missing, what is too much ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refs", "pick", "said"),
    [
        ([], 1, "the selector of target 'web' matches nothing; check it with `chaoskit plan`"),
        ([ref("a", exclusion="no")], 1, "none of the 1 matched targets may be touched (a: no)"),
        ([ref("a"), ref("b")], "34%", "34% of 2 matched is 0 targets; write pick: 1, or add pick_min: 1"),
        ([ref("a")], {"zone": "a"}, "{'zone': 'a'} of 1 matched is 0 targets; check the labels of the targets"),
        ([ref("a"), ref("b", exclusion="no")], 2, "asks for 2 targets, but only 1 of 2 matched may be touched"),
    ],
)
def test_a_step_that_cannot_hit_what_it_asks_for_says_why(refs: list[TargetRef], pick: Any, said: str) -> None:
    assert shortfall(0, step(pick), group(*refs)) == f"faults.0 (instance.kill on web): {said}"


RADII = st.builds(
    BlastRadius,
    max_targets=st.integers(1, 12),
    max_percent=st.none() | PERCENTS.map(lambda percent: f"{percent:f}%"),
    min_healthy=st.none() | st.integers(0, 12),
)


TIGHT = st.builds(
    BlastRadius,
    max_targets=st.just(12),
    max_percent=st.none() | st.sampled_from(["25%", "34%", "50%"]),
    min_healthy=st.none() | st.integers(1, 4),
)


@given(RADII | TIGHT, REFS, st.data(), PICKS | st.just(1), PICKS | st.just(1), SEEDS)
def test_what_no_excess_is_found_in_is_within_every_limit(
    radius: BlastRadius, refs: list[TargetRef], data: st.DataObject, pick: Any, other: Any, seed: str
) -> None:
    """Whatever the groups share: a target that one of them hits is hit in the others too."""
    some = st.just(refs) | (st.lists(st.sampled_from(refs), unique_by=lambda one: one.id) if refs else st.just([]))
    selections = {name: sort_out(name, data.draw(some), None, Protection()) for name in ("web", "db")}
    hit = {"web": choose(step(pick), selections["web"], seed), "db": choose(step(other), selections["db"], seed + "/")}
    touched = {target.id for refs in hit.values() for target in refs}
    if excesses(radius, measure(radius, selections, hit), len(touched)):
        return
    assert len(touched) <= radius.max_targets
    for selection in selections.values():
        gone = [one for one in selection.matched if one.id in touched]
        if radius.max_percent is not None:
            assert Fraction(len(gone)) <= Fraction(radius.max_percent) * len(selection.matched) / 100
        if radius.min_healthy is not None:
            left = [one for one in selection.matched if one.healthy and one.id not in touched]
            assert len(left) >= radius.min_healthy


@given(REFS, REFS, PICKS, PICKS, SEEDS)
def test_groups_that_share_nothing_are_measured_each_by_itself(
    web: list[TargetRef], db: list[TargetRef], pick: Any, other: Any, seed: str
) -> None:
    radius = BlastRadius.model_validate({"max_percent": "34%", "min_healthy": 2})
    selections = {"web": group(*web), "db": sort_out("db", db, None, Protection())}
    hit = {"web": choose(step(pick), selections["web"], seed), "db": choose(step(other), selections["db"], seed)}
    alone = [*measure(radius, selections, {"web": hit["web"]}), *measure(radius, selections, {"db": hit["db"]})]
    assert list(measure(radius, selections, hit)) == alone


def test_every_limit_that_is_exceeded_is_named_with_its_numbers() -> None:
    refs = [ref("a"), ref("b"), ref("c", healthy=False)]
    radius = BlastRadius.model_validate({"max_targets": 1, "max_percent": "34%", "min_healthy": 2})
    measured = measure(radius, {"web": group(*refs)}, {"web": refs[:2]})
    assert excesses(radius, measured, 2) == [
        "blast radius: 2 targets would be touched; max_targets allows 1",
        "blast radius: 2 of 3 in 'web' would be touched; max_percent 34% of 3 allows 1",
        "blast radius: 0 healthy would be left in 'web' (2 of 3 are healthy now); min_healthy asks for 2",
    ]


def test_a_share_that_allows_nothing_says_how_to_allow_one() -> None:
    refs = [ref("a"), ref("b")]
    strict = BlastRadius.model_validate({"max_percent": "34%"})
    lenient = BlastRadius.model_validate({"max_percent": "34%", "max_percent_min": 1})
    [measured] = measure(strict, {"web": group(*refs)}, {"web": refs[:1]})
    assert excesses(strict, [measured], 1) == [
        (
            "blast radius: 1 of 2 in 'web' would be touched; max_percent 34% of 2 allows 0; "
            "add max_percent_min: 1 if one is always meant"
        )
    ]
    [measured] = measure(lenient, {"web": group(*refs)}, {"web": refs[:1]})
    assert excesses(lenient, [measured], 1) == []
    [measured] = measure(lenient, {"web": group(*refs)}, {"web": refs})
    assert excesses(lenient, [measured], 1) == [
        "blast radius: 2 of 2 in 'web' would be touched; max_percent 34% (at least 1) of 2 allows 1"
    ]


def test_a_target_hit_twice_counts_once() -> None:
    refs = [ref("a"), ref("b"), ref("c")]
    radius = BlastRadius.model_validate({"max_targets": 1, "max_percent": "34%"})
    [measured] = measure(radius, {"web": group(*refs)}, {"web": [refs[0], refs[0]]})
    assert measured.touched == 1
    assert excesses(radius, [measured], 1) == []


OVERLAPPING = {
    "a": sort_out("a", [ref("web-1"), ref("web-2"), ref("web-3")], None, Protection()),
    "b": sort_out("b", [ref("web-1"), ref("web-2"), ref("web-3")], None, Protection()),
}


def test_what_one_group_hits_is_hit_in_every_group_that_matches_it_too() -> None:
    radius = BlastRadius.model_validate({"max_targets": 2, "max_percent": "34%", "min_healthy": 2})
    measured = measure(radius, OVERLAPPING, {"a": [ref("web-1")], "b": [ref("web-2")]})
    assert [(one.group, one.touched, one.healthy_left, one.shared_with) for one in measured] == [
        ("a", 2, 1, ("b",)),
        ("b", 2, 1, ("a",)),
    ]
    assert excesses(radius, measured, 2) == [
        "blast radius: 2 of 3 in 'a' would be touched, by way of 'b' too; max_percent 34% of 3 allows 1",
        (
            "blast radius: 1 healthy would be left in 'a', by way of 'b' too "
            "(3 of 3 are healthy now); min_healthy asks for 2"
        ),
        "blast radius: 2 of 3 in 'b' would be touched, by way of 'a' too; max_percent 34% of 3 allows 1",
        (
            "blast radius: 1 healthy would be left in 'b', by way of 'a' too "
            "(3 of 3 are healthy now); min_healthy asks for 2"
        ),
    ]


def test_a_target_that_two_groups_hit_counts_once_in_each() -> None:
    radius = BlastRadius.model_validate({"max_percent": "34%", "min_healthy": 2})
    measured = measure(radius, OVERLAPPING, {"a": [ref("web-1")], "b": [ref("web-1")]})
    assert [(one.touched, one.shared_with) for one in measured] == [(1, ()), (1, ())]
    assert excesses(radius, measured, 1) == []


def test_a_group_that_is_only_hit_by_way_of_another_is_measured_too() -> None:
    radius = BlastRadius.model_validate({"min_healthy": 3})
    measured = measure(radius, OVERLAPPING, {"a": [ref("web-1")]})
    assert [one.group for one in measured] == ["a", "b"]
