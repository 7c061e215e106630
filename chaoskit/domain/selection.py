"""Who is hit, and whether that is too many. Pure: the same candidates and seed give the same answer everywhere."""

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase

from chaoskit.domain.experiment import BlastRadius, FaultStep
from chaoskit.domain.picking import PickValue
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.quantities import Value, format_percent


class Protection(Value):
    """Targets that no experiment may touch, whatever it says: name patterns, and labels (``key`` or ``key=value``)."""

    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class Excluded(Value):
    """A matched target that was not eligible, and why."""

    name: str
    why: str


class Selection(Value):
    """What one target group came to: everything matched, what may be picked, and what was left out and why."""

    group: str
    matched: tuple[TargetRef, ...]
    eligible: tuple[TargetRef, ...]
    excluded: tuple[Excluded, ...]


def carries(labels: Mapping[str, str], wanted: str) -> bool:
    """Whether ``labels`` carry ``wanted``, written ``key`` (any value) or ``key=value``."""
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def exclusion(ref: TargetRef, require_label: str | None, protected: Protection) -> str:
    """Why ``ref`` may not be picked; empty when it may."""
    if ref.exclusion:
        return ref.exclusion
    # A process is called by its name and pid; its name alone is a label.
    called = (ref.name, ref.labels.get("name", ""))
    if pattern := next((p for p in protected.names if any(fnmatchcase(name, p) for name in called)), ""):
        return f"protected by name ({pattern})"
    if label := next((w for w in protected.labels if carries(ref.labels, w)), ""):
        return f"protected by label ({label})"
    if require_label and not carries(ref.labels, require_label):
        return f"has not opted in: label {require_label} is missing"
    return ""


def sort_out(group: str, matched: Sequence[TargetRef], require_label: str | None, protected: Protection) -> Selection:
    """Split what a group matched into eligible and excluded, in order of name."""
    ordered = tuple(sorted(matched, key=lambda ref: (ref.name, ref.id)))
    reasons = [(ref, exclusion(ref, require_label, protected)) for ref in ordered]
    return Selection(
        group=group,
        matched=ordered,
        eligible=tuple(ref for ref, why in reasons if not why),
        excluded=tuple(Excluded(name=ref.name, why=why) for ref, why in reasons if why),
    )


