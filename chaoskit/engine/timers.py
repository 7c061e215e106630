"""Dead-man timers on targets: what a target can undo by itself is armed there, and wound up while the run loop lives.

The guardian does not survive what ends its machine; a timer on the target does.
"""

from collections.abc import Container, Sequence
from typing import NamedTuple, Protocol

from chaoskit.domain.ports import Clock, Sample, SelfReverting, Target
from chaoskit.engine.access import Access
from chaoskit.engine.lease import Lease
from chaoskit.engine.planner import Prepared

CHUNK = 16
_SECONDS_EACH = 10.0


class Timers(Protocol):
    """How timers are kept on a target; given by the composition root. ``seconds`` is the lease."""

    def arm(self, target: Target, tag: str, script: str, seconds: float) -> None:
        """Start the timer of ``tag``, which runs ``script`` when its lease is over. Raises TargetError."""

    def renew(self, target: Target, tag: str, seconds: float) -> str:
        """Begin the lease anew; why it is lost, empty while it is held. Raises TargetError when nobody can say."""

    def disarm(self, target: Target, tag: str) -> None:
        """End the timer without a deed; harmless when there is none. Raises TargetError unless it is gone."""


class Winding(NamedTuple):
    """What winding up takes: how it is done, the lease it goes by, and the time."""

    timers: Timers
    lease: Lease
    clock: Clock


class TimerProbe:
    """Winds up the timers of some injections, as a probe among probes. ``armed`` holds the numbers of those that run.

    It does so only while the run loop keeps its lease: a loop that hangs must not be kept alive by its threads.
    """

    def __init__(self, mine: Sequence[Prepared], access: Access, armed: Container[int], winding: Winding) -> None:
        self._mine = mine
        self._access = access
        self._armed = armed
        self._timers, self._lease, self._clock = winding
        self._wound: dict[int, float] = {}
        self._lost: dict[int, str] = {}

    @property
    def bound(self) -> float:
        """The longest one round may take, in seconds."""
        return _SECONDS_EACH * len(self._mine)

    def sample(self) -> Sample:
        """Holds while every timer is held; unknown when one could not be reached."""
        unreached = ""
        for one in self._mine:
            if one.hit.n in self._armed and self._lease.is_kept and self._is_due(one.hit.n):
                unreached = self._wind(one) or unreached
        if self._lost:
            return Sample(holds=False, problem="; ".join(self._lost.values()))
        return Sample(holds=None, problem=unreached) if unreached else Sample(holds=True)

    def _is_due(self, n: int) -> bool:
        # From the first look on: it was armed some moments before.
        wound = self._wound.setdefault(n, self._clock.now())
        return self._clock.now() >= wound + self._lease.renew_every

    def _wind(self, one: Prepared) -> str:
        """Renew one; why it could not be reached, if so."""
        hit = one.hit
        begun = self._clock.now()
        try:
            lost = self._timers.renew(self._access.target(hit.spec, hit.ref), one.injection.tag, self._lease.seconds)
        except Exception as error:  # noqa: BLE001 whatever one renewal raises, the others must still get theirs
            self._access.forget(hit.ref)
            return f"the dead-man timer on {hit.ref.name} could not be renewed: {error}"
        self._wound[hit.n] = begun
        # Its rollback may have begun meanwhile, which ends the timer.
        if lost and hit.n in self._armed:
            self._lost[hit.n] = f"{hit.fault.kind} on {hit.ref.name}: {lost}"
        return ""


def timer_probes(
    prepared: Sequence[Prepared], access: Access, armed: Container[int], winding: Winding
) -> list[TimerProbe]:
    """One probe for each few of those injections that have a timer."""
    timed = [one for one in prepared if isinstance(one.injection, SelfReverting)]
    chunks = [timed[i : i + CHUNK] for i in range(0, len(timed), CHUNK)]
    return [TimerProbe(chunk, access, armed, winding) for chunk in chunks]
