"""The lease of a run: how long its faults may stay in when its runner no longer says that it lives.

The run loop itself keeps it, and no thread beside it: only who could abort may say that all is well. A guardian, a
process apart, holds what is to be undone and undoes it when the lease runs out. A lease that was lost stays lost.
"""

from collections.abc import Sequence
from math import inf
from typing import Protocol

from chaoskit.domain.journal import Intended
from chaoskit.domain.ports import Clock

DEFAULT = 15.0
"""Seconds after its last sign of life at which a runner counts as dead."""

RENEWALS = 3
"""How many renewals fit into one lease: two may get lost."""


class Guardian(Protocol):
    """Who undoes the faults of a runner that went silent. Each call is quick, and made by the run loop alone."""

    def arm(self, intended: Sequence[Intended]) -> None:
        """Hand over what is to be undone, and wait until it is held. Raises GuardianLost."""

    def renew(self) -> None:
        """Say that the runner lives."""

    def lost(self) -> str:
        """Why it cannot be relied on any more, or has undone the faults already; empty while it stands by."""

    def release(self, n: int) -> None:
        """Injection ``n`` is proven restored: it is no longer to be undone."""

    def disarm(self) -> None:
        """Everything is proven restored: it may go home."""


class Lease:
    """Renewed by the run loop from arming to disarming; ``seconds`` is how long it lasts without that."""

    def __init__(self, seconds: float, guardian: Guardian, clock: Clock) -> None:
        self.seconds = seconds
        self._guardian = guardian
        self._clock = clock
        self._renewed = 0.0
        self._kept = 0.0
        self._armed = False
        self._lost = ""

    def arm(self, intended: Sequence[Intended]) -> None:
        """Begin. Nothing may be injected before this returns. Raises GuardianLost."""
        self._guardian.arm(intended)
        self._renewed = self._kept = self._clock.now()
        self._armed = True

    @property
    def renew_every(self) -> float:
        """Seconds between two renewals."""
        return self.seconds / RENEWALS

    @property
    def is_kept(self) -> bool:
        """Whether the run loop has looked after it lately; may be asked from any thread."""
        return not self._lost and self._clock.now() - self._kept < 2 * self.renew_every

    @property
    def due(self) -> float:
        """When the next renewal is due, in monotonic seconds; infinity while there is nothing to renew."""
        return self._renewed + self.renew_every if self._armed and not self._lost else inf

    def keep(self) -> str:
        """Renew it when that is due; why it is lost, empty while it is held or not armed."""
        if not self._armed or self._lost:
            return self._lost
        silent = self._clock.now() - self._renewed
        if silent >= self.seconds:
            self._lost = (
                f"the runner was silent for {silent:.1f}s, longer than its lease of {self.seconds:g}s: "
                "its faults may have been undone meanwhile"
            )
        elif lost := self._guardian.lost():
            self._lost = lost
        elif self._clock.now() >= self.due:
            self._guardian.renew()
            self._renewed = self._clock.now()
        self._kept = self._clock.now()
        return self._lost

    def release(self, n: int) -> None:
        """Injection ``n`` is proven restored."""
        if self._armed:
            self._guardian.release(n)

    def disarm(self) -> None:
        """End it: everything is proven restored."""
        if self._armed:
            self._armed = False
            self._guardian.disarm()