def share(percent: Decimal, of: int, least: int | None = None) -> int:
    """``percent`` of ``of`` targets, rounded down, exactly; never less than ``least``, where that is given."""
    parts, whole = percent.as_integer_ratio()
    return max(parts * of // (whole * 100), least or 0)


def how_many(pick: PickValue, pick_min: int | None, matched: int, eligible: Sequence[TargetRef]) -> int:
    """The number of targets that ``pick`` asks for; a share is of everything the group matched."""
    if isinstance(pick, Decimal):
        return share(pick, matched, pick_min)
    if isinstance(pick, int):
        return pick
    if isinstance(pick, str):
        return len(eligible)
    return sum(all(ref.labels.get(k) == v for k, v in pick.items()) for ref in eligible)


def choose(step: FaultStep, selection: Selection, seed: str) -> tuple[TargetRef, ...]:
    """The targets that ``step`` hits: a seeded random choice among the eligible ones, in order of name."""
    candidates = selection.eligible
    if isinstance(step.pick, dict):
        wanted = step.pick
        candidates = tuple(r for r in candidates if all(r.labels.get(k) == v for k, v in wanted.items()))
    count = how_many(step.pick, step.pick_min, len(selection.matched), candidates)
    shuffled = random.Random(seed).sample(candidates, k=len(candidates))  # noqa: S311 reproducible, not secret
    return tuple(sorted(shuffled[:count], key=lambda ref: (ref.name, ref.id)))


def shortfall(index: int, step: FaultStep, selection: Selection) -> str:
    """Why ``step`` cannot hit what it asks for; empty when it can."""
    where = f"faults.{index} ({step.kind} on {step.target})"
    if not selection.matched:
        return f"{where}: the selector of target {step.target!r} matches nothing; check it with `chaoskit plan`"
    if not selection.eligible:
        why = "; ".join(f"{item.name}: {item.why}" for item in selection.excluded[:5])
        return f"{where}: none of the {len(selection.matched)} matched targets may be touched ({why})"
    wanted = how_many(step.pick, step.pick_min, len(selection.matched), selection.eligible)
    if wanted == 0:
        return f"{where}: {_shown(step.pick)} of {len(selection.matched)} matched is 0 targets; {_hint(step.pick)}"
    if wanted > len(selection.eligible):
        may = f"only {len(selection.eligible)} of {len(selection.matched)} matched may be touched"
        return f"{where}: asks for {wanted} targets, but {may}"
    return ""


def _shown(pick: PickValue) -> str:
    return format_percent(pick) if isinstance(pick, Decimal) else str(pick)


def _hint(pick: PickValue) -> str:
    return "write pick: 1, or add pick_min: 1" if isinstance(pick, Decimal) else "check the labels of the targets"


class Radius(Value):
    """The blast radius of one group as numbers: what the sentence in the plan is made of.

    What is touched counts by whichever group it was chosen; ``shared_with`` names the others by which more was.
    """

    group: str
    matched: int
    touched: int
    healthy: int
    healthy_left: int
    allowed_by_percent: int | None = None
    shared_with: tuple[str, ...] = ()


def measure(
    radius: BlastRadius, selections: Mapping[str, Selection], hit: Mapping[str, Sequence[TargetRef]]
) -> tuple[Radius, ...]:
    """The arithmetic of the blast radius for each group that is hit, be it by way of another that overlaps it."""
    by_group = {group: {ref.id for ref in refs} for group, refs in hit.items()}
    measured = (_measure_one(radius, selection, by_group) for selection in selections.values())
    return tuple(one for one in measured if one.touched or one.group in hit)


def _measure_one(radius: BlastRadius, selection: Selection, by_group: Mapping[str, set[str]]) -> Radius:
    matched = {ref.id for ref in selection.matched}
    touched = matched & set().union(*by_group.values())
    more = touched - by_group.get(selection.group, set())
    healthy = [ref for ref in selection.matched if ref.healthy]
    percent = radius.max_percent
    return Radius(
        group=selection.group,
        matched=len(selection.matched),
        touched=len(touched),
        healthy=len(healthy),
        healthy_left=sum(ref.id not in touched for ref in healthy),
        allowed_by_percent=None if percent is None else share(percent, len(matched), radius.max_percent_min),
        shared_with=tuple(sorted(group for group, ids in by_group.items() if ids & more)),
    )


def excesses(radius: BlastRadius, measured: Sequence[Radius], distinct: int) -> list[str]:
    """Every limit that is exceeded, in words; ``distinct`` is the number of different targets over all groups."""
    found = []
    if distinct > radius.max_targets:
        found.append(f"blast radius: {distinct} targets would be touched; max_targets allows {radius.max_targets}")
    for one in measured:
        allowed = one.allowed_by_percent
        if allowed is not None and one.touched > allowed:
            found.append(
                f"blast radius: {one.touched} of {one.matched} in {one.group!r} would be touched{_also(one)}; "
                f"max_percent {radius.largest_share} of {one.matched} allows {allowed}"
                f"{'' if allowed else '; add max_percent_min: 1 if one is always meant'}"
            )
        if radius.min_healthy is not None and one.healthy_left < radius.min_healthy:
            found.append(
                f"blast radius: {one.healthy_left} healthy would be left in {one.group!r}{_also(one)} "
                f"({one.healthy} of {one.matched} are healthy now); min_healthy asks for {radius.min_healthy}"
            )
    return found


def _also(one: Radius) -> str:
    """Why more is touched than a group's own faults ask for."""
    return f", by way of {', '.join(map(repr, one.shared_with))} too" if one.shared_with else ""
