"""Stopping and holding back real runs of real processes: halts, the halt file, targets that are held, limits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chaoskit.store.sqlite import BUSY_SECONDS
from tests.gameday.kit import Chaoskit, wait_until

TICK = 0.5
LATE = 0.2
"""Seconds by which this machine may be late when others use it, too."""

SHORT = "2s"
"""Long enough for the samples a verdict needs."""

STARTS_WITHIN = 40.0
"""Seconds that Python may take to start on a busy machine and a run to have its fault in; no promise of chaoskit's."""

EXPERIMENT = """
apiVersion: chaoskit/v1
kind: Experiment
name: %(name)s
title: A process is frozen for a while
targets: {it: {local: {pidfile: "%(pidfile)s"}}}
steady_state: [{name: fine, command: {run: ["true"]}}]
faults: [{kind: process.pause, target: it, duration: %(duration)s}]
expect: {recover_within: 5s}
sampling: {tick: 500ms, baseline: 0s}
"""


class Victim:
    """A process to freeze, and the experiments that freeze it."""

    def __init__(self, folder: Path, name: str, argv: list[str]) -> None:
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._folder, self._name = folder, name
        self._pidfile = folder / f"{name}.pid"
        self._pidfile.write_text(f"{self.process.pid}\n")

    @property
    def frozen(self) -> bool:
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def experiment(self, duration: str = "60s") -> str:
        file = self._folder / f"{self._name}-{duration}.yaml"
        file.write_text(EXPERIMENT % {"name": self._name, "pidfile": self._pidfile, "duration": duration})
        return str(file)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Chaoskit]:
    made = Chaoskit(tmp_path)
    yield made
    made.close()


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Callable[..., Victim]]:
    made: list[Victim] = []

    def make(name: str = "one", program: str = "sleep") -> Victim:
        argv = ["sleep", "600"] if program == "sleep" else [sys.executable, "-c", "import time; time.sleep(600)"]
        made.append(Victim(tmp_path, name, argv))
        return made[-1]

    yield make
    for one in made:
        one.close()


def freeze(kit: Chaoskit, one: Victim) -> subprocess.Popen[str]:
    """A live run that has its fault in."""
    process = kit.start("run", one.experiment())
    wait_until(lambda: one.frozen, STARTS_WITHIN, "the process is frozen")
    return process


def thawed_after(one: Victim, since: float, within: float) -> float:
    """Seconds since ``since`` (of the monotonic clock) until the process was seen to run again."""
    deadline = since + within
    while one.frozen:
        assert time.monotonic() < deadline, f"still frozen after {within:g}s"
        time.sleep(0.005)
    return time.monotonic() - since


def wait_for_line(process: subprocess.Popen[str], words: str) -> None:
    """Read what it says until it says ``words``; pytest's timeout bounds this."""
    assert process.stdout is not None
    assert any(words in line for line in process.stdout), f"it ended without saying {words!r}"


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    output = process.communicate(timeout=60)[0]
    return process.returncode, output


def live_run(kit: Chaoskit) -> str:
    (run,) = json.loads(kit("status", "--json").stdout)["live"]
    return str(run["run"])


def run_of(kit: Chaoskit, name: str = "one") -> dict[str, Any]:
    found: dict[str, Any] = kit.report(name)["run"]
    return found


# --- the halt file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [0.0, 0.2, 0.4])
def test_touching_the_halt_file_restores_a_live_run_within_a_tick_and_its_revert(
    kit: Chaoskit, victim: Callable[..., Victim], wait: float
) -> None:
    one = victim()
    process = freeze(kit, one)
    time.sleep(wait)  # any moment of a tick will do
    touched, touched_at = time.monotonic(), time.time()
    kit.halt_file.touch()
    took = thawed_after(one, touched, within=20)
    code, output = ended(process)
    assert code == 4, output
    run = run_of(kit)
    begun = datetime.fromisoformat(run["started_at"]).timestamp()
    noticed = begun + run["abort"]["at"] - touched_at
    (injection,) = run["injections"]
    revert = injection["restored_at"] - injection["rollback_at"]
    print(f"noticed after {noticed:.3f}s, thawed after {took:.3f}s; tick {TICK:g}s, revert {revert:.3f}s")  # noqa: T201 the figure is what this test is for
    assert noticed <= TICK + LATE
    assert took <= TICK + revert + LATE
    assert run["abort"]["cause"] == "halt"
    assert run["abort"]["reason"] == f"halted: no reason given (halt file {kit.halt_file})"


