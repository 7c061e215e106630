"""The safety record: the blast radius, what was touched, the proof of the rollback, and how fast an abort is."""

from collections.abc import Iterable, Sequence

from chaoskit.domain.checks import AbortCondition
from chaoskit.domain.history import InjectionRecord
from chaoskit.domain.humane import NONE, humane_seconds
from chaoskit.domain.plan import Plan
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.quantities import format_duration
from chaoskit.reports.document import Block, Bullets, Callout, Cell, Code, Facts, Section, Table, Text
from chaoskit.reports.sections.arithmetic import latency_parts, latency_sentence, radius_sentences
from chaoskit.reports.sections.pictures import abort_charts
from chaoskit.reports.view import View
from chaoskit.reports.wording import labels, offset, oneline, picked, plural, watched

_MOST_DIFFERENT = 20
_NO_UNDO = "rollback was not completed"


def left_behind(view: View) -> Section | None:
    """What rollback left on the targets and how a person removes it; None when every target is restored."""
    unrestored = [one for one in view.record.injections if one.restored_at is None]
    if not unrestored:
        return None
    intro = (
        f"{plural(len(unrestored), 'injection')} could not be verified as undone. "
        "The command chaoskit rollback tries again from the journal; those below do the same by hand."
    )
    return Section("residue", "What is left, and how to undo it by hand", (Text(intro), *map(_left, unrestored)))


def _left(one: InjectionRecord) -> Callout:
    residue = tuple(oneline(line) for line in one.residue) or (_NO_UNDO,)
    blocks: list[Text | Bullets | Code] = [Text(f"Target {one.target_id}"), Bullets(residue)]
    if one.note:
        blocks.append(Text(oneline(one.note)))
    blocks.append(
        Code("Run by hand", "\n".join(one.by_hand)) if one.by_hand else Text("No commands by hand are recorded.")
    )
    return Callout("bad", f"#{one.n} {one.kind} on {one.target} is not restored", tuple(blocks))


def blast_radius(view: View) -> Section:
    """The blast radius as declared, as resolved by the plan, and as touched."""
    plan = view.plan
    blocks: list[Block] = [_declared(view)]
    if plan is None:
        blocks.append(Text("The run ended before targets were chosen."))
    else:
        blocks += [Text("Against these limits, with the targets as they were found:"), Bullets(radius_sentences(plan))]
        blocks.append(_resolved(plan))
        blocks += _excluded(plan)
    blocks.append(_touched(view) if view.record.injections else Text("No target was touched."))
    if plan is not None and plan.injections and not view.record.injections:
        blocks.append(_planned(plan))
    return Section("blast-radius", "Blast radius", tuple(blocks))


def _declared(view: View) -> Facts:
    limits, experiment = view.record.experiment.blast_radius, view.record.experiment
    asked = "; ".join(f"{step.kind} on {picked(step)}" for step in experiment.faults)
    return Facts(
        (
            ("Asked for", Cell(asked)),
            ("max_targets", Cell(str(limits.max_targets), "number")),
            ("max_percent", Cell(limits.largest_share or "not set", "number")),
            ("min_healthy", Cell("not set" if limits.min_healthy is None else str(limits.min_healthy), "number")),
            ("require_label", Cell(limits.require_label, "code") if limits.require_label else Cell("not set")),
            ("Seed of the choice", Cell(view.record.seed, "code")),
        )
    )


def _resolved(plan: Plan) -> Table:
    radius = {one.group: one for one in plan.radius}
    rows = []
    for group in plan.groups:
        one = radius.get(group.group)
        healthy = NONE if one is None else f"{one.healthy} before, {one.healthy_left} left"
        rows.append(
            (
                Cell(group.group, "strong"),
                Cell(str(len(group.matched)), "number"),
                Cell(str(len(group.excluded)), "number"),
                Cell("0" if one is None else str(one.touched), "number"),
                Cell(healthy, "number"),
            )
        )
    columns = ("Group", "Matched", "Excluded", "Chosen", "Healthy")
    return Table("Resolved: what the selectors matched and what was chosen", columns, tuple(rows))


def _excluded(plan: Plan) -> list[Block]:
    rows = tuple(
        (Cell(excluded.name, "strong"), Cell(group.group), Cell(oneline(excluded.why)))
        for group in plan.groups
        for excluded in group.excluded
    )
    if not rows:
        return [Text("No matched target was excluded.")]
    return [Table("Excluded: matched, but never to be touched", ("Target", "Group", "Why"), rows)]


def _touched(view: View) -> Table:
    refs = _refs(view.plan)
    rows = tuple(_touched_row(view, one, refs.get(one.target_id)) for one in view.record.injections)
    columns = ("Target", "Fault", "Injected (UTC)", "Requested", "Measured", "Restored (UTC)")
    return Table("Touched: each injection, and whether it bit", columns, rows)


def _refs(plan: Plan | None) -> dict[str, TargetRef]:
    return {} if plan is None else {ref.id: ref for group in plan.groups for ref in group.matched}


def _touched_row(view: View, one: InjectionRecord, ref: TargetRef | None) -> tuple[Cell, ...]:
    names = [Cell(one.target_id, "code")]
    if ref is not None and ref.labels:
        names.append(Cell(labels(ref.labels), "code"))
    return (
        Cell(f"#{one.n} {one.target}", "strong", tuple(names)),
        Cell(one.kind, "text", (Cell(f"for {format_duration(one.duration)}"), Cell(f"group {one.group}"))),
        _time(view, one.injected_at, "not completed", one.error),
        Cell(NONE if one.effect is None else oneline(one.effect.requested)),
        _measured(one),
        _time(view, one.restored_at, "not restored", ""),
    )


