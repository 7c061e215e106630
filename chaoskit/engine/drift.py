"""Watches, as a probe among probes, whether what was injected is still in force on the same target."""

from collections.abc import Container, Sequence

from chaoskit.domain.coverage import lately, usual
from chaoskit.domain.ports import Clock, Sample
from chaoskit.engine.access import Access
from chaoskit.engine.planner import Prepared

CHUNK = 16
_SECONDS_EACH = 10.0


class DriftProbe:
    """Looks at some injections in turn. ``found`` keeps, by number, why one is no longer as it was injected."""

    def __init__(self, mine: Sequence[Prepared], access: Access, in_force: Container[int], clock: Clock) -> None:
        self._mine = mine
        self._access = access
        self._in_force = in_force
        self._clock = clock
        self._looked: dict[int, float] = {}
        self._rounds: list[float] = []
        self.found: dict[int, str] = {}

    @property
    def bound(self) -> float:
        """The longest one look may take, in seconds."""
        return _SECONDS_EACH * len(self._mine)

    def sample(self) -> Sample:
        """Holds when every injection is in force; unknown when a target could not be looked at."""
        unseen = ""
        begin = self._clock.now()
        for one in self._mine:
            if one.hit.n in self._in_force:
                unseen = self._look(one) or unseen
        self._rounds.append(self._clock.now() - begin)
        if self.found:
            return Sample(holds=False, problem=self._told())
        return Sample(holds=None, problem=unseen) if unseen else Sample(holds=True)

    def _look(self, one: Prepared) -> str:
        """Look at one; why it could not be looked at, if so."""
        hit = one.hit
        try:
            why = one.injection.drift(self._access.target(hit.spec, hit.ref))
        except Exception as error:  # noqa: BLE001 whatever one look raises, the others must still get theirs
            self._access.forget(hit.ref)
            return f"{hit.ref.name} could not be looked at: {error}"
        self._looked[hit.n] = self._clock.now()
        # Its rollback may have begun while we looked; then what we saw is our own doing.
        if why and hit.n in self._in_force:
            self.found.setdefault(hit.n, why)
        return ""

    def overlooked(self, tick: float) -> dict[int, str]:
        """By number, what has not been looked at lately: an effect may be gone that nobody saw going."""
        now = self._clock.now()
        # By a usual round: one in which a target hung would excuse the next that hangs.
        allowed = lately(tick, usual(self._rounds))
        ages = {one.hit.n: now - self._looked.get(one.hit.n, 0.0) for one in self._mine}
        return {
            n: f"was not looked at in the last {age:.1f}s" if n in self._looked else "was never looked at again"
            for n, age in ages.items()
            if n in self._in_force and (n not in self._looked or age > allowed)
        }

    def _told(self) -> str:
        names = {hit.n: f"{hit.fault.kind} on {hit.ref.name}" for hit, _ in self._mine}
        return "; ".join(f"{names[n]}: {why}" for n, why in dict(self.found).items())


def drift_probes(
    prepared: Sequence[Prepared], access: Access, in_force: Container[int], clock: Clock
) -> list[DriftProbe]:
    """One probe for each few injections, so that many targets are looked at side by side.

    ``in_force`` holds the numbers of the injections to look at; the run loop takes one out before undoing it.
    """
    return [DriftProbe(prepared[i : i + CHUNK], access, in_force, clock) for i in range(0, len(prepared), CHUNK)]
