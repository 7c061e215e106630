"""The plan: a fingerprint of what was promised, and what changed since, in words."""

from typing import Any

import pytest

from chaoskit.domain.plan import AbortLatency, Plan, PlannedGroup, PlannedInjection, drift
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.selection import Radius
from tests.unit.domain.runs import experiment

LATENCY = AbortLatency(scrape=None, evaluate=2.0, held=0.0, revert=3.0)


def ref(name: str, identity: str = "first", **more: Any) -> TargetRef:
    return TargetRef(id=f"docker://h/{name}@{name}", name=name, identity=identity, **more)


def planned(target: TargetRef, **changes: Any) -> PlannedInjection:
    facts: dict[str, Any] = {
        "step": 0,
        "kind": "instance.kill",
        "group": "web",
        "ref": target,
        "duration": 9.0,
        "actions": (f"kill {target.name} as chaoskit-r1-1",),
        "undo": (f"start {target.name} of chaoskit-r1-1",),
        "by_hand": (f"docker start {target.name}",),
        "revert_within": 15.0,
    }
    return PlannedInjection(**(facts | changes))


def plan(*matched: TargetRef, picked: int = 0, **changes: Any) -> Plan:
    matched = matched or (ref("web-1"), ref("web-2"))
    facts: dict[str, Any] = {
        "experiment": experiment(),
        "path": "e.yaml",
        "sha256": "1",
        "seed": "7",
        "groups": (PlannedGroup(group="web", matched=matched, excluded=()),),
        "injections": (planned(matched[picked]),),
        "radius": (Radius(group="web", matched=2, touched=1, healthy=2, healthy_left=1),),
        "distinct": 1,
        "latency": LATENCY,
    }
    return Plan(**(facts | changes))


CHANGED: dict[str, Plan] = {
    "another seed": plan(seed="8"),
    "another experiment": plan(experiment=experiment(title="Another")),
    "a target restarted": plan(ref("web-1", "second"), ref("web-2")),
    "a target is gone": plan(ref("web-1")),
    "a target is new": plan(ref("web-1"), ref("web-2"), ref("web-3")),
    "a target became excluded": plan(ref("web-1"), ref("web-2", exclusion="protected")),
    "another target picked": plan(picked=1),
    "other actions": plan(injections=(planned(ref("web-1"), actions=("pause web-1",)),)),
    "another undo": plan(injections=(planned(ref("web-1"), undo=("thaw web-1",)),)),
    "other numbers": plan(radius=(Radius(group="web", matched=2, touched=1, healthy=1, healthy_left=0),)),
}


@pytest.mark.parametrize("real", CHANGED.values(), ids=CHANGED.keys())
def test_whatever_was_promised_is_in_the_fingerprint(real: Plan) -> None:
    assert real.fingerprint != plan().fingerprint
    assert drift(plan(), real)


SAME: dict[str, Plan] = {
    "another run": plan(
        injections=(
            planned(ref("web-1"), actions=("kill web-1 as chaoskit-r2-1",), undo=("start web-1 of chaoskit-r2-1",)),
        )
    ),
    "another path": plan(path="elsewhere.yaml"),
    "another latency": plan(latency=LATENCY.model_copy(update={"scrape": 15.0})),
    "another health text": plan(ref("web-1", condition="running (healthy)"), ref("web-2")),
    "another order": plan(ref("web-2"), ref("web-1"), picked=1),
}


@pytest.mark.parametrize("real", SAME.values(), ids=SAME.keys())
def test_the_same_promise_has_the_same_fingerprint(real: Plan) -> None:
    assert real.fingerprint == plan().fingerprint
    assert drift(plan(), real) == []


def test_a_plan_survives_json_with_its_fingerprint() -> None:
    again = Plan.model_validate_json(plan().model_dump_json(by_alias=True))
    assert again == plan()
    assert again.fingerprint == plan().fingerprint


def test_targets_named_like_tags_are_told_apart() -> None:
    """A project called chaoskit names its containers just as tags are named."""
    one = plan(experiment=experiment(steady_state=[{"name": "up", "promql": "up{c='chaoskit-web-1'}", "at_least": 1}]))
    two = plan(experiment=experiment(steady_state=[{"name": "up", "promql": "up{c='chaoskit-db-1'}", "at_least": 1}]))
    assert one.fingerprint != two.fingerprint


def test_drift_is_told_in_words() -> None:
    real = plan(ref("web-2", "second"), ref("web-3"), experiment=experiment(title="Another"))
    assert drift(plan(), real) == [
        "the experiment itself changed",
        "web-1 of 'web' is gone",
        "web-3 of 'web' is new",
        "web-2 of 'web' was restarted",
        "the chosen targets changed: instance.kill on web-1 in the plan, instance.kill on web-2 now",
    ]


def test_a_group_that_vanished_is_told_as_its_targets_gone() -> None:
    assert drift(plan(), plan(groups=(), injections=())) == [
        "web-1 of 'web' is gone",
        "web-2 of 'web' is gone",
        "the chosen targets changed: instance.kill on web-1 in the plan, none now",
    ]


def test_the_predicted_latency_is_the_sum_of_its_parts() -> None:
    assert LATENCY.worst == 5.0
    assert LATENCY.model_copy(update={"scrape": 15.0, "held": 3.0}).worst == 23.0
