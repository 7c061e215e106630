"""The plan: exact targets and actions, the blast radius, the predicted latency, and every reason not to start."""

import pytest

from chaoskit.domain.plan import Plan
from chaoskit.domain.selection import Protection
from chaoskit.engine.access import Access
from chaoskit.engine.planner import Brief, make_plan
from tests.unit.engine.kit import World, away, condition, experiment, raising, step


def plan(world: World, **changes: object) -> Plan:
    brief: Brief = world.job().brief._replace(**changes)  # type: ignore[arg-type]  # each test names fields of Brief
    return make_plan(brief, world.sources, Access(world.sources), "plan").plan


def test_a_plan_touches_nothing() -> None:
    world = World(machines=3)
    plan(world)
    assert not any(machine.touched for machine in world.all)
    assert all(machine.calls.keys() <= {"discover", "open", "prepare"} for machine in world.all)


def test_a_plan_names_every_action_its_undo_and_what_to_type() -> None:
    made = plan(World())
    (one,) = made.injections
    assert one.actions == ("break somewhere as chaoskit-plan-1",)
    assert one.undo == ("mend somewhere of chaoskit-plan-1",)
    assert one.by_hand == ("mend fake://web-0 chaoskit-plan-1",)
    assert made.blocked == ()


def test_the_same_seed_picks_the_same_targets_and_another_one_others() -> None:
    world = World(experiment(faults=[step(pick=3)]), machines=20)
    picks = {seed: [one.ref.name for one in plan(world, seed=seed).injections] for seed in "abcdef"}
    assert picks["a"] == [one.ref.name for one in plan(world, seed="a").injections]
    assert len({tuple(names) for names in picks.values()}) > 1


def test_every_reason_is_collected() -> None:
    world = World(
        experiment(
            faults=[step("web", "1s", pick="all"), step("db", "5s")],
            blast_radius={"max_targets": 1, "min_healthy": 1},
        ),
        machines=2,
    )
    reasons = "\n".join(plan(world).blocked)
    for part in ("too short", "matches nothing", "max_targets", "min_healthy"):
        assert part in reasons


def test_a_group_that_cannot_be_discovered_is_a_reason_and_the_others_are_planned() -> None:
    world = World(experiment(faults=[step("web"), step("db")]))
    world.add("db", 1)
    world.one.before["discover"] = away()
    made = plan(world)
    assert made.blocked == ("targets.web: nobody answers",)
    assert [one.group for one in made.injections] == ["db"]


def test_a_target_that_refuses_the_fault_is_a_reason() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=2)
    world.one.before["prepare"] = away()
    assert plan(world).blocked == ("machine.break on web-0: nobody answers",)


def test_a_defect_is_not_dressed_up_as_a_reason() -> None:
    world = World()
    world.one.before["prepare"] = raising(KeyError("oops"))
    with pytest.raises(KeyError):
        plan(world)


def test_protected_targets_are_never_picked() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=3)
    made = plan(world, protected=Protection(names=("web-0",)))
    assert [one.ref.name for one in made.injections] == ["web-1", "web-2"]


@pytest.mark.parametrize(
    ("tick", "probe", "evaluate"),
    [
        ("1s", 0.5, 1.5),  # a sample began just before the breach; the next one begins a tick later, and takes its time
        ("1s", 1.0, 2.0),
        ("1s", 2.5, 5.5),
        ("500ms", 0.5, 1.0),
        ("100ms", 0.3, 0.6),
    ],
)
def test_the_predicted_evaluation_is_the_worst_of_a_sample_that_just_missed_the_breach(
    tick: str, probe: float, evaluate: float
) -> None:
    world = World(experiment(sampling={"tick": tick}))
    assert plan(world, slowest_abort_probe=probe).latency.evaluate == pytest.approx(evaluate)


def test_the_predicted_hold_is_rounded_up_to_the_tick_that_shows_it() -> None:
    world = World(experiment(sampling={"tick": "2s"}, faults=[step(duration="1m")], abort_when=[condition("errors")]))
    assert plan(world).latency.held == 0.0
    world.experiment = experiment(
        sampling={"tick": "2s"}, faults=[step(duration="1m")], abort_when=[condition("errors", **{"for": "3s"})]
    )
    assert plan(world).latency.held == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("machines", "steps", "revert"), [(1, 1, 2.0), (16, 1, 2.0), (17, 1, 4.0), (300, 1, 38.0), (2, 3, 6.0)]
)
def test_the_predicted_rollback_counts_the_turns_and_the_injections_of_one_target(
    machines: int, steps: int, revert: float
) -> None:
    world = World(experiment(faults=[step(pick="all")] * steps), machines=machines)
    assert plan(world).latency.revert == pytest.approx(revert)


def test_groups_that_overlap_do_not_widen_the_blast_radius() -> None:
    """Two groups with other criteria that match the same three machines; each is hit once."""
    world = World(
        experiment(
            targets={"a": {"local": {"name": "web"}}, "b": {"local": {"name": "web", "port": 80}}},
            faults=[step("a"), step("b")],
            blast_radius={"max_targets": 2, "max_percent": "34%", "min_healthy": 2},
        ),
        machines=3,
    )
    different = [made for seed in "abcdef" if (made := plan(world, seed=seed)).distinct == 2]
    assert different
    for made in different:
        assert len(made.blocked) == 4
        assert "2 of 3 in 'a' would be touched, by way of 'b' too" in made.blocked[0]
    same = next(made for seed in "abcdefghij" if (made := plan(world, seed=seed)).distinct == 1)
    assert same.blocked == ()
