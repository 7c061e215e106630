"""Children that outlive us, and commands that do not outlive their time.

A child is remembered as pid and start time: a pid alone may by now belong to somebody else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

import psutil

from chaoskit.demo.bed import BedUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

STOP_PATIENCE = 1.0  # seconds between SIGTERM and SIGKILL
KILL_PATIENCE = 2.0  # seconds for the kernel to carry out SIGKILL
POLL = 0.02  # seconds
TAIL_LINES = 8


class Child(NamedTuple):
    """A process that we started; ``created`` is its start time in Unix seconds."""

    pid: int
    created: float


def spawn(argv: tuple[str, ...], log: Path) -> Child:
    """Start ``argv`` in a session of its own, its output appended to ``log``; it goes on when we end.

    Raises BedUnavailable when there is no such program.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise BedUnavailable(f"there is no program {argv[0]} on PATH")
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        program,
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), writing, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Child(pid, psutil.Process(pid).create_time())


def running(child: Child) -> psutil.Process | None:
    """Return the process if it is still the one that we started, and not a zombie."""
    try:
        process = psutil.Process(child.pid)
        same = abs(process.create_time() - child.created) < 1.0  # psutil's clock tick is a hundredth
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def stop(processes: Iterable[psutil.Process], patience: float = STOP_PATIENCE) -> None:
    """End all of them: SIGTERM, ``patience`` seconds, SIGKILL. A frozen one is woken, or it could not leave.

    Raises BedUnavailable when one of them does not go.
    """
    wanted = list(processes)
    for process in wanted:
        _signal(process, "terminate", "resume")
    stubborn = _left_after(patience, wanted)
    for process in stubborn:
        _signal(process, "kill")
    if left := _left_after(KILL_PATIENCE, stubborn):
        raise BedUnavailable(f"these processes do not end: {[process.pid for process in left]}")


def _left_after(patience: float, wanted: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return those that still live after at most ``patience`` seconds.

    A zombie counts as gone: reaping it is up to its parent, and the init of a container may never do it.
    """
    deadline = time.monotonic() + patience
    while (left := [process for process in wanted if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(POLL)
    return left


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(ChildProcessError):  # not our child: nothing to reap
        os.waitpid(process.pid, os.WNOHANG)
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, *methods: str) -> None:
    """Send signals through psutil, which refuses when the pid has a new owner."""
    for method in methods:
        try:
            getattr(process, method)()
        except psutil.NoSuchProcess:
            return
        except psutil.AccessDenied as trouble:
            raise BedUnavailable(f"process {process.pid} may not be stopped by this user") from trouble


def run(argv: Sequence[str], log: Path, timeout: float, env: Mapping[str, str] | None = None) -> None:
    """Run a command to its end, its output appended to ``log``.

    Raises BedUnavailable with the last lines of the output when it fails or takes more than ``timeout``
    seconds; then the whole process group is gone too.
    """
    began = time.monotonic()
    command = " ".join(argv[:3])
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        except OSError as trouble:
            raise BedUnavailable(f"`{command} ...` cannot be started: {trouble}") from trouble
        try:
            status = process.wait(timeout)
        except BaseException as trouble:
            _end_group(process)
            if not isinstance(trouble, subprocess.TimeoutExpired):
                raise
            raise BedUnavailable(f"`{command} ...` took more than {timeout:.0f} s; see {log}") from None
    if status:
        took = time.monotonic() - began
        raise BedUnavailable(f"`{command} ...` ended with {status} after {took:.0f} s:\n{tail(log)}")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, 9)
    process.wait(STOP_PATIENCE)


def tail(log: Path) -> str:
    """Return the last lines of a log, for an error message."""
    if not log.exists():
        return "(no output)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