def test_the_halt_file_blocks_every_start_until_somebody_removes_it(
    kit: Chaoskit, victim: Callable[..., Victim]
) -> None:
    one = victim()
    kit.halt_file.write_text("change freeze\ncall ada first\n")
    blocked = kit("run", one.experiment(SHORT))
    assert blocked.returncode == 3, blocked.stderr
    assert f"change freeze (halt file {kit.halt_file}); lift it with `rm {kit.halt_file}`" in blocked.stdout
    assert [phase["name"] for phase in run_of(kit)["phases"]] == ["plan", "guard"]
    owner = kit.halt_file.owner()
    assert f"halt     all  by {owner} since 20" in kit("status").stdout
    assert json.loads(kit("status", "--json").stdout)["halt_file"]["reason"] == "change freeze"

    assert kit("halt", "--all", "--reason", "incident 42").returncode == 0
    released = kit("halt", "--all", "--release")
    assert released.returncode == 3, "something still blocks"
    assert "released 1 halt(s) of all" in released.stdout
    assert f"remove it with `rm {kit.halt_file}`" in released.stdout
    assert kit.halt_file.exists(), "it is not ours to remove"

    kit.halt_file.unlink()
    assert kit("halt", "--all", "--release").returncode == 0
    shutil.rmtree(kit.reports)
    done = kit("run", one.experiment(SHORT))
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_touch_of_the_documented_path_is_enough_whatever_the_store(
    kit: Chaoskit, victim: Callable[..., Victim]
) -> None:
    one = victim()
    del kit.env["CHAOSKIT_HALT_FILE"]
    kit.env["XDG_STATE_HOME"] = str(kit.folder / "state")
    process = freeze(kit, one)
    touched = time.monotonic()
    (kit.folder / "state" / "chaoskit" / "halt").touch()
    assert thawed_after(one, touched, within=20) <= TICK + LATE
    code, output = ended(process)
    assert code == 4, output


