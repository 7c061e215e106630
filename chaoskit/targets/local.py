"""Processes of this machine as targets: found by name, command line, pidfile or port, and signalled safely."""

import errno
import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, unquote

from chaoskit.domain.capabilities import Completed, Owner, ProcessState
from chaoskit.domain.errors import (
    AccessDenied,
    TargetError,
    TargetGone,
    Unreachable,
    Unsupported,
)
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.targeting import LocalSelector
from chaoskit.targets import local_spawn
from chaoskit.targets.local_exclusion import exclusion, ourselves, serving
from chaoskit.targets.local_process import Found, Life, boot, machine, matching, read_owner, read_stat, state_of
from chaoskit.targets.local_run import run_here

_ID = re.compile(r"local://(?P<machine>[^/]+)/(?P<name>[^@]*)@(?P<pid>\d+):(?P<ticks>\d+)\.(?P<boot>[0-9a-f-]+)")


class LocalSource:
    """The processes of this machine that match ``selector``.

    Never chaoskit, whatever it was started from, process 1, threads of the kernel, or what serves ``watched_urls``:
    those are found, and excluded.
    """

    def __init__(self, selector: LocalSelector, *, watched_urls: Sequence[str] = ()) -> None:
        self._selector = selector
        self._watched_urls = tuple(watched_urls)

    def discover(self) -> Sequence[TargetRef]:
        """Everything that matches, excluded ones too, by pid. Raises AccessDenied, Unsupported."""
        found = matching(self._selector)
        ours, watched = (ourselves(), serving(self._watched_urls)) if found else (frozenset[int](), {})
        return [self._ref(process, exclusion(process, ours, watched)) for process in found]

    @contextmanager
    def open(self, ref: TargetRef) -> Iterator["LocalTarget"]:
        """The process of ``ref``, also when it is gone: then it is to be brought back.

        Raises Unreachable when ``ref`` belongs to another machine.
        """
        parsed = _ID.fullmatch(ref.id)
        if parsed is None:
            raise Unsupported(f"{ref.id} is not the id of a local process")
        if unquote(parsed["machine"]) != machine():
            raise Unreachable(f"{ref.id} runs on another machine than this one ({machine()}); run chaoskit there")
        life = Life(int(parsed["pid"]), int(parsed["ticks"]))
        yield LocalTarget(ref.id, life, self._selector, of_this_boot=parsed["boot"] == boot())

    def _ref(self, found: Found, why_not: str) -> TargetRef:
        life = found.stat.life
        stopped = found.stat.state == "T"
        labels = {"name": found.name}
        if self._selector.port is not None:
            labels["port"] = str(self._selector.port)
        identity = local_spawn.name(life)
        return TargetRef(
            id=f"local://{quote(machine())}/{quote(found.name, safe='')}@{identity}.{boot()}",
            name=f"{found.name}-{found.stat.life.pid}",
            labels=labels,
            identity=identity,
            healthy=not stopped,
            condition="stopped" if stopped else "running",
            exclusion=why_not,
        )


class LocalTarget:
    """One process of this machine, by pid and start time; it may be gone."""

    def __init__(self, ref_id: str, life: Life, selector: LocalSelector, *, of_this_boot: bool = True) -> None:
        self._id = ref_id
        self._life = life
        self._selector = selector
        self._of_this_boot = of_this_boot

    @property
    def id(self) -> str:
        """The id of its reference."""
        return self._id

    def identity(self) -> str:
        """The pid and start time of the process, or of the newest that took its place. Raises TargetGone."""
        if self.process().running:
            return local_spawn.name(self._life)
        lives = self._lives_since()
        if not lives:
            raise TargetGone(f"{self._id} has ended, and nothing that matches its selector has started since")
        return local_spawn.name(max(lives, key=lambda life: life.ticks))

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:
        """Run a command here; it and its children are killed after ``timeout`` seconds.

        Raises CommandFailed when it cannot be started, TargetTimeout.
        """
        return run_here(argv, timeout)

    # --- the process ------------------------------------------------------------------------------------

    def process(self) -> ProcessState:
        """The very process that was selected, read afresh; a zombie counts as gone."""
        stat = read_stat(self._life.pid) if self._of_this_boot else None
        if stat is None or stat.life != self._life:
            return ProcessState(pid=0, running=False)
        return state_of(stat)

    def successors(self) -> tuple[ProcessState, ...]:
        """What matches the selector and started later, unless chaoskit started it in place of another process."""
        stats = (read_stat(life.pid) for life in self._lives_since())
        return tuple(state_of(stat) for stat in stats if stat is not None)

    def signal_process(self, name: str) -> None:
        """Send the signal ``name`` (``KILL``, ``STOP`` …) to the selected process, if it is still there.

        Raises AccessDenied, Unsupported.
        """
        number = getattr(signal.Signals, f"SIG{name}", None)
        if number is None:
            raise Unsupported(f"there is no signal {name} here; write for example KILL or TERM")
        try:
            self._signal(number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise AccessDenied(f"{self._id} belongs to another user; run chaoskit as root or as that user") from error
        except OSError as error:
            raise TargetError(f"{self._id} cannot be sent SIG{name}: {error}") from error

    def spawn(self, argv: Sequence[str], cwd: str, output: str) -> int:
        """Start ``argv`` detached in place of the selected process, as the user who runs chaoskit.

        A second call finds what the first has started. What is started gets the environment of the original where
        that was remembered. Raises CommandFailed, TargetError.
        """
        return local_spawn.spawn(argv, cwd, output, self._life)

    def spawns_as(self) -> Owner | None:
        """Our own rights."""
        return read_owner(os.getpid())

    def remember(self, output: str) -> None:
        """Put the environment of the selected process aside for a later :meth:`spawn`. Raises TargetError."""
        local_spawn.remember(self._life, output)

    def forget(self, output: str) -> None:
        """Remove what was put aside. Raises TargetError."""
        local_spawn.forget(output)

    def _signal(self, number: signal.Signals) -> None:
        try:
            handle = os.pidfd_open(self._life.pid)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            # Before Linux 5.3 there is no handle, and between the look and the signal a pid could change hands.
            if self.process().running:
                os.kill(self._life.pid, number)
            return
        try:
            # The handle holds on to one life of the pid, so it helps to look which one only once we have it.
            if self.process().running:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)

    def _lives_since(self) -> list[Life]:
        mine = local_spawn.name(self._life)
        lives = (found.stat.life for found in matching(self._selector))
        return [life for life in lives if self._is_later(life) and local_spawn.in_place_of(life.pid) in {"", mine}]

    def _is_later(self, life: Life) -> bool:
        return not self._of_this_boot or (life != self._life and life.ticks >= self._life.ticks)
