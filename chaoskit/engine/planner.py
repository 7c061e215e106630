"""Makes the plan: discovers, selects, prepares (looks without touching) and collects every reason not to start."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from chaoskit.domain.errors import TargetError
from chaoskit.domain.experiment import Experiment, FaultStep
from chaoskit.domain.journal import tag_of
from chaoskit.domain.plan import AbortLatency, Plan, PlannedGroup, PlannedInjection
from chaoskit.domain.ports import Fault, Injection, Sources, TargetRef
from chaoskit.domain.selection import Protection, Selection, choose, excesses, measure, shortfall, sort_out
from chaoskit.domain.targeting import TargetSpec
from chaoskit.engine.access import Access
from chaoskit.engine.crew import PATIENCE, WORKERS, Done, fan_out


class Brief(NamedTuple):
    """An experiment as loaded, with all that planning needs. ``slowest_abort_probe`` and ``scrape`` are in seconds."""

    experiment: Experiment
    faults: tuple[Fault, ...]
    path: str
    text: str
    sha256: str
    seed: str
    protected: Protection
    scrape: float | None
    slowest_abort_probe: float


class Hit(NamedTuple):
    """One fault that will hit one target."""

    n: int
    step: int
    group: str
    spec: TargetSpec
    ref: TargetRef
    fault: Fault
    duration: float


class Prepared(NamedTuple):
    """A hit, bound: the injection as data."""

    hit: Hit
    injection: Injection


class Planned(NamedTuple):
    """The plan, and the injections behind its lines."""

    plan: Plan
    prepared: tuple[Prepared, ...]


Patience = Callable[[], float]
"""As for :func:`fan_out`."""


def make_plan(
    brief: Brief, sources: Sources, access: Access, run: str, patience: Patience = lambda: PATIENCE
) -> Planned:
    """Plan ``brief`` against reality as it is now. Touches nothing; reasons not to start are in ``plan.blocked``."""
    selections, reasons = _discover(brief, sources, patience)
    reasons += _too_short(brief.experiment)
    hits = _choose(brief, selections)
    reasons += [
        short
        for index, step in enumerate(brief.experiment.faults)
        if step.target in selections and (short := shortfall(index, step, selections[step.target]))
    ]
    prepared, refused = _prepare(hits, access, run, patience)
    return Planned(_plan(brief, selections, hits, prepared, (*reasons, *refused)), prepared)


def _discover(brief: Brief, sources: Sources, patience: Patience) -> tuple[dict[str, Selection], list[str]]:
    experiment = brief.experiment
    groups = list(dict.fromkeys(step.target for step in experiment.faults))

    def discover(group: str) -> Selection:
        matched = sources(experiment.targets[group]).discover()
        return sort_out(group, matched, experiment.blast_radius.require_label, brief.protected)

    done = fan_out(discover, groups, patience=patience)
    found = {outcome.item: outcome.result for outcome in done if outcome.result is not None}
    return found, [f"targets.{outcome.item}: {_known(outcome.error)}" for outcome in done if outcome.error]


def _known(error: Exception) -> Exception:
    """An error of a driver that is in the tree; anything else is a defect and must not be dressed up as a guard."""
    if isinstance(error, TargetError):
        return error
    raise error


def _too_short(experiment: Experiment) -> list[str]:
    sampling = experiment.sampling
    needed = sampling.min_samples * sampling.tick
    return [
        f"faults.{index} ({step.kind}): lasts {step.duration:g}s, too short for {sampling.min_samples} samples "
        f"at a tick of {sampling.tick:g}s; make it {needed:g}s or longer, or lower sampling.tick"
        for index, step in enumerate(experiment.faults)
        if step.duration < needed
    ]


def _choose(brief: Brief, selections: Mapping[str, Selection]) -> list[Hit]:
    chosen = [
        (index, step, brief.faults[index], ref)
        for index, step in enumerate(brief.experiment.faults)
        if step.target in selections
        for ref in choose(step, selections[step.target], f"{brief.seed}/{index}")
    ]
    return [_hit(brief, n, *one) for n, one in enumerate(chosen, start=1)]


def _hit(brief: Brief, n: int, index: int, step: FaultStep, fault: Fault, ref: TargetRef) -> Hit:
    spec = brief.experiment.targets[step.target]
    return Hit(n=n, step=index, group=step.target, spec=spec, ref=ref, fault=fault, duration=step.duration)


def _prepare(
    hits: Sequence[Hit], access: Access, run: str, patience: Patience
) -> tuple[tuple[Prepared, ...], list[str]]:
    def prepare(hit: Hit) -> Prepared:
        target = access.target(hit.spec, hit.ref)
        return Prepared(hit, hit.fault.prepare(target, tag_of(run, hit.n)))

    done: list[Done[Hit, Prepared]] = fan_out(prepare, hits, patience=patience)
    prepared = tuple(outcome.result for outcome in done if outcome.result is not None)
    refused = [
        f"{outcome.item.fault.kind} on {outcome.item.ref.name}: {_known(outcome.error)}"
        for outcome in done
        if outcome.error
    ]
    return prepared, refused


def _plan(
    brief: Brief,
    selections: Mapping[str, Selection],
    hits: Sequence[Hit],
    prepared: Sequence[Prepared],
    reasons: Sequence[str],
) -> Plan:
    radius = brief.experiment.blast_radius
    by_group: dict[str, list[TargetRef]] = {}
    for hit in hits:
        by_group.setdefault(hit.group, []).append(hit.ref)
    measured = measure(radius, selections, by_group)
    distinct = len({hit.ref.id for hit in hits})
    return Plan(
        experiment=brief.experiment,
        path=brief.path,
        sha256=brief.sha256,
        seed=brief.seed,
        groups=tuple(PlannedGroup(group=s.group, matched=s.matched, excluded=s.excluded) for s in selections.values()),
        injections=tuple(_planned(one) for one in prepared),
        radius=measured,
        chosen=tuple({hit.ref.id: hit.ref for hit in hits}.values()),
        distinct=distinct,
        latency=_latency(brief, prepared),
        blocked=(*reasons, *excesses(radius, measured, distinct)),
    )


def _planned(prepared: Prepared) -> PlannedInjection:
    hit, injection = prepared
    return PlannedInjection(
        step=hit.step,
        kind=hit.fault.kind,
        group=hit.group,
        ref=hit.ref,
        duration=hit.duration,
        actions=injection.actions(),
        undo=injection.undo(),
        by_hand=injection.by_hand(),
        revert_within=injection.revert_within,
    )


def _latency(brief: Brief, prepared: Sequence[Prepared]) -> AbortLatency:
    """As many targets as there are workers are undone side by side, the injections of one target in order."""
    reverts: dict[str, float] = {}
    for hit, injection in prepared:
        reverts[hit.ref.id] = reverts.get(hit.ref.id, 0.0) + injection.revert_within
    tick, probe = brief.experiment.sampling.tick, brief.slowest_abort_probe
    held = max((rule.held_for for rule in brief.experiment.watched), default=0.0)
    return AbortLatency(
        scrape=brief.scrape,
        evaluate=_ticks(probe, tick) + probe,
        held=_ticks(held, tick) if held else 0.0,
        revert=math.ceil(len(reverts) / WORKERS) * max(reverts.values(), default=0.0),
    )


def _ticks(seconds: float, tick: float) -> float:
    """``seconds`` up to the next tick, at least one: a sample begins on a tick, after the one before it ended."""
    return max(1, math.ceil(round(seconds / tick, 6))) * tick
