"""The reports of the terminal: a run in a few lines, and a plan in full. Plain text, no colours."""

from collections.abc import Iterable, Sequence

from chaoskit.domain.checks import Check
from chaoskit.domain.history import InjectionRecord, RunRecord
from chaoskit.domain.humane import NONE, humane, humane_seconds
from chaoskit.domain.plan import Plan, PlannedInjection
from chaoskit.domain.quantities import format_duration
from chaoskit.domain.readings import Reading
from chaoskit.domain.results import CheckResult
from chaoskit.domain.verdict import Judgement
from chaoskit.reports.clean import presentable
from chaoskit.reports.sections.arithmetic import latency_parts, latency_sentence, radius_sentences
from chaoskit.reports.view import View, view
from chaoskit.reports.wording import SIGNS, bound_values, claim, clip, labels, oneline, plural, unit_of, watched

MOST_LINES = 25
WIDTH = 110
REASON_WIDTH = 400
"""A reason may hold a command to type, which must be whole."""
_NAME_WIDTH = 24
_MOST_REASONS, _MOST_RESIDUE, _MOST_DIFFERENT = 5, 14, 3


def summary(record: RunRecord, judgement: Judgement) -> str:
    """A finished run in at most 25 lines; what is left on a target goes before the checks when room is short."""
    seen = view(record, judgement)
    reasons = [f"  - {clip(reason, REASON_WIDTH)}" for reason in seen.judgement.reasons]
    left = _left(seen.record.injections)
    head = [
        f"{judgement.verdict.value.upper()}  {seen.record.experiment.name}  run {clip(seen.record.run, WIDTH)}",
        seen.judgement.headline,
        *_some(reasons, 2 if left else _MOST_REASONS, "reason"),
    ]
    different = _different(seen.record.injections)
    tail = [_times(seen), _proof(seen), *_some(different, _MOST_DIFFERENT, "line"), *_some(left, _MOST_RESIDUE, "line")]
    checks = [] if seen.blocked else [*_checks(seen)]
    lines = [*head, *_some(checks, MOST_LINES - len(head) - len(tail), "check"), *tail]
    return "\n".join(_flat(line) for line in lines)


def _flat(line: str) -> str:
    """One line and no more, with its spaces kept: no name can forge a line of its own."""
    return line.replace("\n", " ").replace("\t", " ")


def _some(lines: Sequence[str], most: int, noun: str) -> list[str]:
    """At most ``most`` of ``lines``; the last of them then says how many more the report holds."""
    if len(lines) <= most:
        return list(lines)
    rest = f"  ... {plural(len(lines) - most + 1, f'more {noun}')} in the report"
    return [*lines[: most - 1], rest] if most > 0 else []


def _checks(seen: View) -> Iterable[str]:
    results = {result.name: result for result in seen.judgement.checks}
    for check in seen.record.experiment.steady_state:
        if check.name in results:
            yield _check(check, results[check.name])


def _check(check: Check, result: CheckResult) -> str:
    unit, near = unit_of(check), bound_values(check, check.during)
    values = (result.baseline_value, result.worst_value, result.final_value)
    baseline, worst, final = (humane(value, unit, near) for value in values)
    seen = f"baseline {baseline}, worst {worst}, after {final}; " if any(v is not None for v in values) else ""
    counts = f"{plural(result.samples, 'sample')}, {result.missing:,} missing"
    counts += f", {humane_seconds(result.unseen)} unseen" if result.unseen else ""
    return f"  {SIGNS[result.outcome]} {clip(check.name, _NAME_WIDTH):{_NAME_WIDTH}}  {seen}{counts}"


def _times(seen: View) -> str:
    judgement = seen.judgement
    times = (
        ("detect", judgement.time_to_detect),
        ("abort", judgement.time_to_abort),
        ("recover", judgement.time_to_recover),
    )
    return "Time " + ", ".join(f"to {name} {humane_seconds(value)}" for name, value in times)


def _proof(seen: View) -> str:
    restored, injected = seen.judgement.restored, seen.judgement.injected
    if not injected:
        return "Rollback: nothing was injected"
    if restored == injected:
        back = "but not all is as before:" if _different(seen.record.injections) else "every target read back as before"
        return f"Rollback verified {restored}/{injected}: {back}"
    return f"Rollback NOT verified, {restored}/{injected} restored; run chaoskit rollback, or by hand:"


def _different(injections: Sequence[InjectionRecord]) -> list[str]:
    """What is restored, and yet not as before: whoever relies on it must know."""
    return [
        f"  {clip(f'#{one.n} {one.kind} on {one.target}: {one.different}', WIDTH)}"
        for one in injections
        if one.different
    ]


