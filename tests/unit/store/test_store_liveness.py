import getpass
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaoskit.store import RunnerRow, liveness
from chaoskit.store.liveness import alive, host, me

LONG_AGO = timedelta(days=2)


def row(**changes: object) -> RunnerRow:
    """This very process as a runner whose last heartbeat came long ago."""
    this = me()
    parts = {
        "run": "r1",
        "host": this.host,
        "pid": this.pid,
        "pid_started": this.pid_started,
        "heartbeat_at": now() - LONG_AGO,
        "ended": False,
    }
    return RunnerRow.model_validate({**parts, **changes})


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a nasty name that waits until its standard input is closed."""
    program = tmp_path / "x) R 1 (y"
    program.symlink_to("/bin/cat")
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_we_know_ourselves() -> None:
    this = me()
    assert this.pid == os.getpid()
    assert this.python == ".".join(str(part) for part in sys.version_info[:3])
    assert 0 < this.pid_started <= time.time()
    assert time.time() - this.pid_started < 3600, "this test suite runs for less than an hour"


def test_our_user_is_the_one_we_run_as(monkeypatch: pytest.MonkeyPatch) -> None:
    name = getpass.getuser()
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "mallory")
    assert me().user == name


def test_a_host_reads_as_its_name_and_a_mark_of_its_boot() -> None:
    name, slash, mark = host().partition("/")
    assert name == os.uname().nodename
    assert slash
    assert len(mark) == 8
    assert host() == host()


def test_a_live_process_is_alive_however_old_its_heartbeat() -> None:
    assert alive(row(), now())


def test_a_run_that_ended_is_not_alive() -> None:
    assert not alive(row(ended=True), now())


def test_a_process_is_known_by_its_start_whatever_its_name(sleeper: subprocess.Popen[bytes]) -> None:
    started = liveness._started(sleeper.pid)
    assert started is not None
    assert alive(row(pid=sleeper.pid, pid_started=started), now())


def test_a_process_that_is_gone_is_dead_at_once(sleeper: subprocess.Popen[bytes]) -> None:
    runner = row(pid=sleeper.pid, pid_started=liveness._started(sleeper.pid), heartbeat_at=now())
    sleeper.kill()
    sleeper.wait(timeout=10)
    assert not alive(runner, now())


def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    runner = row(pid=sleeper.pid, pid_started=liveness._started(sleeper.pid), heartbeat_at=now())
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has collected it
    assert not alive(runner, now())


def test_a_recycled_pid_is_not_the_runner(sleeper: subprocess.Popen[bytes]) -> None:
    before = now() - timedelta(minutes=1)
    assert not alive(row(pid=sleeper.pid, pid_started=before.timestamp() - 5, heartbeat_at=before), now())


def test_a_runner_stays_alive_when_the_clock_was_set(sleeper: subprocess.Popen[bytes]) -> None:
    # Setting the clock moves the start times that the kernel tells; a heartbeat after the start settles it.
    started = liveness._started(sleeper.pid)
    assert started is not None
    heartbeat = datetime.fromtimestamp(started, UTC) + timedelta(seconds=1)
    assert alive(row(pid=sleeper.pid, pid_started=started - 7200, heartbeat_at=heartbeat), now() + LONG_AGO)


@pytest.mark.parametrize(("age", "lives"), [(0, True), (59, True), (61, False), (-3600, True)])
def test_a_runner_elsewhere_lives_as_long_as_its_heartbeat_is_fresh(age: int, *, lives: bool) -> None:
    then = now()
    away = row(host="elsewhere/00000000", heartbeat_at=then - timedelta(seconds=age))
    assert alive(away, then) is lives


def test_the_same_name_after_another_boot_is_elsewhere() -> None:
    rebooted = row(host=host().partition("/")[0] + "/00000000", heartbeat_at=now())
    assert alive(rebooted, now())
    assert not alive(rebooted, now() + timedelta(minutes=2))


def test_a_process_that_is_hidden_from_us_lives_as_long_as_its_heartbeat_is_fresh(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    hidden = row(pid=sleeper.pid, heartbeat_at=now(), host="")
    monkeypatch.setattr(liveness, "_PROC", tmp_path)
    monkeypatch.setattr(liveness, "host", lambda: "")
    assert alive(hidden, now())
    assert not alive(hidden, now() + timedelta(minutes=2))


@pytest.mark.parametrize("pid", [-1, 2**40])
def test_a_pid_that_cannot_be_is_dead(pid: int) -> None:
    assert not alive(row(pid=pid, pid_started=1.0), now())


def test_without_proc_the_same_is_told_by_psutil(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    by_proc = liveness._started(sleeper.pid)
    monkeypatch.setattr(liveness, "_PROC", tmp_path / "no-proc")
    by_psutil = liveness._started(sleeper.pid)
    assert by_psutil == pytest.approx(by_proc, abs=liveness.SAME_START)
    assert host().count("/") == 1
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert liveness._started(sleeper.pid) is None, "a zombie"
    sleeper.wait(timeout=10)
    assert liveness._started(sleeper.pid) is None, "gone"
