"""The pictures: a chart for each check and abort condition, and the timeline of the whole run."""

from collections.abc import Iterable

from chaoskit.domain.checks import AbortCondition, Bounds, Check
from chaoskit.domain.history import Event, PhaseSpan
from chaoskit.domain.humane import NONE, humane, humane_seconds
from chaoskit.domain.quantities import Quantity
from chaoskit.domain.readings import Outcome, Reading
from chaoskit.domain.results import CheckResult
from chaoskit.reports.document import (
    Axis,
    Bar,
    Block,
    Cell,
    Chart,
    Mark,
    Section,
    Table,
    Text,
    Threshold,
    Timeline,
)
from chaoskit.reports.view import View
from chaoskit.reports.wording import bound_values, offset, oneline, plural, unit_of, watched

MOST_EVENTS = 400


def checks_over_time(view: View) -> Section:
    """A chart for each check."""
    results = {result.name: result for result in view.judgement.checks}
    charts = [
        check_chart(view, check, results.get(check.name))
        for check in view.record.experiment.steady_state
        if view.readings("check", check.name)
    ]
    blocks: list[Block] = [*charts] if charts else [Text("No sample of any check was taken.")]
    return Section("charts", "The checks over time", tuple(blocks))


def check_chart(view: View, check: Check, result: CheckResult | None) -> Chart:
    """The readings of one check with its bounds, the baseline, and the abort limit on the same query."""
    readings, unit = view.readings("check", check.name), unit_of(check)
    near = bound_values(check, check.during)
    values = (None,) * 3 if result is None else (result.baseline_value, result.worst_value, result.final_value)
    shown = [humane(value, unit, near) for value in values]
    return Chart(
        title=check.name,
        subtitle=watched(check),
        outcome=None if view.blocked or result is None else result.outcome,
        word="" if view.blocked or result is None else result.outcome,
        unit=unit,
        readings=readings,
        thresholds=tuple(_thresholds(view, check, values[0])),
        zones=view.zones,
        lanes=view.chart_lanes,
        axis=view.axis,
        hole=view.hole,
        words=(shown[0], shown[1], shown[2]),
        described=_described(check.name, shown, readings, str(check)),
    )


def _described(name: str, values: Iterable[str], readings: tuple[Reading, ...], bounds: str) -> str:
    baseline, worst, final = values
    unknown = sum(reading.outcome == "unknown" for reading in readings)
    deviated = sum(reading.outcome == "deviated" for reading in readings)
    wanted = f" Bound: {bounds}." if bounds else ""
    return (
        f"{name}: median {baseline} in the baseline, worst {worst} while the fault was in, {final} at the end. "
        f"{plural(len(readings), 'sample')}, {deviated:,} of them deviated, {unknown:,} unknown.{wanted}"
    )


def _thresholds(view: View, check: Check, baseline: float | None) -> Iterable[Threshold]:
    window = next((zone for zone in view.zones if zone.kind == "fault"), None)
    during = _ends(check.during) if check.during is not None else []
    for label, quantity in _ends(check):
        if during and window is not None:  # the bound is not in force while the looser one is
            yield Threshold("bound", quantity.value, "", None, window.start)
            yield Threshold("bound", quantity.value, label, window.end, None)
        else:
            yield Threshold("bound", quantity.value, label)
    if window is not None:
        yield from (Threshold("during", q.value, f"fault in: {label}", window.start, window.end) for label, q in during)
    if (twin := view.twin(check)) is not None:
        yield from _limits(twin)
    if baseline is not None:
        yield Threshold("baseline", baseline, "")


def _ends(bounds: Bounds) -> list[tuple[str, Quantity]]:
    named = (("at least", bounds.at_least), ("at most", bounds.at_most), ("equal to", bounds.equals))
    return [(f"{word} {quantity}", quantity) for word, quantity in named if quantity is not None]


def _limits(condition: AbortCondition) -> Iterable[Threshold]:
    for word, quantity in (("above", condition.above), ("below", condition.below)):
        if quantity is not None:
            yield Threshold("abort", quantity.value, f"abort {word} {quantity}")