def _measured(one: InjectionRecord) -> Cell:
    notes = [Cell(f"drifted: {oneline(one.drift)}")] if one.drift else []
    if one.effect is None:
        return Cell(NONE, "text", (Cell("effect never measured"), *notes))
    word = {True: "effect proven", False: "no effect", None: "could not be told"}[one.effect.bit]
    return Cell(oneline(one.effect.measured), "text", (Cell(word), *notes))


def _time(view: View, at: float | None, absent: str, note: str) -> Cell:
    notes = (Cell(oneline(note)),) if note else ()
    return Cell(absent, "text", notes) if at is None else Cell(view.when(at), "number", (Cell(offset(at)), *notes))


def _planned(plan: Plan) -> Table:
    rows = tuple(
        (
            Cell(one.ref.name, "strong", (Cell(one.ref.id, "code"),)),
            Cell(one.kind, "text", (Cell(f"for {format_duration(one.duration)}"),)),
            _lines(one.actions),
            _lines(one.undo),
        )
        for one in plan.injections
    )
    return Table("Planned, not done", ("Target", "Fault", "Would be done", "Would be undone by"), rows)


def _lines(lines: Iterable[str]) -> Cell:
    first, *rest = [*lines] or [NONE]
    return Cell(first, "code", tuple(Cell(line, "code") for line in rest))


def rollback(view: View) -> Section:
    """The proof of the rollback: for each injection what was done, what restored means, and when it was seen."""
    injections = view.record.injections
    if not injections:
        return Section("rollback", "Rollback", (Text("Nothing was injected, so there was nothing to undo."),))
    restored = sum(one.restored_at is not None for one in injections)
    intro = (
        f"Verified for {restored} of {len(injections)}. "
        "Restored is said only after an independent look at the target found no residue."
    )
    columns = ("Injection", "Done", "Undone by, and what restored means", "Rollback began", "Verified", "Result")
    rows = tuple(_rollback_row(view, one) for one in injections)
    table = Table("Rollback of each injection", columns, rows)
    return Section("rollback", "Rollback", (Text(intro), *_different(injections), table))


def _different(injections: Sequence[InjectionRecord]) -> tuple[Callout, ...]:
    """What is restored, and yet not as before: whoever relies on it must know."""
    found = [f"{one.target} ({one.kind}): {oneline(one.different)}" for one in injections if one.different]
    more = [f"and {plural(len(found) - _MOST_DIFFERENT, 'more injection')}, in the table"]
    told = found if len(found) <= _MOST_DIFFERENT else found[:_MOST_DIFFERENT] + more
    return (Callout("warn", "Restored, but not all as before", (Bullets(tuple(told)),)),) if told else ()


def _rollback_row(view: View, one: InjectionRecord) -> tuple[Cell, ...]:
    attempts = Cell(plural(one.attempts, "attempt"))
    if one.restored_at is not None:
        result = Cell("restored", "strong", (Cell(oneline(one.note)), attempts) if one.note else (attempts,))
    else:
        residue = tuple(Cell(oneline(line)) for line in one.residue or (_NO_UNDO,))
        result = Cell("not restored", "strong", (*residue, attempts))
    return (
        Cell(f"#{one.n} {one.kind}", "strong", (Cell(one.target), Cell(one.tag, "code"))),
        _lines(one.actions),
        _lines(one.undo),
        _time(view, one.rollback_at, "did not begin", ""),
        _time(view, one.restored_at, "not verified", ""),
        result,
    )


def abort_conditions(view: View) -> Section:
    """What would have stopped the run, what was seen of it, and how long stopping takes."""
    experiment = view.record.experiment
    rows = [_condition(view, rule) for rule in experiment.watched]
    silence = format_duration(experiment.no_data_for)
    blocks: list[Block] = [Text(f"Besides these, {silence} without data from any one probe stop the run.")]
    if rows:
        columns = ("Abort condition", "Limit", "Samples", "Over the limit", "Unknown")
        blocks.append(Table("Each abort condition and its readings", columns, tuple(rows)))
    else:
        blocks = [Text(f"No abort condition is written. {silence} without data from any one probe stop the run.")]
    blocks += abort_charts(view)
    blocks += _latency(view)
    return Section("abort", "Abort conditions and abort latency", tuple(blocks))


def _condition(view: View, rule: AbortCondition) -> tuple[Cell, ...]:
    readings = view.readings("abort", rule.title)
    query = Cell(watched(rule), "code")
    return (
        Cell(rule.name, "strong", (query,)) if rule.name else query,
        Cell(rule.limit.strip() or "must not fail"),
        Cell(f"{len(readings):,}", "number"),
        Cell(f"{sum(r.outcome == 'deviated' for r in readings):,}", "number"),
        Cell(f"{sum(r.outcome == 'unknown' for r in readings):,}", "number"),
    )


def _latency(view: View) -> list[Block]:
    if view.plan is None:
        return []
    latency, actual = view.plan.latency, view.judgement.time_to_abort
    pairs = [(name[:1].upper() + name[1:], Cell(length, "number")) for name, length in latency_parts(latency)]
    pairs.append(("Predicted, at most", Cell(humane_seconds(latency.worst), "number")))
    pairs.append(("Measured", Cell("not measured: no abort" if actual is None else humane_seconds(actual), "number")))
    blocks: list[Block] = [Text(latency_sentence(latency)), Facts(tuple(pairs))]
    if actual is not None:
        # What is measured begins when the breach is first seen, so the sample's age before that is not part of it.
        predicted = latency.worst - (latency.scrape or 0.0)
        part = f"{actual / predicted:.0%} of" if predicted else "against"
        measured = f"Measured from the breach first seen: {humane_seconds(actual)}"
        blocks.append(Text(f"{measured}, {part} the {humane_seconds(predicted)} predicted for that part."))
    return blocks
