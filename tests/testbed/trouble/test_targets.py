"""Somebody else lays hands on a target while its fault is in: noticed at once, and never taken for a result."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.testbed.docker import docker_parts as parts
from tests.testbed.trouble.containers import Container, container
from tests.testbed.trouble.kit import Chaoskit, Runner, Story, abort_moment, experiment, moment, verdict

TICK = 1.0


class Meddled(NamedTuple):
    """What came of a run whose target somebody restarted."""

    code: int
    record: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    left_behind: list[str]
    look: float
    bystander_untouched: bool


def restart(target: Container) -> None:
    parts.docker("restart", "--time", "0", target.id)


def crash(target: Container) -> None:
    """As the kernel's memory killer would: its restart policy brings it back."""
    os.kill(target.facts["State"]["Pid"], signal.SIGKILL)


def meddled(folder: Path, kind: str, meddle: Callable[[Container], None], *options: str) -> Meddled:
    with container(*options) as target, Chaoskit(folder) as chaoskit:
        before = target.facts
        sampling = {"tick": f"{TICK:g}s", "baseline": "0s", "min_samples": 1}
        runner = chaoskit.run(experiment(target.selector, kind, sampling=sampling))
        runner.says("phase     observe")
        meddle(target)
        look = longest_look(target, runner)
        code, left = runner.ended(), chaoskit.left_behind()
        return Meddled(code, chaoskit.record(), before, target.facts, left, look, target.bystander_untouched)


def longest_look(target: Container, runner: Runner) -> float:
    """The longest seconds that one look at the target takes meanwhile, for whoever looks: until the run has stopped."""
    looks = []
    while "phase     rollback" not in runner.output:
        begin = time.monotonic()
        assert target.facts
        looks.append(time.monotonic() - begin)
    return max(looks, default=0.0)


STORIES = {
    "restarted": Story(15, partial(meddled, kind="instance.pause", meddle=restart)),
    "crashed": Story(15, lambda folder: meddled(folder, "network.disconnect", crash, "--restart", "always")),
}


@pytest.mark.parametrize("how", STORIES)
def test_a_target_that_starts_anew_is_noticed_within_two_ticks_and_proves_nothing(
    how: str, told: Callable[[str], Meddled]
) -> None:
    story = told(how)
    assert story.code == 5
    assert verdict(story.record) == "inconclusive"
    assert story.record["run"]["abort"]["cause"] == "drift"
    noticed_after = abort_moment(story.record) - moment(story.after["State"]["FinishedAt"])
    assert 0 <= noticed_after <= 2 * TICK + story.look
    assert story.bystander_untouched


@pytest.mark.parametrize("how", STORIES)
def test_the_new_instance_is_proven_clean(how: str, told: Callable[[str], Meddled]) -> None:
    story = told(how)
    assert story.after["State"]["StartedAt"] != story.before["State"]["StartedAt"]
    assert story.record["run"]["injections"][0]["restored_at"] is not None
    assert parts.lasting(story.after)["State"] == parts.lasting(story.before)["State"]
    assert story.after["NetworkSettings"]["Networks"].keys() == story.before["NetworkSettings"]["Networks"].keys()
    assert all(network["EndpointID"] for network in story.after["NetworkSettings"]["Networks"].values())
    assert story.left_behind == []