def abort_charts(view: View) -> tuple[Chart, ...]:
    """A chart for each abort condition that has a probe of its own and was sampled."""
    return tuple(
        _abort_chart(view, rule) for rule in view.record.experiment.watched if view.readings("abort", rule.title)
    )


def _abort_chart(view: View, rule: AbortCondition) -> Chart:
    readings = view.readings("abort", rule.title)
    unit = next((quantity.unit for quantity in (rule.above, rule.below) if quantity is not None), "")
    before = [r.value for r in readings if r.value is not None and r.phase == "baseline"]
    values = [r.value for r in readings if r.value is not None]
    worst = (min if rule.below is not None else max)(values, default=None)
    final = values[-1] if values else None
    median = sorted(before)[(len(before) - 1) // 2] if before else None
    near = tuple(threshold.value for threshold in _limits(rule))
    shown = [humane(value, unit, near) for value in (median, worst, final)]
    breached = any(reading.outcome == "deviated" for reading in readings)
    outcome: Outcome = "deviated" if breached else "held" if values else "unknown"
    return Chart(
        title=rule.name or f"Abort{rule.limit}" if rule.limit else rule.title,
        subtitle=watched(rule),
        outcome=outcome,
        word={"deviated": "limit exceeded", "held": "limit never exceeded", "unknown": "unknown"}[outcome],
        unit=unit,
        readings=readings,
        thresholds=tuple(_limits(rule)),
        zones=view.zones,
        lanes=view.chart_lanes,
        axis=view.axis,
        hole=view.hole,
        words=(shown[0], shown[1], shown[2]),
        described=_described(rule.title, shown, readings, f"abort{rule.limit}" if rule.limit else ""),
    )


def timeline(view: View) -> Section:
    """The whole run as a picture, with its table twin."""
    record = view.record
    phases = tuple(_bar(phase, view.end if phase.end is None else phase.end) for phase in record.phases)
    marks = tuple(Mark(oneline(event.text), event.at, event.kind) for event in record.events)
    picture = Timeline(
        phases=phases,
        lanes=view.lanes,
        marks=marks,
        axis=Axis(min(0.0, *(phase.start for phase in phases), 0.0), view.end),
        described=f"{plural(len(phases), 'phase')}, {plural(len(view.lanes), 'injection')} and "
        f"{plural(len(marks), 'event')} over {humane_seconds(view.end)}; the tables below hold the same facts.",
    )
    blocks: list[Block] = [picture] if phases or view.lanes or marks else []
    blocks.append(_phase_table(view))
    blocks += _event_blocks(view, record.events)
    return Section("timeline", "Timeline", tuple(blocks))


def _bar(phase: PhaseSpan, end: float) -> Bar:
    return Bar(f"{phase.name} {humane_seconds(end - phase.start)}", phase.start, end, phase.name)


def _phase_table(view: View) -> Table:
    rows = tuple(
        (
            Cell(phase.name, "strong"),
            Cell(view.when(phase.start), "number"),
            Cell(offset(phase.start), "number"),
            Cell("did not end" if phase.end is None else view.when(phase.end), "number"),
            Cell(NONE if phase.end is None else humane_seconds(phase.end - phase.start), "number"),
        )
        for phase in view.record.phases
    )
    return Table("Phases", ("Phase", "Began (UTC)", "Since start", "Ended (UTC)", "Lasted"), rows)


def _event_blocks(view: View, events: tuple[Event, ...]) -> list[Block]:
    if not events:
        return [Text("No event was recorded.")]
    half = MOST_EVENTS // 2
    shown = events if len(events) <= MOST_EVENTS else (*events[:half], *events[-half:])
    rows = tuple(
        (
            Cell(view.when(event.at), "number"),
            Cell(offset(event.at), "number"),
            Cell(event.kind),
            Cell(oneline(event.text)),
        )
        for event in shown
    )
    table = Table("Events", ("Time (UTC)", "Since start", "Kind", "What happened"), rows)
    if len(shown) == len(events):
        return [table]
    note = f"The first and the last {half} of {len(events):,} events are shown; report.json holds all of them."
    return [table, Text(note)]
