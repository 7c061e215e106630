"""What chaoskit left on this machine, found by its tags alone: dead-man timers, and environments put aside."""

import re
from collections.abc import Iterator
from pathlib import Path

from chaoskit.domain.capabilities import Completed
from chaoskit.domain.errors import TargetError
from chaoskit.domain.traces import Trace
from chaoskit.targets import deadman
from chaoskit.targets.local_run import run_here

HERE = "this machine"
UNDOES_WITHIN = 60.0
_ASIDE = re.compile(r"(?P<tag>chaoskit-[a-z0-9-]+-\d+)\.log\.environ")


class Machine:
    """The machine we are on, as a target that only runs commands."""

    id = "local://this-machine"

    def identity(self) -> str:
        """It has no lives to tell apart."""
        return ""

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:
        """As for :class:`LocalTarget`."""
        return run_here(argv, timeout)


def traces(put_aside: Path) -> Iterator[Trace]:
    """Everything tagged, of the present user. ``put_aside`` is where environments are. Raises TargetError."""
    yield from map(_of_timer, deadman.armed(Machine()))
    yield from (
        _of_file(path, found["tag"]) for path in sorted(put_aside.glob("*")) if (found := _ASIDE.fullmatch(path.name))
    )


def _of_file(path: Path, tag: str) -> Trace:
    what = f"the environment of a process that was killed, put aside in {path}"
    return Trace(HERE, tag, what, at_work=False, remove=lambda: _remove(path))


def _of_timer(timer: deadman.Timer) -> Trace:
    alive = "alive" if timer.alive else "dead"
    what = f"a dead-man timer in {timer.folder} ({timer.state}, its loop is {alive})"
    return Trace(HERE, timer.tag, what, at_work=timer.alive, remove=lambda: _undo(timer))


def _undo(timer: deadman.Timer) -> str:
    """Do what the timer was to do, unless it has done it, and remove it. Raises TargetError."""
    machine = Machine()
    done = ""
    if timer.state in {"held", "fired"}:
        ended = machine.run("sh", f"{timer.folder}/undo", timeout=UNDOES_WITHIN)
        if ended.status != 0:
            raise TargetError(f"the undo of {timer.tag} ended with {ended.status}: {ended.stderr.strip()}")
        done = "its undo was run, and "
    deadman.disarm(machine, timer.tag)
    return f"{done}it was removed"


def _remove(path: Path) -> str:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise TargetError(f"{path} cannot be removed: {error.strerror}") from error
    return "it was removed"
