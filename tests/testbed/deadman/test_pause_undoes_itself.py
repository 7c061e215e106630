"""``process.pause`` with a dead-man timer: a frozen process runs again when the runner is gone."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaoskit.domain.capabilities import ProcessState
from chaoskit.domain.ports import SelfReverting
from chaoskit.faults.process_pause import PauseInjection, ProcessPause
from chaoskit.targets import deadman
from tests.testbed.deadman.conftest import needs_root
from tests.testbed.deadman.timers import Place, state_of, timer, uptime, wait_for
from tests.testbed.local.process_parts import server_bed

LEASE = 2.0
NAMED = "import sys, time; open('/proc/self/comm', 'w').write(sys.argv[1]); print(flush=True); time.sleep(300)"
AWKWARD = ["plain", "a b", "x) T 1 (y", ")", "two\nlines", ") 1 2 3"]
SHELLS = [["dash"], ["busybox", "sh"], ["bash"]]


def test_a_frozen_process_runs_again_when_nobody_renews(here: Place) -> None:
    with server_bed() as bed, timer(here) as it, bed.open() as target:
        injection = ProcessPause().prepare(target, it.tag)
        assert isinstance(injection, SelfReverting)
        deadman.arm(target, it.tag, injection.undo_script(), LEASE)
        injection.inject(target)
        assert not bed.serving()
        assert deadman.renew(target, it.tag, LEASE) == ""
        renewed = uptime()
        wait_for(lambda: injection.drift(target) == "continued by somebody else")
        assert renewed < uptime() <= renewed + LEASE + deadman.LATE
        wait_for(bed.serving)
        assert "has undone the injection" in deadman.renew(target, it.tag, LEASE)
        assert injection.revert(target) == "was not stopped; nothing to undo"
        assert injection.verify(target) == ()
        deadman.disarm(target, it.tag)
        assert it.nothing_left()


@pytest.fixture(params=AWKWARD)
def process(request: pytest.FixtureRequest) -> Iterator[int]:
    """A process with that name."""
    argv = [sys.executable, "-c", NAMED, request.param]
    # In a session of its own: everybody may send SIGCONT within one.
    started = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
    assert started.stdout is not None
    try:
        assert started.stdout.readline() == b"\n"
        assert Path(f"/proc/{started.pid}/comm").read_text() == f"{request.param}\n"
        yield started.pid
    finally:
        started.kill()
        started.communicate(timeout=10)


def paused(pid: int, *, ticks_off: int = 0) -> PauseInjection:
    """That process as the fault would hold it, or another life of its pid."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) + ticks_off
    before = ProcessState(pid=pid, running=True, started_at=ticks / os.sysconf("SC_CLK_TCK"), ticks=ticks)
    return PauseInjection(tag="chaoskit-test-1", target="local://x", before=before)


def undo(shell: list[str], injection: PauseInjection) -> "subprocess.CompletedProcess[str]":
    if shutil.which(shell[0]) is None:
        pytest.skip(f"missing capability: the shell {shell[0]}")
    argv = [*shell, "-c", injection.undo_script()]
    return subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_undo_continues_one_life_of_a_pid_and_leaves_every_other_alone(process: int, shell: list[str]) -> None:
    os.kill(process, signal.SIGSTOP)
    wait_for(lambda: state_of(process) == "T")
    for ticks_off in (-1, 1):
        done = undo(shell, paused(process, ticks_off=ticks_off))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert state_of(process) == "T"
    done = undo(shell, paused(process))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wait_for(lambda: state_of(process) != "T")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_undo_has_nothing_to_do_when_the_process_is_gone(shell: list[str]) -> None:
    ended = subprocess.Popen(["true"])
    injection = paused(ended.pid)
    ended.wait(10)
    done = undo(shell, injection)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_root
def test_an_undo_that_is_not_allowed_says_so(process: int) -> None:
    os.kill(process, signal.SIGSTOP)
    wait_for(lambda: state_of(process) == "T")
    argv = ["setpriv", "--reuid", "12345", "--clear-groups", "sh", "-c", paused(process).undo_script()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode != 0
    assert "not permitted" in done.stderr
    assert state_of(process) == "T"