def test_a_halt_file_that_may_not_be_looked_at_is_a_halt(kit: Chaoskit, victim: Callable[..., Victim]) -> None:
    one = victim()
    closed = kit.folder / "file"
    closed.touch()
    kit.env["CHAOSKIT_HALT_FILE"] = str(closed / "halt")
    blocked = kit("run", one.experiment(SHORT))
    assert blocked.returncode == 3, blocked.stderr
    assert "whether it is there cannot be told: Not a directory" in blocked.stdout
    assert not one.frozen


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Another program that writes to the store and takes its time."""
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize("wait", [0.0, 0.3, 0.6])
def test_the_halt_file_restores_a_run_whose_store_is_locked(
    kit: Chaoskit, victim: Callable[..., Victim], wait: float
) -> None:
    one = victim()
    process = freeze(kit, one)
    wait_for_line(process, "phase     observe")
    time.sleep(wait)  # in some ticks the history is due to be written, in others not
    with locked(kit.store):
        touched = time.monotonic()
        kit.halt_file.touch()
        took = thawed_after(one, touched, within=20)
    code, output = ended(process)
    assert code in {4, 7}, output  # aborted, or error when the run could not keep its record
    print(f"thawed after {took:.3f}s; tick {TICK:g}s, a write waits {BUSY_SECONDS:g}s")  # noqa: T201 as above
    # A write of the history that is due in the same tick waits for the lock first.
    assert took <= TICK + BUSY_SECONDS + LATE


def test_with_a_locked_store_the_error_names_the_way_out_and_that_works(
    kit: Chaoskit, victim: Callable[..., Victim]
) -> None:
    assert kit("history").returncode == 0
    with locked(kit.store):
        refused = kit("halt", "--all", "--reason", "incident 42")
    assert refused.returncode == 7
    assert "another program holds it locked" in refused.stderr
    (line,) = (line for line in refused.stderr.splitlines() if line.startswith("chaoskit: no halt was engaged; "))
    way_out = line.partition("without the store: ")[2]
    assert way_out == f"touch {kit.halt_file}"
    subprocess.run(way_out, shell=True, check=True, timeout=10)
    blocked = kit("run", victim().experiment(SHORT))
    assert blocked.returncode == 3
    assert f"no reason given (halt file {kit.halt_file})" in blocked.stdout


# --- halts in the store ---------------------------------------------------------------------------------------


def test_a_run_is_halted_within_a_tick_and_the_audit_tells_the_whole_story(
    kit: Chaoskit, victim: Callable[..., Victim]
) -> None:
    one = victim()
    process = freeze(kit, one)
    run = live_run(kit)
    halted = kit("halt", run, "--reason", "odd graphs")
    assert halted.stdout == f"halt engaged for {run}\n"
    (audited,) = json.loads(kit("halt", "--list", "--json").stdout)["halts"]
    code, output = ended(process)
    assert code == 4, output
    abort = run_of(kit)["abort"]
    assert abort["reason"] == "halted: odd graphs"
    begun = datetime.fromisoformat(run_of(kit)["started_at"]).timestamp()
    noticed = begun + abort["at"] - datetime.fromisoformat(audited["at"]).timestamp()
    print(f"noticed after {noticed:.3f}s; tick {TICK:g}s")  # noqa: T201 as above
    assert noticed <= TICK + LATE
    assert json.loads(kit("status", "--json").stdout)["halts"] == [], "there is nothing left to halt"
    assert kit("halt", "--list").stdout.rstrip().endswith("odd graphs; over, for the run has ended")

    again = kit("halt", run)
    assert (again.returncode, again.stdout) == (0, f"run {run} has ended: there is nothing to halt\n")
    assert len(json.loads(kit("halt", "--list", "--json").stdout)["halts"]) == 1
    assert kit("halt", run, "--release").stdout == f"released 1 halt(s) of {run}\n"
    assert kit("halt", run, "--release").stdout == f"no halt of {run} was in force\n"
    (audited,) = json.loads(kit("halt", "--list", "--json").stdout)["halts"]
    assert audited["scope"] == run
    assert audited["reason"] == "odd graphs"
    assert audited["who"] == audited["released_by"] == kit.store.owner()
    assert audited["released_at"] > audited["at"]


def test_halting_a_dead_run_says_that_it_takes_a_rollback(kit: Chaoskit, victim: Callable[..., Victim]) -> None:
    one = victim()
    process = freeze(kit, one)
    run = live_run(kit)
    process.send_signal(signal.SIGSTOP)
    (guardian,) = json.loads(kit("status", "--json").stdout)["guardians"]
    os.kill(guardian["pid"], signal.SIGKILL)  # else it would have undone the fault by now
    process.kill()
    process.wait(timeout=10)
    halted = kit("halt", run)
    assert halted.returncode == 6
    assert f"it is dead and left a fault in: restore it with `chaoskit rollback {run}`" in halted.stdout
    assert kit("rollback").returncode == 0
    assert not one.frozen


@pytest.mark.parametrize("words", [[], ["--all", "--list"], ["a", "--all"], ["a", "--list"]])
def test_a_halt_of_nothing_or_of_two_things_is_refused(kit: Chaoskit, words: list[str]) -> None:
    refused = kit("halt", *words)
    assert refused.returncode == 2
    assert "write one of RUN, --all and --list, for example: chaoskit halt --all" in refused.stderr


# --- who holds what -------------------------------------------------------------------------------------------


def test_of_two_runs_on_one_target_the_second_is_told_who_holds_it(
    kit: Chaoskit, victim: Callable[..., Victim]
) -> None:
    one = victim()
    process = freeze(kit, one)
    run = live_run(kit)
    second = kit("run", one.experiment(SHORT))
    assert second.returncode == 3, second.stderr
    assert (
        f"is held by run {run} ({kit.store.owner()}@{os.uname().nodename}, pid {process.pid}, since " in second.stdout
    )
    assert f"which is live; wait for it, or stop it with `chaoskit halt {run}`" in second.stdout
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 4


def test_where_the_places_are_taken_a_run_is_blocked_before_it_samples_anything(
    kit: Chaoskit, victim: Callable[..., Victim]
) -> None:
    one, two = victim("one"), victim("two")
    kit.folder.joinpath("chaoskit.toml").write_text("[limits]\nmax_runs = 1\nmax_per_label = {name = 1}\n")
    process = freeze(kit, one)
    run = live_run(kit)
    blocked = kit("run", two.experiment(SHORT))
    assert blocked.returncode == 3, blocked.stderr
    assert f"limit max_runs: 1 at once may hold targets, and 1 do: run {run} (" in blocked.stdout
    assert "limit max_per_label.name: 1 at once may hold targets with name=sleep, and 1 do: run" in blocked.stdout
    assert [phase["name"] for phase in run_of(kit, "two")["phases"]] == ["plan", "guard"]
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 4
    done = kit("run", two.experiment(SHORT))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_limit_by_label_leaves_targets_with_another_value_alone(kit: Chaoskit, victim: Callable[..., Victim]) -> None:
    one, two, other = victim("one"), victim("two"), victim("other", program="python")
    kit.folder.joinpath("chaoskit.toml").write_text("[limits]\nmax_per_label = {name = 1}\n")
    process = freeze(kit, one)
    done = kit("run", other.experiment(SHORT))
    assert done.returncode == 0, done.stdout + done.stderr
    blocked = kit("run", two.experiment(SHORT))
    assert blocked.returncode == 3, blocked.stderr
    assert "targets with name=sleep" in blocked.stdout
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 4
