"""The guardian on real processes: whatever becomes of the runner, the target is let go, and the books say so."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaoskit.targets import deadman
from chaoskit.targets.local_sweep import Machine
from tests.testbed.guardian.kit import LEASE, PATIENCE, SLACK, Bed, eventually

EXPERIMENT = """
apiVersion: chaoskit/v1
kind: Experiment
name: guarded
title: A process is frozen
targets: {it: {local: {cmdline: "%s"}}}
steady_state: [{name: fine, command: {run: ["true"]}}]
faults: [{kind: process.pause, target: it, duration: 5m}]
sampling: {tick: 100ms, baseline: 0s, min_samples: 1}
expect: {recover_within: 5s}
"""


class ProcessBed(Bed):
    """A process to freeze."""

    def __init__(self, folder: Path, mark: str) -> None:
        super().__init__(folder, EXPERIMENT % mark, {})
        self.target = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(600)  # {mark}"])

    def frozen(self) -> bool:
        return Path(f"/proc/{self.target.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def timers(self) -> tuple[deadman.Timer, ...]:
        """The timers on this machine that are of this bed's runs."""
        runs = {run["run"] for run in json.loads(self.chaoskit("history", "--json").stdout)}
        return tuple(timer for timer in deadman.armed(Machine()) if timer.tag.split("-")[1] in runs)

    def close(self) -> None:
        super().close()
        self.target.kill()
        self.target.wait(10)


@pytest.fixture
def bed(tmp_path: Path, unique_id: str) -> Iterator[ProcessBed]:
    bed = ProcessBed(tmp_path, f"{unique_id}-{tmp_path.name}")
    yield bed
    bed.close()


def test_a_runner_that_is_killed_is_undone_at_once_and_its_books_are_closed(bed: ProcessBed) -> None:
    runner = bed.run()
    runner.kill()
    assert bed.thawed_after() < SLACK
    assert bed.guardian_ends()
    assert bed.status()["residue"] == []
    assert bed.chaoskit("status").returncode == 0
    told = bed.record()
    assert told["judgement"]["verdict"] == "error"
    assert "died in" in told["judgement"]["reasons"][0]
    assert "its guardian undid what it left" in json.dumps(told["run"]["events"])
    assert told["run"]["injections"][0]["restored_at"] is not None
    assert "the runner died: undoing 1 injection" in bed.log()
    assert list((bed.folder / "reports").rglob("report.html"))


def test_a_runner_that_is_frozen_loses_its_lease_and_knows_it_when_it_goes_on(bed: ProcessBed) -> None:
    runner = bed.run()
    runner.send_signal(signal.SIGSTOP)
    took = bed.thawed_after()
    assert LEASE * 2 / 3 - 0.5 <= took < LEASE + SLACK
    time.sleep(0.5)
    runner.send_signal(signal.SIGCONT)
    assert runner.wait(PATIENCE) == 5, bed.output.read_text()
    told = bed.record()
    assert told["run"]["abort"]["cause"] == "lease"
    assert told["judgement"]["verdict"] == "inconclusive"
    assert not bed.frozen()
    assert bed.guardian_ends()
    assert "the runner is back" in bed.log()


def test_a_frozen_runner_that_is_killed_leaves_nothing_open(bed: ProcessBed) -> None:
    runner = bed.run()
    runner.send_signal(signal.SIGSTOP)
    bed.thawed_after()
    runner.kill()
    assert bed.guardian_ends()
    assert bed.status()["residue"] == []
    assert bed.record()["judgement"]["verdict"] == "error"


def test_a_run_whose_guardian_is_killed_stops_at_once(bed: ProcessBed) -> None:
    runner = bed.run()
    os.kill(bed.guardian()["pid"], signal.SIGKILL)
    assert bed.thawed_after() < SLACK
    assert runner.wait(PATIENCE) == 5, bed.output.read_text()
    told = bed.record()
    assert told["run"]["abort"]["cause"] == "lease"
    assert told["run"]["abort"]["reason"] == "the guardian died"


