"""One command on the runner's machine as a sample: its exit status, and the last line it printed as the number."""

import math
import os
import selectors
import signal
import subprocess
from contextlib import suppress
from typing import IO, NamedTuple

from chaoskit.domain.checks import CommandProbe
from chaoskit.domain.ports import Sample
from chaoskit.probes.wire import GRACE, CannotAsk, Deadline

TAIL_BYTES = 64 * 1024
"""How much of each output is kept: its end, for the number is on the last line."""
_LOOK_EVERY = 0.05
_WORDS = 160


class Ended(NamedTuple):
    """How a command ended; a negative status is the signal that killed it."""

    status: int
    stdout: str
    stderr: str


class CommandRunProbe:
    """Runs as ``spec`` says, never through a shell.

    Another exit status: the system said no (``holds`` is False). Missing, killed or late commands, and a last line
    that is no number where one is needed (``wants_number``): unknown. Whatever the command started in its process
    group is killed when it ends, so that a sample leaves nothing running.
    """

    def __init__(self, spec: CommandProbe, *, wants_number: bool) -> None:
        self._spec = spec
        self._wants_number = wants_number

    @property
    def bound(self) -> float:
        """The longest one sample may take, in seconds."""
        return self._spec.within + GRACE

    def sample(self) -> Sample:
        """Run once, within ``within``."""
        try:
            ended = run(self._spec.run, self._spec.within)
        except CannotAsk as error:
            return Sample(problem=str(error))
        what = f"`{' '.join(self._spec.run)}`"
        if ended.status < 0:
            return Sample(problem=f"{what} was killed by {_signal_name(-ended.status)}")
        if ended.status != self._spec.status:
            words = _last_line(ended.stderr)[:_WORDS]
            problem = f"{what}: status {ended.status}, not {self._spec.status}" + (f" ({words})" if words else "")
            return Sample(holds=False, problem=problem)
        return self._number(what, _last_line(ended.stdout)) if self._wants_number else Sample(holds=True)

    @staticmethod
    def _number(what: str, line: str) -> Sample:
        try:
            value = float(line)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            shown = repr(line[:_WORDS]) if line else "nothing"
            return Sample(problem=f"{what}: the last line must be a number, such as 0.99, but it is {shown}")
        return Sample(values=(value,), holds=True)


def run(argv: tuple[str, ...], seconds: float) -> Ended:
    """Run ``argv`` in a process group of its own. Raises CannotAsk when it cannot start or is not over in time."""
    deadline = Deadline(seconds)
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else str(error)) or "no reason given"
        raise CannotAsk(f"`{argv[0]}` cannot be run ({why.lower()}); check the command of the probe") from error
    try:
        stdout, stderr = _collect(process, deadline)
    except TimeoutError as error:
        raise CannotAsk(f"`{' '.join(argv)}` was not over within {seconds:g}s and was killed") from error
    finally:
        _end(process)
    return Ended(process.returncode, stdout, stderr)


def _collect(process: subprocess.Popen[bytes], deadline: Deadline) -> tuple[str, str]:
    """What the command prints until it ends; a child of it that holds the pipes open is not waited for."""
    assert process.stdout is not None
    assert process.stderr is not None
    tails = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in tails:
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ)
        while not _has_ended(process):
            for key, _ in selector.select(min(deadline.left(), _LOOK_EVERY)):
                pipe = process.stdout if key.fileobj is process.stdout else process.stderr
                if not _drain(pipe, tails[pipe]):
                    selector.unregister(pipe)
            deadline.left()
    _kill_group(process)  # so that nobody holds the pipes open while the rest is read
    for pipe, tail in tails.items():
        while _drain(pipe, tail) and deadline.left():
            pass
    out, err = (tail.decode(errors="replace") for tail in tails.values())
    return out, err


def _drain(pipe: IO[bytes], tail: bytearray) -> bool:
    """Read what is there now, and keep the end of it. False when there is nothing more to read."""
    try:
        chunk = os.read(pipe.fileno(), TAIL_BYTES)
    except BlockingIOError:
        return False
    tail += chunk
    del tail[:-TAIL_BYTES]
    return bool(chunk)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the command is over, without reaping it: its pid, which names the group, must not be reused yet."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    _kill_group(process)
    # Not even SIGKILL ends a process that hangs in the kernel; the sample stays bounded all the same.
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE / 2)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