def _left(injections: Sequence[InjectionRecord]) -> list[str]:
    """What is left, and the commands that undo it; a command is never shortened."""
    lines: list[str] = []
    for one in injections:
        if one.restored_at is None:
            residue = "; ".join(one.residue) or "rollback was not completed"
            lines.append(f"  {clip(f'#{one.n} {one.kind} on {one.target}: {residue}', WIDTH)}")
            lines += [f"      {line}" for command in one.by_hand for line in command.splitlines()]
    return lines


def plan_text(plan: Plan, current: Sequence[Reading] = ()) -> str:
    """Everything a run of ``plan`` would do; ``current`` are readings taken just now, shown beside the checks."""
    fingerprint, plan = plan.fingerprint, presentable(plan)
    readings = [presentable(reading) for reading in current]
    parts = [
        _title(plan, fingerprint),
        _blocked(plan),
        _part(f"Will be touched: {plural(len(plan.injections), 'injection')}", _injections(plan.injections)),
        _part("Matched, not touched", _spared(plan)),
        _part("Blast radius", radius_sentences(plan)),
        _part("Checks", _now(plan, readings)),
        _part("Abort", _latency(plan)),
    ]
    return "\n\n".join(part for part in parts if part)


def _part(title: str, lines: Iterable[str]) -> str:
    shown = [_flat(f"  {line}") for line in lines]
    return "\n".join([_flat(title), *shown]) if shown else ""


def _title(plan: Plan, fingerprint: str) -> str:
    lines = (f"file         {plan.path}", f"seed         {plan.seed}", f"fingerprint  {fingerprint}")
    return _part(f"Plan of {plan.experiment.name}: {plan.experiment.title}", lines)


def _blocked(plan: Plan) -> str:
    reasons = [f"- {oneline(reason)}" for reason in plan.blocked]
    return _part(f"BLOCKED: {plural(len(reasons), 'reason')} not to start", reasons)


def _injections(injections: Sequence[PlannedInjection]) -> Iterable[str]:
    for number, one in enumerate(injections, 1):
        yield f"{number}. {one.kind} on {one.ref.name} for {format_duration(one.duration)}"
        yield f"   target   {one.ref.id} ({one.ref.condition})"
        if one.ref.labels:
            yield f"   labels   {labels(one.ref.labels)}"
        yield from _lines("do", one.actions)
        yield from _lines("undo", one.undo)
        yield from _lines("by hand", one.by_hand)
        yield f"   undone   within {format_duration(one.revert_within)} of the start of rollback"


def _lines(name: str, lines: Sequence[str]) -> Iterable[str]:
    for number, line in enumerate(line for text in lines for line in text.splitlines()):
        yield f"   {name if number == 0 else '':8} {line}"


def _spared(plan: Plan) -> Iterable[str]:
    """Every matched target that is left alone: excluded ones with the reason, the others by name."""
    touched, chosen = {one.ref.id for one in plan.injections}, {ref.id for ref in plan.chosen}
    for group in plan.groups:
        why = {excluded.name: excluded.why for excluded in group.excluded}
        for ref in group.matched:
            if ref.id in touched:
                continue
            reason = f"excluded: {oneline(why[ref.name])}" if ref.name in why else "not picked by the seed"
            if ref.id in chosen:
                reason = "picked, but its fault could not be prepared"
            yield f"{ref.name} of {group.group}: {reason}"


def _now(plan: Plan, current: Sequence[Reading]) -> Iterable[str]:
    latest = {reading.name: reading for reading in current if reading.role == "check"}
    for check in plan.experiment.steady_state:
        reading = latest.get(check.name)
        sign = SIGNS[reading.outcome] if reading is not None else NONE
        yield f"{sign} {check.name} {claim(check)}{'' if reading is None else f'; now {_value(check, reading)}'}"


def _value(check: Check, reading: Reading) -> str:
    value = (
        humane(reading.value, unit_of(check), bound_values(check, check.during)) if reading.value is not None else ""
    )
    return " ".join(
        part for part in (value, reading.outcome, f"({oneline(reading.problem)})" if reading.problem else "") if part
    )


def _latency(plan: Plan) -> Iterable[str]:
    for rule in plan.experiment.watched:
        yield f"when {rule.name + ': ' if rule.name else ''}{oneline(watched(rule))}{rule.limit or ' fails'}"
    yield f"when any probe gives no data for {format_duration(plan.experiment.no_data_for)}"
    yield latency_sentence(plan.latency)
    for name, length in latency_parts(plan.latency):
        yield f"   {length:>9}  {name}"
