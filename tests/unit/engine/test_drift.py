"""Watching whether what was injected is still in force."""

import pytest

from chaoskit.domain.ports import Injection
from chaoskit.engine.access import Access
from chaoskit.engine.drift import CHUNK, DriftProbe, drift_probes
from chaoskit.engine.planner import Hit, Prepared
from tests.unit.engine.kit import Break, Breakage, World, away, experiment, raising, step


def prepared(world: World) -> list[Prepared]:
    spec = world.experiment.targets["web"]
    return [
        Prepared(
            Hit(n=n, step=0, group="web", spec=spec, ref=machine.ref, fault=Break(), duration=5.0),
            breakage(n, machine.id),
        )
        for n, machine in enumerate(world.machines["web"], start=1)
    ]


def breakage(n: int, target: str) -> Injection:
    return Breakage(tag=f"chaoskit-r1-{n}", target=target)


def probe(world: World, in_force: set[int]) -> DriftProbe:
    (one,) = drift_probes(prepared(world), Access(world.sources), in_force, world.clock)
    return one


def test_it_holds_while_every_injection_is_in_force() -> None:
    world = World(machines=3)
    watching = probe(world, {1, 2, 3})
    assert watching.sample().holds is True
    assert watching.found == {}


def test_what_drifted_is_named_and_stays_found() -> None:
    world = World(machines=3)
    watching = probe(world, {1, 2, 3})
    world.machines["web"][1].drifts = "restarted"
    assert watching.sample().problem == "machine.break on web-1: restarted"
    world.machines["web"][1].drifts = ""
    sample = watching.sample()
    assert sample.holds is False
    assert watching.found == {2: "restarted"}


def test_what_is_no_longer_in_force_is_not_looked_at() -> None:
    world = World(machines=2)
    world.one.drifts = "undone"
    watching = probe(world, {2})
    assert watching.sample().holds is True
    assert world.one.calls["drift"] == 0


def test_what_is_undone_while_we_look_is_our_own_doing() -> None:
    world = World()
    in_force = {1}
    watching = probe(world, in_force)
    world.one.drifts = "undone"
    world.one.before["drift"] = lambda: in_force.discard(1)
    assert watching.sample().holds is True


@pytest.mark.parametrize("trouble", [away(), raising(ValueError("a defect"))])
def test_a_target_that_cannot_be_looked_at_is_unknown_and_the_others_are_looked_at(trouble: object) -> None:
    world = World(machines=3)
    world.one.before["drift"] = trouble  # type: ignore[assignment]  # parametrised over troubles
    watching = probe(world, {1, 2, 3})
    sample = watching.sample()
    assert sample.holds is None
    assert "web-0 could not be looked at" in sample.problem
    assert [machine.calls["drift"] for machine in world.machines["web"]] == [1, 1, 1]
    world.machines["web"][2].drifts = "gone"
    assert watching.sample().holds is False


def test_after_a_failed_look_the_connection_is_opened_anew() -> None:
    world = World()
    watching = probe(world, {1})
    world.one.before["drift"] = away(times=1)
    assert watching.sample().holds is None
    assert watching.sample().holds is True
    assert world.one.calls["open"] == 2


def test_what_was_not_looked_at_lately_is_known() -> None:
    world = World(machines=2)
    watching = probe(world, {1, 2})
    assert set(watching.overlooked(1.0)) == {1, 2}
    watching.sample()
    world.clock.wait(3.0)
    assert watching.overlooked(1.0) == {}
    world.clock.wait(0.1)
    assert watching.overlooked(1.0) == dict.fromkeys((1, 2), "was not looked at in the last 3.1s")
    assert watching.overlooked(2.0) == {}


def test_a_round_that_takes_long_is_given_its_time() -> None:
    world = World()
    watching = probe(world, {1})
    world.one.before["drift"] = lambda: world.clock.wait(5.0)
    watching.sample()
    world.clock.wait(12.0)
    assert watching.overlooked(1.0) == {}
    world.clock.wait(1.5)
    assert set(watching.overlooked(1.0)) == {1}


def test_a_round_that_hung_does_not_excuse_the_next_one() -> None:
    world = World()
    watching = probe(world, {1})
    for _ in range(3):
        watching.sample()
    world.one.before["drift"] = lambda: world.clock.wait(9.0)
    watching.sample()
    world.clock.wait(4.0)
    assert watching.overlooked(1.0) == {1: "was not looked at in the last 4.0s"}


def test_what_is_undone_is_not_overlooked() -> None:
    world = World(machines=2)
    assert set(probe(world, {2}).overlooked(1.0)) == {2}


def test_many_targets_are_looked_at_by_several_probes() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=2 * CHUNK + 1)
    probes = drift_probes(prepared(world), Access(world.sources), range(1000), world.clock)
    assert len(probes) == 3
    for one in probes:
        one.sample()
    assert all(machine.calls["drift"] == 1 for machine in world.machines["web"])
    assert probes[0].bound > probes[2].bound > 0
