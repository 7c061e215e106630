"""A person's stop: a signal, or a halt in the store. It is asked for once and never taken back."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Halt:
    """Says that the run must stop, and wakes whoever waits. Safe to engage from a signal handler."""

    def __init__(self) -> None:
        self.reason = ""
        self._wakers: list[Callable[[], None]] = []

    @property
    def engaged(self) -> bool:
        """Whether somebody asked to stop."""
        return bool(self.reason)

    def engage(self, reason: str) -> None:
        """Ask to stop; the first reason stays."""
        self.reason = self.reason or reason or "no reason was given"
        for wake in self._wakers:
            wake()

    def on_engage(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when the halt is engaged; it must be safe inside a signal handler."""
        self._wakers.append(wake)


@contextmanager
def stopped_by_signals(halt: Halt, again: Callable[[str], None]) -> Iterator[None]:
    """Turn SIGINT, SIGTERM, SIGHUP and SIGQUIT into a halt.

    Any further one only calls ``again``: rollback is never cut short. Ctrl-Z is ignored, for a runner that sleeps
    keeps its faults in and watches nothing. A SIGHUP that is ignored when we start (``nohup``) stays ignored. Must
    be entered on the main thread; the previous handlers come back at the end.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if halt.engaged:
            # What it raises would surface wherever the main thread is, in the middle of the rollback perhaps.
            with suppress(Exception):
                again(name)
        halt.engage(f"stopped by {name}")

    hangup_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    heeded = [number for number in _STOPPING if not (number == signal.SIGHUP and hangup_ignored)]
    before = {number: signal.signal(number, handle) for number in heeded}
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
