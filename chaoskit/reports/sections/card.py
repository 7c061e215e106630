"""The verdict card: what a reader in a hurry needs, on one screen."""

from chaoskit.domain.humane import NONE, humane_seconds
from chaoskit.domain.quantities import format_duration
from chaoskit.domain.readings import Outcome
from chaoskit.reports.document import Card, Figure
from chaoskit.reports.view import View
from chaoskit.reports.wording import claim, clip, moment, picked, plural, sentence

_REASON_WIDTH = 300
NOTHING_INJECTED = "nothing was injected"


def card(view: View) -> Card:
    """The card of one run."""
    record, judgement, experiment = view.record, view.judgement, view.record.experiment
    reasons = judgement.reasons
    return Card(
        verdict=judgement.verdict.value,
        exit_code=int(judgement.exit_code),
        headline=judgement.headline,
        reason=sentence(clip(reasons[0], _REASON_WIDTH)) if reasons else "",
        more=f"and {plural(len(reasons) - 1, 'more reason')}, listed below" if len(reasons) > 1 else "",
        title=experiment.title,
        name=experiment.name,
        run=record.run,
        description=experiment.description,
        expected=expected(view),
        faults=tuple(
            f"{step.kind} on {picked(step)} for {format_duration(step.duration)}" for step in experiment.faults
        ),
        figures=figures(view),
        owner=experiment.owner,
        runbook=experiment.runbook or "",
        tags=experiment.tags,
        when=moment(record.started_at, date=True),
        iso=record.started_at.isoformat(),
        lasted=lasted(view),
    )


def expected(view: View) -> tuple[tuple[Outcome | None, str], ...]:
    """The hypothesis as sentences, each with what became of it; None where a guard kept it from being asked."""
    outcomes: dict[str, Outcome] = {check.name: check.outcome for check in view.judgement.checks}
    return tuple(
        (None if view.blocked else outcomes.get(check.name, "unknown"), f"{check.name} {claim(check)}")
        for check in view.record.experiment.steady_state
    )


def lasted(view: View) -> str:
    """How long the run took, or when its record breaks off."""
    if view.record.ended_at is None:
        return f"the record breaks off after {humane_seconds(view.end)}"
    return f"lasted {humane_seconds(view.record.ended_at)}"


def figures(view: View) -> tuple[Figure, ...]:
    """The big numbers."""
    return (_detect(view), _abort(view), _recover(view), _samples(view), _rollback(view))


def _detect(view: View) -> Figure:
    alerts, took = view.judgement.detections, view.judgement.time_to_detect
    if not alerts or not view.record.injections:
        return Figure("Time to detect", NONE, NOTHING_INJECTED if alerts else "no alert was expected")
    if took is not None:
        return Figure("Time to detect", humane_seconds(took), "until the last expected alert fired")
    fired = sum(alert.fired_after is not None for alert in alerts)
    bad = any(alert.outcome == "deviated" for alert in alerts)
    return Figure("Time to detect", NONE, f"{fired} of {plural(len(alerts), 'expected alert')} fired", bad)


def _abort(view: View) -> Figure:
    took = view.judgement.time_to_abort
    if view.record.abort is None:
        return Figure("Time to abort", NONE, "the run was not aborted")
    if took is not None:
        return Figure("Time to abort", humane_seconds(took), "from the breach seen to all restored")
    if not view.record.injections:
        return Figure("Time to abort", NONE, NOTHING_INJECTED)
    left = view.judgement.restored < view.judgement.injected
    return Figure("Time to abort", NONE, "a target is not restored" if left else "all was restored before", left)


def _recover(view: View) -> Figure:
    recovery, took = view.record.recovery, view.judgement.time_to_recover
    if recovery is None:
        return Figure("Time to recover", NONE, "recovery was not observed")
    limit = format_duration(recovery.limit)
    late = view.judgement.recovery == "deviated"
    if took is not None:
        return Figure("Time to recover", humane_seconds(took), f"{limit} is the limit", late)
    hint = "watching was cut short" if recovery.cut_short else f"not seen within {limit}"
    return Figure("Time to recover", NONE, hint, late)


def _samples(view: View) -> Figure:
    taken = sum(check.samples for check in view.judgement.checks)
    missing = sum(check.missing for check in view.judgement.checks)
    if not taken:
        return Figure("Samples", "0", "none while a fault was in")
    share = f" ({missing / taken:.1%})" if missing else ""
    return Figure("Samples", f"{taken:,}", f"{missing:,} missing{share}", bad=False)


def _rollback(view: View) -> Figure:
    restored, injected = view.judgement.restored, view.judgement.injected
    if not injected:
        return Figure("Rollback verified", NONE, NOTHING_INJECTED)
    left = injected - restored
    different = sum(bool(one.different) for one in view.record.injections)
    hint = f"{plural(left, 'injection')} not restored" if left else "every target read back as before"
    if different and not left:
        hint = f"{plural(different, 'target')} restored, but not all as before"
    return Figure("Rollback verified", f"{restored}/{injected}", hint, bad=left > 0)
