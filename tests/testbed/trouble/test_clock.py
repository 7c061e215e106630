"""The clock of the runner's machine is set by an hour under a run: no time that matters moves with it.

What is set is what the runner and its guardian are told, and nobody else.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chaoskit.engine.clock import RealClock
from tests.testbed.trouble.containers import container
from tests.testbed.trouble.kit import SLACK, Chaoskit, Sleeper, Story, experiment, seconds_until, verdict

LASTS = 25.0
HOUR = 3600

SET_CLOCK = """
import datetime, os, time

true_time, true_datetime = time.time, datetime.datetime

def set_by():
    with open(os.environ["CLOCK_SET_BY"]) as file:
        return int(file.read())

class Kind(type):
    def __instancecheck__(cls, value):
        return isinstance(value, true_datetime)

class SetDatetime(true_datetime, metaclass=Kind):
    @classmethod
    def now(cls, tz=None):
        return true_datetime.now(tz) + datetime.timedelta(seconds=set_by())

datetime.datetime = SetDatetime
time.time = lambda: true_time() + set_by()
"""
"""Loaded by Python before everything else: the time of day, as chaoskit and its libraries are told it.

Not libfaketime: its 0.9.10 refuses Python's sleep (EINVAL) when it is to leave the monotonic clock alone, and on a
busy machine some of its processes never began.
"""


class FakeClock:
    """A clock that can be set, for the processes that get its environment."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set_by(0)
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(SET_CLOCK)
        path = os.pathsep.join([str(site), *([os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else [])])
        self.environment = {"CLOCK_SET_BY": str(self._file), "PYTHONPATH": path}

    def set_by(self, seconds: int) -> None:
        """From now on it differs by so much from the true one."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._file)


class Told(NamedTuple):
    """What came of a run whose clock was set, and what others saw of it meanwhile."""

    code: int
    output: str
    record: Mapping[str, Any]
    measured: float
    status: Mapping[str, Any]
    rollback: subprocess.CompletedProcess[str]
    faulty_after_rollback: bool
    restored_after: float
    left_behind: list[str]
    bystander_untouched: bool


def has_jumped(chaoskit: Chaoskit) -> bool:
    """Whether the last heartbeat is an hour from now, by the true clock."""
    return abs(chaoskit.heartbeat() - datetime.now(UTC)) > timedelta(seconds=HOUR - 60)


def set_under_a_run(folder: Path, by: int, *, killed: bool = False) -> Told:
    """The clock jumps while a fault is in; the runner goes on to its end, or is ``killed`` then."""
    with Chaoskit(folder) as chaoskit, Sleeper() as sleeper:
        clock = FakeClock(folder)
        document = experiment(sleeper.selector, "process.pause", duration=f"{LASTS * (4 if killed else 1):g}s")
        begin = time.monotonic()
        runner = chaoskit.under_way(document, clock.environment)
        clock.set_by(by)
        seconds_until(partial(has_jumped, chaoskit), "the runner's clock has jumped")
        status = chaoskit.status()
        rollback = chaoskit("rollback")
        faulty = sleeper.frozen()
        if killed:
            runner.kill()
        took = sleeper.thawed_after(lambda: runner.output + chaoskit.log())
        code = runner.ended()
        chaoskit.guardians_end()
        measured = time.monotonic() - begin
        left, untouched = chaoskit.left_behind(), sleeper.bystander_untouched
        record = chaoskit.record()
        return Told(code, runner.output, record, measured, status, rollback, faulty, took, left, untouched)


class Elsewhere(NamedTuple):
    """What is seen from another pid namespace, where only the heartbeat tells of the runner."""

    status: subprocess.CompletedProcess[str]
    rollback: subprocess.CompletedProcess[str]
    paused: bool
    code: int
    output: str


def seen_from_elsewhere(folder: Path, by: int) -> Elsewhere:
    """As another container would: with the same store and engine, and with the true clock."""
    with container() as target, Chaoskit(folder) as chaoskit:
        clock = FakeClock(folder)
        runner = chaoskit.run(experiment(target.selector, "instance.pause"), clock.environment)
        runner.says("phase     observe")
        clock.set_by(by)
        seconds_until(partial(has_jumped, chaoskit), "the runner's clock has jumped")

        def elsewhere(command: str, *more: str) -> subprocess.CompletedProcess[str]:
            argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *chaoskit.argv(command, *more)]
            return subprocess.run(
                argv, env=chaoskit.environment, capture_output=True, text=True, timeout=100, check=False
            )

        status, rollback = elsewhere("status", "--json"), elsewhere("rollback")
        if "Operation not permitted" in status.stderr:
            pytest.skip("missing capability: a pid namespace of its own (root)")
        paused = target.paused
        runner.process.terminate()
        return Elsewhere(status, rollback, paused, runner.ended(), runner.output)


STORIES = {
    "an hour forwards": Story(40, partial(set_under_a_run, by=HOUR)),
    "an hour back": Story(40, partial(set_under_a_run, by=-HOUR)),
    "an hour forwards, killed": Story(20, partial(set_under_a_run, by=HOUR, killed=True)),
    "an hour back, killed": Story(20, partial(set_under_a_run, by=-HOUR, killed=True)),
    "elsewhere, forwards": Story(25, partial(seen_from_elsewhere, by=HOUR)),
    "elsewhere, back": Story(35, partial(seen_from_elsewhere, by=-HOUR)),
}
WENT_ON = ["an hour forwards", "an hour back"]
KILLED = ["an hour forwards, killed", "an hour back, killed"]


@pytest.mark.parametrize("how", WENT_ON)
def test_a_run_whose_clock_is_set_goes_on_and_its_times_are_right(how: str, told: Callable[[str], Told]) -> None:
    story = told(how)
    assert story.code == 0, story.output
    assert verdict(story.record) == "passed"
    run = story.record["run"]
    (injection,) = run["injections"]
    assert LASTS <= injection["rollback_at"] - injection["injected_at"] <= LASTS + SLACK
    assert 0 < injection["restored_at"] < run["ended_at"] < story.measured
    times = [moment for span in run["phases"] for moment in (span["start"], span["end"])]
    assert times == sorted(times)
    assert all(0 <= reading["at"] <= run["ended_at"] for reading in run["readings"])
    assert story.bystander_untouched


@pytest.mark.parametrize("how", WENT_ON + KILLED)
def test_a_live_run_is_never_taken_for_dead(how: str, told: Callable[[str], Told]) -> None:
    story = told(how)
    (live,) = story.status["live"]
    (left,) = story.status["residue"]
    assert left["live"]
    assert left["run"] == live["run"]
    assert story.rollback.returncode == 3, story.rollback.stdout
    assert "is alive" in story.rollback.stdout
    assert story.faulty_after_rollback, "nobody has undone it"


@pytest.mark.parametrize("how", KILLED)
def test_a_guardian_whose_clock_was_set_undoes_at_once_and_its_times_are_right(
    how: str, told: Callable[[str], Told]
) -> None:
    story = told(how)
    assert story.restored_after <= SLACK
    assert verdict(story.record) == "error"
    run = story.record["run"]
    (injection,) = run["injections"]
    assert 0 < injection["injected_at"] < injection["restored_at"] <= run["ended_at"] < story.measured
    assert story.left_behind == []
    assert story.bystander_untouched


@pytest.mark.parametrize("how", ["elsewhere, forwards", "elsewhere, back"])
def test_even_where_only_the_heartbeat_tells_a_live_run_is_left_alone(
    how: str, told: Callable[[str], Elsewhere]
) -> None:
    story = told(how)
    assert story.status.returncode == 0, story.status.stderr
    seen = json.loads(story.status.stdout)
    assert len(seen["live"]) == 1
    assert seen["residue"][0]["live"]
    assert story.rollback.returncode == 3, story.rollback.stdout
    assert story.paused, "nobody has undone it"
    assert story.code == 4, story.output


def test_the_clock_that_is_set_is_the_one_that_the_runner_reads(tmp_path: Path) -> None:
    """Else all of the above would prove nothing."""
    clock = FakeClock(tmp_path)
    clock.set_by(-HOUR)
    look = "from chaoskit.engine.clock import RealClock as R; print(R().utc().timestamp(), R().now())"
    environment = {**os.environ, **clock.environment}
    done = subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True)
    utc, now = (float(number) for number in done.stdout.split())
    assert utc == pytest.approx(time.time() - HOUR, abs=60)
    assert now == pytest.approx(RealClock().now(), abs=60)
