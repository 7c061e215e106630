"""What was found: the reasons of the verdict, the hypothesis, detection and recovery."""

from chaoskit.domain.checks import Check
from chaoskit.domain.detection import DetectionResult
from chaoskit.domain.history import AbortCause
from chaoskit.domain.humane import NONE, humane, humane_seconds
from chaoskit.domain.quantities import format_duration
from chaoskit.domain.results import CheckResult
from chaoskit.reports.document import Block, Bullets, Cell, Facts, Section, Table, Text
from chaoskit.reports.view import View
from chaoskit.reports.wording import (
    bound,
    bound_values,
    clip,
    labels,
    moment,
    offset,
    oneline,
    sentence,
    unit_of,
    watched,
)

_CAUSES: dict[AbortCause, str] = {
    "condition": "an abort condition was met",
    "blind": "monitoring went blind",
    "halt": "a person's halt",
    "drift": "a target was no longer as injected",
    "lease": "runner and guardian lost each other",
}
_QUERY_WIDTH = 160


def reasons(view: View) -> Section:
    """Why the verdict is what it is: every reason, not only the first."""
    record = view.record
    blocks: list[Block] = [Bullets(tuple(sentence(oneline(reason)) for reason in view.judgement.reasons))]
    if record.abort is not None:
        blocks.append(_abort(view))
    if others := _others(view):
        blocks += [Text("Also recorded:"), Bullets(others)]
    if record.ended_at is None:
        blocks.append(Text("The runner did not close this record itself: it was killed, or it is still at work."))
    title = "Why nothing was injected" if view.blocked else "Why this verdict"
    return Section("why", title, tuple(blocks))


def _others(view: View) -> tuple[str, ...]:
    """Trouble that a verdict of higher rank hides."""
    record, told = view.record, {*view.judgement.reasons, *([view.record.abort.reason] if view.record.abort else [])}
    found = [
        *record.blocked,
        *record.errors,
        *(f"{i.kind} on {i.target}: {i.error}" for i in record.injections if i.error),
    ]
    found += [f"{i.kind} on {i.target}: {i.drift}" for i in record.injections if i.drift]
    return tuple(sentence(oneline(one)) for one in found if not any(one in reason for reason in told))


def _abort(view: View) -> Facts:
    abort = view.record.abort
    assert abort is not None, "asked only of aborted runs"
    return Facts(
        (
            ("Stopped by", Cell(_CAUSES[abort.cause])),
            ("Reason", Cell(oneline(abort.reason))),
            ("First seen", _time(view, abort.breached_at)),
            ("Stopped", _time(view, abort.at)),
        )
    )


def _time(view: View, at: float | None) -> Cell:
    return Cell(NONE) if at is None else Cell(view.when(at), "number", (Cell(offset(at), "number"),))


def hypothesis(view: View) -> Section:
    """The steady-state hypothesis: what was asked of each check, what was measured, what became of it."""
    results = {result.name: result for result in view.judgement.checks}
    checks = [(check, results[check.name]) for check in view.record.experiment.steady_state if check.name in results]
    columns = ("Check", "Bound", "Baseline", "Worst, fault in", "After", "Samples", "Missing", "Outcome")
    rows = tuple(_row(view, check, result) for check, result in checks)
    intro = "All checks must hold. Baseline is the median before the fault; after is the last value of the recovery."
    caption = "Each check of the hypothesis, with its outcome while the fault was in"
    return Section("hypothesis", "Steady-state hypothesis", (Text(intro), Table(caption, columns, rows)))


def _row(view: View, check: Check, result: CheckResult) -> tuple[Cell, ...]:
    unit, near = unit_of(check), bound_values(check, check.during)
    always, during = bound(check)
    values = (result.baseline_value, result.worst_value, result.final_value)
    outcome = (
        Cell("not asked") if view.blocked else Cell(result.outcome, "outcome", (Cell(oneline(_why(check, result))),))
    )
    return (
        Cell(check.name, "strong", (Cell(clip(watched(check), _QUERY_WIDTH), "code"),)),
        Cell(always, "text", (Cell(during),) if during else ()),
        *(Cell(humane(value, unit, near), "number") for value in values),
        Cell(f"{result.samples:,}", "number"),
        Cell(
            f"{result.missing:,}", "number", (Cell(f"{humane_seconds(result.unseen)} unseen"),) if result.unseen else ()
        ),
        outcome,
    )


def _why(check: Check, result: CheckResult) -> str:
    """The reason without the name that already heads the row."""
    return result.why.removeprefix(f"{check.name}: ")


def detection(view: View) -> Section:
    """Whether the alerts that wake people fired in time."""
    alerts = view.record.experiment.expect.alerts
    if not alerts:
        return Section("detection", "Detection", (Text("No alert was expected to fire."),))
    columns = ("Alert", "Must fire within", "Fired after", "Outcome")
    rows = tuple(
        _alert(labels(alert.labels), result, asked=not view.blocked)
        for alert, result in zip(alerts, view.judgement.detections, strict=False)
    )
    caption = "Each expected alert; times are from the first injection"
    return Section("detection", "Detection", (Table(caption, columns, rows),))


def _alert(carried: str, result: DetectionResult, *, asked: bool) -> tuple[Cell, ...]:
    why = (Cell(oneline(result.why.removeprefix(f"{result.alert}: "))),)
    return (
        Cell(result.alert, "strong", (Cell(carried, "code"),) if carried else ()),
        Cell(format_duration(result.limit), "number"),
        Cell(humane_seconds(result.fired_after), "number"),
        Cell(result.outcome, "outcome", why) if asked else Cell("not asked"),
    )


def recovery(view: View) -> Section:
    """Whether, and how fast, the system came back after the rollback."""
    seen = view.record.recovery
    if seen is None:
        limit = format_duration(view.record.experiment.expect.recover_within)
        text = f"Recovery was not observed. The hypothesis was to hold again within {limit} after rollback."
        return Section("recovery", "Recovery", (Text(text),))
    pairs = (
        ("Outcome", Cell(view.judgement.recovery, "outcome", (Cell(oneline(view.judgement.recovery_why)),))),
        ("Limit", Cell(format_duration(seen.limit), "number")),
        ("Rollback done, recovery watched from", _time(view, seen.started_at)),
        ("Hypothesis held again", _time(view, seen.recovered_at)),
        ("Time to recover", Cell(humane_seconds(view.judgement.time_to_recover), "number")),
    )
    return Section("recovery", "Recovery", (Facts(pairs),))


def started(view: View) -> str:
    """When the run started, with its date."""
    return moment(view.record.started_at, date=True)
