"""What the faults on processes share: telling one life of a process from another, and waiting for a moment."""

import time
from collections.abc import Callable, Sequence

from chaoskit.domain.capabilities import ProcessState, Target, processes
from chaoskit.domain.quantities import Value

_LOOK_EVERY = 0.05


class Life(Value):
    """One life of one pid."""

    pid: int
    started_at: float


def life_of(state: ProcessState) -> Life:
    """Which life ``state`` is of."""
    return Life(pid=state.pid, started_at=state.started_at)


def age(state: ProcessState) -> float:
    """Seconds since ``state``'s process started, in the kernel's clock: that of ``started_at``, which nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - state.started_at


def running(target: Target) -> bool:
    """Whether the selected process itself is still there."""
    return processes(target).process().running


def newcomers(target: Target, known: Sequence[Life]) -> list[ProcessState]:
    """What matches the selector, is younger than the selected process, was not ``known``, and is not stopped."""
    return [state for state in processes(target).successors() if not state.stopped and life_of(state) not in known]


def soon(holds: Callable[[], bool], within: float) -> bool:
    """Whether ``holds`` becomes true within so many seconds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_EVERY)
    return True