def test_a_run_whose_guardian_is_frozen_stops_within_its_lease(bed: ProcessBed) -> None:
    runner = bed.run()
    pid = bed.guardian()["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert bed.thawed_after() < LEASE * 4 / 3 + SLACK
    assert runner.wait(PATIENCE) == 5, bed.output.read_text()
    assert "has not answered" in bed.record()["run"]["abort"]["reason"]
    os.kill(pid, signal.SIGCONT)
    assert bed.guardian_ends()
    assert not bed.frozen()


def test_both_killed_leave_it_to_the_target_itself(bed: ProcessBed) -> None:
    """The guardian's lease is of no use then; the timer on the target has its own."""
    bed.run()
    assert [timer.state for timer in bed.timers()] == ["held"]
    bed.kill_both()
    assert bed.thawed_after() < LEASE + SLACK
    assert bed.chaoskit("status").returncode == 6, "nobody has read it back yet"
    done = bed.chaoskit("rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bed.timers() == ()
    assert bed.record()["judgement"]["verdict"] == "error"


def test_both_killed_are_rolled_back_at_once_by_who_does_not_wait_for_that(bed: ProcessBed) -> None:
    bed.run()
    bed.kill_both()
    done = bed.chaoskit("rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not bed.frozen()
    assert bed.timers() == ()


def test_a_timer_that_is_lost_stops_the_run(bed: ProcessBed) -> None:
    runner = bed.run()
    (timer,) = bed.timers()
    shutil.rmtree(timer.folder)
    assert bed.thawed_after() < LEASE + SLACK
    assert runner.wait(PATIENCE) == 5, bed.output.read_text()
    assert bed.record()["run"]["abort"]["cause"] in {"lease", "drift"}
    assert bed.timers() == ()


def test_the_timer_on_the_target_is_renewed_for_as_long_as_the_run_lives(bed: ProcessBed) -> None:
    runner = bed.run()
    time.sleep(2 * LEASE)
    assert bed.frozen()
    assert [timer.state for timer in bed.timers()] == ["held"]
    runner.send_signal(signal.SIGINT)
    assert runner.wait(PATIENCE) == 4
    assert bed.timers() == ()


def test_a_sweep_finds_what_no_journal_tells_of_and_leaves_a_live_run_alone(bed: ProcessBed) -> None:
    runner = bed.run()
    (timer,) = bed.timers()
    alone = bed.chaoskit("sweep")
    assert f"left     {timer.tag}" in alone.stdout
    assert "which is live" in alone.stdout
    bed.kill_both()
    assert runner.returncode == -signal.SIGKILL
    for path in bed.store.parent.glob("ck.db*"):
        path.unlink()
    assert bed.thawed_after() < LEASE + SLACK
    assert eventually(lambda: not any(one.alive for one in deadman.armed(Machine()) if one.tag == timer.tag))
    dry = bed.chaoskit("sweep", "--dry-run")
    assert f"{timer.tag}  a dead-man timer" in dry.stdout
    assert "would be undone and removed" in dry.stdout
    swept = bed.chaoskit("sweep")
    assert f"removed  {timer.tag}" in swept.stdout, swept.stderr
    assert not any(one.tag == timer.tag for one in deadman.armed(Machine()))


def test_a_sweep_does_what_a_timer_whose_loop_was_killed_was_to_do(bed: ProcessBed) -> None:
    bed.run()
    (timer,) = bed.timers()
    bed.kill_both()
    loop = int((Path(timer.folder) / "alive").read_text().split()[0])
    os.kill(loop, signal.SIGKILL)
    for path in bed.store.parent.glob("ck.db*"):
        path.unlink()
    assert bed.frozen()
    swept = bed.chaoskit("sweep")
    assert "its undo was run, and it was removed" in swept.stdout, swept.stdout + swept.stderr
    assert not bed.frozen()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_guardian_is_not_ended_by_what_ends_other_processes(bed: ProcessBed, number: signal.Signals) -> None:
    runner = bed.run()
    os.kill(bed.guardian()["pid"], number)
    time.sleep(0.3)
    assert bed.frozen()
    assert bed.status()["guardians"][0]["alive"]
    runner.kill()
    assert bed.thawed_after() < SLACK


def test_an_ordinary_end_leaves_no_trace_of_a_guardian(bed: ProcessBed) -> None:
    runner = bed.run()
    assert bed.status()["guardians"][0]["state"] == "armed"
    assert "guardian" in bed.chaoskit("status").stdout
    runner.send_signal(signal.SIGINT)
    assert runner.wait(PATIENCE) == 4
    assert bed.guardian_ends()
    assert list((bed.store.parent / "guardians").iterdir()) == []


def test_a_guardian_sends_nothing_to_a_terminal_and_keeps_its_log_private(bed: ProcessBed) -> None:
    bed.run()
    (path,) = (bed.store.parent / "guardians").glob("*.log")
    assert path.stat().st_mode & 0o777 == 0o600
    pid = bed.guardian()["pid"]
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    held = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}  # noqa: PTH115 it may name no path
    assert not any(name.startswith("/dev/pts") or name == str(bed.output) for name in held)


def test_a_run_has_one_guardian_only(bed: ProcessBed) -> None:
    bed.run()
    told = bed.guardian()
    connection = {"word": "stand by", "run": told["run"], "store": str(bed.store), "lease": LEASE}
    (log,) = (bed.store.parent / "guardians").glob("*.log")
    with log.open("a") as stderr:
        second = subprocess.run(
            [sys.executable, "-m", "chaoskit.guardian", told["run"]],
            input=json.dumps(connection) + "\n",
            stderr=stderr,
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert second.returncode == 1
    assert "has a guardian already" in bed.log()
    assert bed.guardian() == told


def test_where_no_guardian_can_be_started_nothing_is_touched(bed: ProcessBed) -> None:
    bed.store.parent.mkdir()
    (bed.store.parent / "guardians").write_text("in the way")
    done = bed.chaoskit("run", str(bed.file), "--plain")
    assert not bed.frozen()
    assert done.returncode == 7
    assert "the guardian could not be started" in done.stderr
    assert "Traceback" not in done.stderr
    (bed.store.parent / "guardians").unlink()
