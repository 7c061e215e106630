"""What cannot be restored now is told, and gone on with by the guardian; no verdict is bettered by that."""

import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.testbed.docker import docker_parts as parts
from tests.testbed.trouble.containers import container
from tests.testbed.trouble.engine import SHARED, SecondEngine, Way
from tests.testbed.trouble.kit import (
    LEASE,
    SLACK,
    Chaoskit,
    Runner,
    Sleeper,
    Story,
    experiment,
    longest_pause,
    seconds_until,
    verdict,
)

TICK = 0.5
NO_DATA_FOR = 2.0
GIVES_UP_WITHIN = 240.0
"""Seconds of patience for a run that tries ten times, each of them until a request times out."""


class Dirty(NamedTuple):
    """What came of a run, and what its target was like before and after the trouble was over."""

    code: int
    output: str
    record: Mapping[str, Any]
    status: Mapping[str, Any]
    status_code: int
    state: Mapping[str, Any] = {}
    restored_after: float = 0.0
    state_afterwards: Mapping[str, Any] = {}
    record_afterwards: Mapping[str, Any] = {}
    status_code_afterwards: int = 0
    log: str = ""
    bystander_untouched: bool = False


def paused(chaoskit: Chaoskit, selector: Mapping[str, Any]) -> Runner:
    """A run that has a container paused."""
    document = experiment(
        selector,
        "instance.pause",
        sampling={"tick": f"{TICK:g}s", "baseline": "0s", "min_samples": 1},
        abort_when=[{"no_data_for": f"{NO_DATA_FOR:g}s"}],
        expect={"recover_within": "1s"},
    )
    runner = chaoskit.run(document)
    runner.says("phase     observe")
    return runner


def end_of(runner: Runner, chaoskit: Chaoskit) -> Dirty:
    """The end of a run, and what is told of it right after."""
    code = runner.ended(GIVES_UP_WITHIN)
    return Dirty(code, runner.output, chaoskit.record(), chaoskit.status(), chaoskit("status").returncode)


def way_breaks(folder: Path, how: str) -> Dirty:
    """The way to a remote engine breaks while a container is paused, and is mended when the run has given up."""
    with container() as target, Way(SHARED) as way, Chaoskit(folder, {"DOCKER_HOST": way.host}) as chaoskit:
        runner = paused(chaoskit, target.selector)
        getattr(way, how)()
        story = end_of(runner, chaoskit)
        state = target.facts["State"]
        way.mend()
        took = seconds_until(lambda: not target.paused, chaoskit.log(), every=0.2)
        chaoskit.guardians_end()
        return story._replace(
            state=state,
            restored_after=took,
            state_afterwards=target.facts["State"],
            record_afterwards=chaoskit.record(),
            status_code_afterwards=chaoskit("status").returncode,
            log=chaoskit.log(),
            bystander_untouched=target.bystander_untouched,
        )


def killed_by_somebody(folder: Path) -> Dirty:
    """Somebody kills a paused container, which nothing starts again; a person uses the commands by hand."""
    with container() as target, Chaoskit(folder) as chaoskit:
        runner = paused(chaoskit, target.selector)
        parts.docker("kill", target.id)
        story = end_of(runner, chaoskit)
        state = target.facts["State"]
        for line in story.record["run"]["injections"][0]["by_hand"]:
            subprocess.run(["sh", "-c", line], capture_output=True, timeout=60, check=False)  # not all of them apply
        chaoskit.guardians_end()
        return story._replace(
            state=state,
            state_afterwards=target.facts["State"],
            record_afterwards=chaoskit.record(),
            status_code_afterwards=chaoskit("status").returncode,
            log=chaoskit.log(),
            bystander_untouched=target.bystander_untouched,
        )


def ended_by_its_engine(folder: Path) -> Dirty:
    """The engine is stopped, which ends the paused container, and started again; it restarts none without a policy."""
    with SecondEngine() as engine, Chaoskit(folder, {"DOCKER_HOST": engine.host}) as chaoskit:
        target = engine.container()
        runner = paused(chaoskit, engine.selector(target))
        engine.stop()
        engine.start()
        return end_of(runner, chaoskit)._replace(state=engine.state(target), log=chaoskit.log())


WAYS = ("freeze", "close", "reset")
STORIES = {
    "freeze": Story(125, partial(way_breaks, how="freeze")),
    "close": Story(25, partial(way_breaks, how="close")),
    "reset": Story(25, partial(way_breaks, how="reset")),
    "killed by somebody": Story(100, killed_by_somebody),
    "ended by its engine": Story(90, ended_by_its_engine),
}


