"""Runs a command on this machine, bounded: when its time is over, it and all its children are ended."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from chaoskit.domain.capabilities import Completed, shown
from chaoskit.domain.errors import CommandFailed, TargetTimeout

_NO_SUCH_COMMAND = 127


def run_here(argv: Sequence[str], timeout: float) -> Completed:
    """Run ``argv``; it and its children are killed after ``timeout`` seconds.

    Raises CommandFailed when it cannot be started, TargetTimeout.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except (OSError, ValueError) as error:
        raise CommandFailed(argv, _NO_SUCH_COMMAND, str(error)) from error
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        _abandon(process)
        raise TargetTimeout(f"`{shown(argv)}` was not over within {timeout:g}s and was killed") from error
    return Completed(process.returncode, out, err)


def _abandon(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # not even SIGKILL ends a process that hangs in the kernel
        process.wait(1.0)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
