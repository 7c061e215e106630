"""The engine goes away under a run and comes back: what it kept is restored, and what it ended is not claimed.

Never the shared engine: each story has one of its own.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.testbed.trouble.engine import SecondEngine
from tests.testbed.trouble.kit import (
    LEASE,
    SLACK,
    Chaoskit,
    Runner,
    Story,
    experiment,
    longest_pause,
    seconds_until,
    verdict,
)

TICK = 0.5
NO_DATA_FOR = 2.0
LASTS = 12.0


class Told(NamedTuple):
    """What came of a run whose engine went away, and what its target is like in the end."""

    code: int | None
    output: str
    record: Mapping[str, Any]
    state: Mapping[str, Any]
    status_code: int
    log: str
    frozen_after_the_lease: bool = False
    restored_after: float = 0.0
    status_code_while_away: int = 0


class Play:
    """A run on a container of the second engine."""

    def __init__(self, engine: SecondEngine, folder: Path, kind: str, *options: str, no_data_for: float = 30.0) -> None:
        self.engine = engine
        self.chaoskit = Chaoskit(folder, {"DOCKER_HOST": engine.host})
        self.target = engine.container(*options)
        self.runner = self._run(kind, no_data_for)

    def _run(self, kind: str, no_data_for: float) -> Runner:
        document = experiment(
            self.engine.selector(self.target),
            kind,
            duration=f"{LASTS:g}s",
            abort_when=[{"no_data_for": f"{no_data_for:g}s"}],
            sampling={"tick": f"{TICK:g}s", "baseline": "0s", "min_samples": 1},
        )
        return self.chaoskit.run(document)

    def frozen(self) -> bool:
        """Whether the engine says so."""
        return bool(self.engine.state(self.target)["Paused"])

    def thawed(self) -> bool:
        """The contrary."""
        return not self.frozen()

    def tried(self, words: str) -> bool:
        """Whether the guardian has written these words."""
        return words in self.chaoskit.log()

    def told(self) -> tuple[int | None, str, Mapping[str, Any], Mapping[str, Any], int, str]:
        """The end."""
        code, status = self.runner.process.poll(), self.chaoskit("status")
        state = self.engine.state(self.target)
        return code, self.runner.output, self.chaoskit.record(), state, status.returncode, self.chaoskit.log()


def restarted_at_once(folder: Path) -> dict[str, Told]:
    """An ordinary engine ends its containers with itself, and restarts those whose policy says so."""
    cases = {
        "paused": ("instance.pause", "--restart", "always"),
        "stopped": ("instance.stop",),
        "stopped, always": ("instance.stop", "--restart", "always"),
    }
    folder.mkdir()
    with SecondEngine() as engine:
        plays = {name: Play(engine, folder / name, *words) for name, words in cases.items()}
        try:
            for play in plays.values():
                play.runner.says("phase     observe")
            engine.stop()
            engine.start()
            for play in plays.values():
                play.runner.ended()
            return {name: Told(*play.told()) for name, play in plays.items()}
        finally:
            for play in plays.values():
                play.chaoskit.close()


def away_for_longer_than_the_lease(folder: Path) -> dict[str, Told]:
    """An engine that keeps its containers is away for longer than the lease, and so is one runner, for ever."""
    folder.mkdir()
    with SecondEngine("--live-restore") as engine:
        plays = {
            name: Play(engine, folder / name, "instance.pause", no_data_for=NO_DATA_FOR)
            for name in ("runner killed", "runner lives")
        }
        try:
            for play in plays.values():
                play.runner.says("phase     observe")
            engine.stop()
            plays["runner killed"].runner.kill()
            begin = time.monotonic()
            plays["runner lives"].runner.ended()
            for play in plays.values():
                seconds_until(partial(play.tried, "NOT restored: Unreachable"), "the guardian tries in vain")
            seconds_until(lambda: time.monotonic() - begin > LEASE + TICK, "the lease is over")
            statuses = [play.chaoskit("status").returncode for play in plays.values()]
            engine.start()
            frozen = [play.frozen() for play in plays.values()]
            took = [seconds_until(play.thawed, play.chaoskit.log(), every=0.2) for play in plays.values()]
            for play in plays.values():
                play.chaoskit.guardians_end()
            more = zip(frozen, took, statuses, strict=True)
            return {name: Told(*plays[name].told(), *one) for name, one in zip(plays, more, strict=True)}
        finally:
            for play in plays.values():
                play.chaoskit.close()


STORIES = {
    "restarted at once": Story(45, restarted_at_once),
    "away for longer than the lease": Story(50, away_for_longer_than_the_lease),
}


# --- restarted at once ----------------------------------------------------------------------------------------


def test_a_frozen_container_that_came_back_by_its_policy_is_restored_and_proves_nothing(
    told: Callable[[str], Mapping[str, Told]],
) -> None:
    story = told("restarted at once")["paused"]
    assert story.code == 5, story.output
    assert verdict(story.record) == "inconclusive"
    assert "somebody else" in story.record["run"]["abort"]["reason"]
    assert (story.state["Running"], story.state["Paused"]) == (True, False)
    assert story.status_code == 0


def test_a_stopped_container_that_the_engine_started_again_proves_nothing(
    told: Callable[[str], Mapping[str, Told]],
) -> None:
    story = told("restarted at once")["stopped, always"]
    assert story.code == 5, story.output
    assert verdict(story.record) == "inconclusive"
    assert "started again by somebody else" in story.record["run"]["abort"]["reason"]
    assert story.state["Running"]
    assert story.status_code == 0


def test_a_stopped_container_that_stayed_stopped_was_broken_for_the_whole_time(
    told: Callable[[str], Mapping[str, Told]],
) -> None:
    """The engine's end changed nothing about it: its own facts prove that, and only that lets the run go on."""
    story = told("restarted at once")["stopped"]
    (injection,) = story.record["run"]["injections"]
    assert injection["drift"] == "", story.output
    assert injection["rollback_at"] - injection["injected_at"] >= LASTS, story.output
    assert story.record["run"]["abort"] is None
    assert story.code == 0, story.output
    assert story.state["Running"]
    assert story.status_code == 0


# --- away for longer than the lease ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["runner killed", "runner lives"])
def test_the_guardian_goes_on_until_the_engine_is_back(how: str, told: Callable[[str], Mapping[str, Told]]) -> None:
    story = told("away for longer than the lease")[how]
    assert story.status_code_while_away == 6
    assert story.restored_after <= longest_pause(story.log) + SLACK, story.log
    assert story.frozen_after_the_lease, "an engine that keeps its containers keeps them frozen"
    assert "NOT restored: Unreachable: no Docker engine answers" in story.log
    assert "unpaused by chaoskit" in story.log
    assert (story.state["Running"], story.state["Paused"]) == (True, False)
    assert story.status_code == 0
    assert verdict(story.record) == "error"


def test_a_runner_whose_engine_is_away_is_dirty(told: Callable[[str], Mapping[str, Told]]) -> None:
    story = told("away for longer than the lease")["runner lives"]
    assert story.code == 6, story.output
    assert "Unreachable" in story.output.partition("DIRTY")[2]
    assert "by hand" in story.output
