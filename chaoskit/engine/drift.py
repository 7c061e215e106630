"""Watches, as a probe among probes, whether what was injected is still in force on the same target."""

from collections.abc import Container, Sequence

from chaoskit.domain.errors import TargetError
from chaoskit.domain.ports import Sample
from chaoskit.engine.access import Access
from chaoskit.engine.planner import Prepared

CHUNK = 16
_SECONDS_EACH = 10.0


class DriftProbe:
    """Looks at some injections in turn. ``found`` keeps, by number, why one is no longer as it was injected."""

    def __init__(self, mine: Sequence[Prepared], access: Access, in_force: Container[int]) -> None:
        self._mine = mine
        self._access = access
        self._in_force = in_force
        self.found: dict[int, str] = {}

    @property
    def bound(self) -> float:
        """The longest one look may take, in seconds."""
        return _SECONDS_EACH * len(self._mine)

    def sample(self) -> Sample:
        """Holds when every injection is in force; unknown when a target could not be looked at."""
        unseen = ""
        for hit, injection in self._mine:
            if hit.n not in self._in_force:
                continue
            try:
                why = injection.drift(self._access.target(hit.spec, hit.ref))
                # Its rollback may have begun while we looked; then what we saw is our own doing.
                if why and hit.n in self._in_force:
                    self.found.setdefault(hit.n, why)
            except TargetError as error:
                self._access.forget(hit.ref)
                unseen = f"{hit.ref.name} could not be looked at: {error}"
        if self.found:
            return Sample(holds=False, problem=self._told())
        return Sample(holds=None, problem=unseen) if unseen else Sample(holds=True)

    def _told(self) -> str:
        names = {hit.n: f"{hit.fault.kind} on {hit.ref.name}" for hit, _ in self._mine}
        return "; ".join(f"{names[n]}: {why}" for n, why in self.found.items())


def drift_probes(prepared: Sequence[Prepared], access: Access, in_force: Container[int]) -> list[DriftProbe]:
    """One probe for each few injections, so that many targets are looked at side by side.

    ``in_force`` holds the numbers of the injections to look at; the run loop takes one out before undoing it.
    """
    return [DriftProbe(prepared[i : i + CHUNK], access, in_force) for i in range(0, len(prepared), CHUNK)]