# --- the way to the engine ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", WAYS)
def test_a_run_that_cannot_reach_its_target_is_dirty_with_the_commands_by_hand(
    how: str, told: Callable[[str], Dirty]
) -> None:
    story = told(how)
    assert story.code == 6, story.output
    assert verdict(story.record) == "dirty"
    run = story.record["run"]
    assert run["abort"]["cause"] == "blind"
    assert run["abort"]["at"] - run["injections"][0]["injected_at"] >= NO_DATA_FOR
    assert run["abort"]["at"] - run["abort"]["breached_at"] <= TICK + SLACK
    by_hand = run["injections"][0]["by_hand"][0]
    assert by_hand.startswith("docker --host tcp://127.0.0.1:")
    assert by_hand in story.output.rpartition("by hand:")[2]
    assert story.state["Paused"], "it is still as the fault left it"


@pytest.mark.parametrize("how", WAYS)
def test_its_guardian_goes_on_and_restores_once_the_way_is_back(how: str, told: Callable[[str], Dirty]) -> None:
    story = told(how)
    assert story.status_code == 6
    (guardian,) = story.status["guardians"]
    assert guardian["alive"]
    assert guardian["state"] == "undoing"
    assert story.restored_after <= longest_pause(story.log) + SLACK, story.log
    assert (story.state_afterwards["Running"], story.state_afterwards["Paused"]) == (True, False)
    assert story.status_code_afterwards == 0
    assert "unpaused by chaoskit" in story.log
    assert story.bystander_untouched


@pytest.mark.parametrize("how", WAYS)
def test_a_run_that_was_restored_too_late_never_passes_for_it(how: str, told: Callable[[str], Dirty]) -> None:
    story = told(how)
    assert verdict(story.record_afterwards) == "error"
    assert "undone only later" in story.record_afterwards["judgement"]["reasons"][0]
    restored_at = story.record_afterwards["run"]["injections"][0]["restored_at"]
    assert restored_at > story.record["run"]["ended_at"]


# --- targets that do not come back by themselves --------------------------------------------------------------


def test_a_target_that_somebody_killed_is_dirty_until_the_commands_by_hand_bring_it_back(
    told: Callable[[str], Dirty],
) -> None:
    story = told("killed by somebody")
    assert story.code == 6, story.output
    assert verdict(story.record) == "dirty"
    assert "stopped by somebody else" in story.record["run"]["abort"]["reason"]
    assert "not running: exited" in story.record["judgement"]["reasons"][0]
    assert story.state["Status"] == "exited"
    assert story.status_code == 6
    (residue,) = story.status["residue"]
    assert residue["injections"][0]["by_hand"] == story.record["run"]["injections"][0]["by_hand"]
    (guardian,) = story.status["guardians"]
    assert (guardian["alive"], guardian["state"]) == (True, "undoing")
    assert (story.state_afterwards["Running"], story.state_afterwards["Paused"]) == (True, False)
    assert story.status_code_afterwards == 0, "the guardian has seen that it runs again"
    assert verdict(story.record_afterwards) == "error"
    assert story.bystander_untouched


def test_a_target_that_its_engine_ended_for_good_is_dirty(told: Callable[[str], Dirty]) -> None:
    story = told("ended by its engine")
    assert story.code == 6, story.output
    assert verdict(story.record) == "dirty"
    assert story.state["Status"] == "exited"
    assert "not running: exited" in story.record["judgement"]["reasons"][0]
    assert " start " in story.output.rpartition("by hand:")[2]
    assert story.status_code == 6


def test_a_process_that_is_gone_is_dirty_and_left_to_a_person(chaoskit: Chaoskit, sleeper: Sleeper) -> None:
    runner = chaoskit.run(experiment(sleeper.selector, "process.pause"))
    runner.says("phase     observe")
    sleeper.process.kill()
    sleeper.process.wait(10)
    assert runner.ended() == 6, runner.output
    chaoskit.guardians_end(within=LEASE + SLACK)
    record = chaoskit.record()
    assert verdict(record) == "dirty"
    assert record["run"]["abort"]["cause"] == "drift"
    status = chaoskit("status")
    assert status.returncode == 6
    assert "residue" in status.stdout
    assert sleeper.bystander_untouched
