"""What the faults on processes share: telling one life of a process from another, and waiting for a moment."""

import time
from collections.abc import Callable, Sequence

from chaoskit.domain.capabilities import Owner, ProcessState, Target, processes
from chaoskit.domain.errors import TargetGone, Unsupported
from chaoskit.domain.quantities import Value

_LOOK_EVERY = 0.05


class Life(Value):
    """One life of one pid."""

    pid: int
    started_at: float


def life_of(state: ProcessState) -> Life:
    """Which life ``state`` is of."""
    return Life(pid=state.pid, started_at=state.started_at)


def hittable(target: Target) -> tuple[ProcessState, tuple[Life, ...]]:
    """The selected process, and what matches its selector and is younger.

    Its arguments are left out, for they may hold secrets and this goes into the journal. Raises TargetGone when it has
    ended, Unsupported when it is stopped.
    """
    found = processes(target)
    now = found.process()
    if not now.running:
        raise TargetGone(f"{target.id} has ended; run `chaoskit plan` to see what matches now")
    if now.stopped:
        raise Unsupported(f"{target.id} is stopped already; let it go on first: kill -CONT {now.pid}")
    others = tuple(life_of(state) for state in found.successors())
    return now.model_copy(update={"argv": (program(now),)}), others


def program(state: ProcessState) -> str:
    """The program of ``state``, as one word."""
    return " ".join(state.argv[:1]).split(" ")[0] or "the process"


def newest(found: Sequence[ProcessState]) -> ProcessState:
    """The one that started last."""
    return max(found, key=lambda state: state.started_at)


def age(state: ProcessState) -> float:
    """Seconds since ``state``'s process started, in the kernel's clock: that of ``started_at``, which nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - state.started_at


def running(target: Target) -> bool:
    """Whether the selected process itself is still there."""
    return processes(target).process().running


def newcomers(target: Target, known: Sequence[Life]) -> list[ProcessState]:
    """What matches the selector, is younger than the selected process, was not ``known``, and is not stopped."""
    return [state for state in processes(target).successors() if not state.stopped and life_of(state) not in known]


def usurped(found: Sequence[ProcessState], before: Owner | None) -> str:
    """What is wrong when none of ``found`` has the rights of ``before``; empty when one has, or nothing is known."""
    if not found or before is None or any(state.owner == before for state in found):
        return ""
    now = newest(found)
    had = f"process {now.pid} has the rights of {now.owner}, and it had those of {before} before"
    return f"{had}; end it, and have it started with those"


def soon(holds: Callable[[], bool], within: float) -> bool:
    """Whether ``holds`` becomes true within so many seconds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_EVERY)
    return True
