"""The plan: exact targets, exact actions and their undo, and the arithmetic of the blast radius, before any touch."""

import hashlib
import json
import re
from collections.abc import Sequence

from chaoskit.domain.experiment import Experiment
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.quantities import Value
from chaoskit.domain.selection import Excluded, Radius

_RUN_IN_TAG = re.compile(r"chaoskit-[a-z0-9]+-(?=[0-9])")


class PlannedGroup(Value):
    """What the selector of one target group matched."""

    group: str
    matched: tuple[TargetRef, ...]
    excluded: tuple[Excluded, ...]


class PlannedInjection(Value):
    """One fault on one target: what will be done, how it is undone, and what a person would type to undo it."""

    step: int
    kind: str
    group: str
    ref: TargetRef
    duration: float
    actions: tuple[str, ...]
    undo: tuple[str, ...]
    by_hand: tuple[str, ...]
    revert_within: float


class AbortLatency(Value):
    """Seconds from a breach in the real system to everything restored, as predicted from its parts.

    ``scrape`` is how old Prometheus's newest sample may be; ``evaluate`` the longest an abort probe may take, up to
    the next tick (a sample under way may just have missed the breach), and once more; ``held`` the longest ``for:``
    of a condition, up to the next tick; ``revert`` the bound of the slowest rollback, for as many turns as needed.
    """

    scrape: float | None
    evaluate: float
    held: float
    revert: float

    @property
    def worst(self) -> float:
        """The sum of the parts; a scrape interval that could not be read counts as zero and is said so."""
        return (self.scrape or 0.0) + self.evaluate + self.held + self.revert


class Plan(Value):
    """Everything a run would do. ``blocked`` holds every reason of the plan itself not to start.

    ``chosen`` are the targets that would be hit, those among them too whose injection could not be prepared.
    """

    experiment: Experiment
    path: str
    sha256: str
    seed: str
    groups: tuple[PlannedGroup, ...]
    injections: tuple[PlannedInjection, ...]
    radius: tuple[Radius, ...]
    chosen: tuple[TargetRef, ...] = ()
    distinct: int
    latency: AbortLatency
    blocked: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what was promised: experiment, seed, targets with their identities, actions and undo.

        The run's id inside tags is left out, as are measured values (the health text, the predicted latency) and
        the file's path, so that the same promise always has the same fingerprint.
        """
        canonical = json.dumps(self._promise(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def _promise(self) -> dict[str, object]:
        return {
            "experiment": self.experiment.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            "seed": self.seed,
            "matched": {g.group: sorted([r.id, r.identity, r.exclusion] for r in g.matched) for g in self.groups},
            "injections": [
                [i.step, i.kind, i.group, i.ref.id, i.ref.identity, _untagged(i.actions), _untagged(i.undo)]
                for i in self.injections
            ],
            "radius": [r.model_dump(mode="json") for r in self.radius],
        }


def _untagged(lines: Sequence[str]) -> list[str]:
    return [_RUN_IN_TAG.sub("chaoskit-", line) for line in lines]


def drift(promised: Plan, real: Plan) -> list[str]:
    """What changed between a plan and reality, in words; empty when the promise still stands."""
    if promised.fingerprint == real.fingerprint:
        return []
    found = [] if promised.experiment == real.experiment else ["the experiment itself changed"]
    for old in promised.groups:
        now = next((g for g in real.groups if g.group == old.group), None)
        found += _group_drift(old.group, old.matched, now.matched if now else ())
    picked, picks = _picked(promised), _picked(real)
    if picked != picks:
        found.append(f"the chosen targets changed: {', '.join(picked)} in the plan, {', '.join(picks) or 'none'} now")
    return found or ["the actions or the health of the targets changed; make a new plan"]


def _picked(plan: Plan) -> list[str]:
    return [f"{i.kind} on {i.ref.name}" for i in plan.injections]


def _group_drift(group: str, old: Sequence[TargetRef], now: Sequence[TargetRef]) -> list[str]:
    before, after = {r.id: r for r in old}, {r.id: r for r in now}
    gone = [f"{before[i].name} of {group!r} is gone" for i in before.keys() - after.keys()]
    new = [f"{after[i].name} of {group!r} is new" for i in after.keys() - before.keys()]
    both = before.keys() & after.keys()
    restarted = [f"{after[i].name} of {group!r} was restarted" for i in both if before[i].identity != after[i].identity]
    return sorted(gone) + sorted(new) + sorted(restarted)
