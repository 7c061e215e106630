"""The rows of the live display that show measurements: checks, expected alerts and abort conditions."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from chaoskit.cli.layout import Cell
from chaoskit.cli.phrases import (
    NEAR,
    ConditionState,
    bound_of,
    check_value,
    clean,
    condition_limit,
    condition_name,
    condition_state,
    condition_value,
    countdown,
    nearness,
    scale_of,
)
from chaoskit.cli.progress import MOST_READINGS, Progress
from chaoskit.cli.sparkline import Point, sparkline
from chaoskit.cli.view import Item, Section, View, fit
from chaoskit.domain.checks import AbortCondition, Check, ExpectedAlert
from chaoskit.domain.humane import humane_seconds
from chaoskit.domain.quantities import format_duration
from chaoskit.domain.readings import Outcome

STYLES: dict[Outcome, str] = {"held": "green", "unknown": "yellow", "deviated": "bold red"}
_CONDITION_STYLES: dict[ConditionState, str] = {
    "no answer yet": "dim",
    "ok": "green",
    "near": "yellow",
    "unknown": "yellow",
    "exceeded": "bold red",
}
_BADNESS: dict[str, int] = {
    "held": 0,
    "ok": 0,
    "no answer yet": 1,
    "near": 2,
    "unknown": 2,
    "deviated": 3,
    "exceeded": 3,
}
OVER_PHASES = frozenset({"rollback", "recovery"})
STATE_WIDTH = 10
_VALUE_WIDTH = 9
_LEAST_SPARK, _MOST_SPARK = 10, MOST_READINGS
_LEAST_NAME = 12


class Columns(NamedTuple):
    """The widths that all measurements share, so that they stand below one another. Zero leaves a column out."""

    name: int
    value: int
    bound: int
    spark: int


def columns(view: View) -> Columns:
    """The widths for one frame. The sparkline gives way first, then the bound."""
    experiment, fault_in, signs = view.progress.experiment, view.progress.fault_in, view.signs
    names = [clean(check.name) for check in experiment.steady_state]
    names += [condition_name(rule) for rule in experiment.watched]
    names += [clean(expected.alert) for expected in experiment.expect.alerts]
    bounds = [bound_of(check, fault_in=fault_in, signs=signs) for check in experiment.steady_state]
    bounds += [condition_limit(rule) for rule in experiment.watched]
    name = max(map(len, [*names, "no data"]))
    bound = min(max(map(len, bounds)), max(view.width // 5, 14))
    rest = view.width - 2 - STATE_WIDTH - 2 - _VALUE_WIDTH - 2
    if rest < _LEAST_NAME + 2 + bound:
        return Columns(max(rest - 2, 1), _VALUE_WIDTH, 0, 0)
    rest -= bound + 2
    if rest < _LEAST_NAME + 2 + _LEAST_SPARK:
        return Columns(max(min(name, rest - 2), 1), _VALUE_WIDTH, bound, 0)
    name = min(name, max(rest - _MOST_SPARK - 4, _LEAST_NAME, rest // 2 - 2))
    return Columns(name, _VALUE_WIDTH, bound, min(rest - name - 4, _MOST_SPARK))


# --- checks and alerts ------------------------------------------------------------------------------------


def checks_section(view: View, widths: Columns) -> Section:
    """Every check and every expected alert."""
    progress = view.progress
    items = [_check(view, check, widths) for check in progress.experiment.steady_state]
    items += [_alert(view, expected, widths) for expected in progress.experiment.expect.alerts]
    found = [progress.latest.get(("check", check.name)) for check in progress.experiment.steady_state]
    counts = Counter("no answer yet" if reading is None else reading.outcome for reading in found)
    return _section(view, "Checks", items, _counted(view, counts), 2)


def _section(view: View, title: str, items: Sequence[Item], summary: str, least: int) -> Section:
    wanted = sum(len(item.lines) for item in items)
    return Section(
        title, summary, wanted, least, lambda room: fit(items, room, lambda hidden: view.more(hidden, STATE_WIDTH))
    )


def _counted(view: View, counts: Counter[str]) -> str:
    """How many of each, the worst first."""
    worst_first = sorted(counts, key=lambda word: -_BADNESS[word])
    return f" {view.signs.dot} ".join(f"{counts[word]} {word}" for word in worst_first)


def _check(view: View, check: Check, widths: Columns) -> Item:
    progress, signs = view.progress, view.signs
    reading = progress.latest.get(("check", check.name))
    outcome: Outcome = "unknown" if reading is None else reading.outcome
    style = "dim" if reading is None else STYLES[outcome]
    state = "waiting" if reading is None else f"{signs.outcomes[outcome]} {outcome}"
    fault_in = progress.fault_in
    line = view.row(
        Cell(state, STATE_WIDTH, style),
        Cell(clean(check.name), widths.name),
        Cell(check_value(check, reading, fault_in=fault_in, signs=signs), widths.value, style, right=True),
        Cell(bound_of(check, fault_in=fault_in, signs=signs), widths.bound, "dim"),
        Cell(_spark(view, check, widths.spark), widths.spark),
    )
    note = _check_note(progress, check)
    notes = (view.note(note, STATE_WIDTH, "yellow"),) if note else ()
    return Item((line, *notes), _BADNESS[outcome])


def _spark(view: View, check: Check, width: int) -> Text:
    readings = list(view.progress.history.get(check.name, ()))[-width:] if width else []
    points = [Point(reading.value, reading.outcome) for reading in readings]
    bounds = scale_of(check, fault_in=view.progress.fault_in)
    bars = Text(sparkline(points, bounds, view.signs.pen), "cyan")
    for index, point in enumerate(points):
        if point.outcome == "deviated":
            bars.stylize("red", index, index + 1)
    # The newest reading stands at the right edge, so that time runs the same way in every row.
    bars.pad_left(width - len(points))
    return bars


def _check_note(progress: Progress, check: Check) -> str:
    reading = progress.latest.get(("check", check.name))
    if reading is None or reading.outcome == "held":
        return ""
    lasting = progress.deviating_for("check", check.name)
    allowed = check.during.allow_for if check.during is not None and progress.fault_in else 0.0
    of = f" of {format_duration(allowed)} allowed" if allowed else ""
    since = f"deviated for {lasting:.1f}s{of}" if lasting is not None and reading.outcome == "deviated" else ""
    return "; ".join(filter(None, [since, clean(reading.problem)]))


def _alert(view: View, expected: ExpectedAlert, widths: Columns) -> Item:
    state, style, value, left = _alert_state(view, expected)
    line = view.row(
        Cell(state, STATE_WIDTH, style),
        Cell(clean(expected.alert), widths.name),
        Cell(value, widths.value, style, right=True),
        Cell(f"{view.signs.at_most} {format_duration(expected.fires_within)}", widths.bound, "dim"),
        Cell(left, widths.spark, "dim"),
    )
    return Item((line,), 3 if style == STYLES["deviated"] else 0)


def _alert_state(view: View, expected: ExpectedAlert) -> tuple[str, str, str, str]:
    """The state of an expected alert, its style, when it fired, and what to say of the time that is left."""
    progress, signs = view.progress, view.signs
    begun = min((one.intended_at for one in progress.injections.values()), default=None)
    fired = progress.fired_at.get(expected.alert)
    bad = STYLES["deviated"]
    if fired is not None and (begun is None or fired < begun):
        return f"{signs.outcomes['deviated']} too soon", bad, signs.none, "alert, before the fault was in"
    if begun is None:
        return "waiting", "dim", signs.none, "alert"
    if fired is not None:
        in_time = fired - begun <= expected.fires_within
        word = f"{signs.outcomes['held']} fired" if in_time else f"{signs.outcomes['deviated']} late"
        return word, STYLES["held"] if in_time else bad, humane_seconds(fired - begun), "alert"
    left = begun + expected.fires_within - view.now
    if left <= 0:
        return f"{signs.outcomes['deviated']} silent", bad, signs.none, "alert, did not fire in time"
    return "waiting", "dim", signs.none, f"alert, {countdown(left)} left"


# --- abort conditions -------------------------------------------------------------------------------------


def aborts_section(view: View, widths: Columns) -> Section:
    """Every abort condition, and the silence that stops a run even when nobody wrote it down."""
    progress = view.progress
    items = [_condition(view, rule, widths) for rule in progress.experiment.watched]
    items.append(_silence(view, widths))
    phase = progress.phase
    armed = "armed" if progress.fault_in else "over" if phase in OVER_PHASES else "armed from inject on"
    found = [progress.latest.get(("abort", rule.title)) for rule in progress.experiment.watched]
    pairs = zip(progress.experiment.watched, found, strict=True)
    counts = _counted(view, Counter(condition_state(rule, reading) for rule, reading in pairs))
    return _section(view, "Abort conditions", items, f"{armed}{f' {view.signs.dot} {counts}' if counts else ''}", 1)


def _condition(view: View, condition: AbortCondition, widths: Columns) -> Item:
    progress, signs = view.progress, view.signs
    reading = progress.latest.get(("abort", condition.title))
    state = condition_state(condition, reading)
    style = _CONDITION_STYLES[state]
    lasting = progress.deviating_for("abort", condition.title)
    near = nearness(condition, None if reading is None else reading.value)
    meter = _meter(view, near, widths.spark)
    if state == "exceeded" and condition.held_for and lasting is not None:
        meter = f"for {lasting:.1f}s of {format_duration(condition.held_for)}"
    line = view.row(
        Cell(_condition_word(view, state), STATE_WIDTH, style),
        Cell(condition_name(condition), widths.name),
        Cell(condition_value(condition, reading, signs), widths.value, style, right=True),
        Cell(condition_limit(condition), widths.bound, "dim"),
        Cell(meter, widths.spark, style),
    )
    problem = clean(reading.problem) if reading is not None and state != "ok" else ""
    return Item((line, view.note(problem, STATE_WIDTH, "yellow")) if problem else (line,), _BADNESS[state])


def _condition_word(view: View, state: ConditionState) -> str:
    outcomes = view.signs.outcomes
    return {
        "no answer yet": "waiting",
        "ok": f"{outcomes['held']} ok",
        "near": "! near",
        "unknown": f"{outcomes['unknown']} unknown",
        "exceeded": f"{outcomes['deviated']} EXCEEDED",
    }[state]


def _silence(view: View, widths: Columns) -> Item:
    """How long the most silent probe has told nothing usable; counted only while that stops the run."""
    silence, limit = view.progress.silence(view.now), view.progress.experiment.no_data_for
    if silence is None or not view.progress.fault_in:
        word = "over" if view.progress.phase in OVER_PHASES else "waiting"
        return Item((_silence_row(view, widths, word, "dim", None),), 0)
    near = silence.seconds / limit
    state: ConditionState = "ok" if near < NEAR / 2 else "near" if near <= 1 else "exceeded"
    line = _silence_row(view, widths, _condition_word(view, state), _CONDITION_STYLES[state], silence.seconds)
    note = view.note(f"nothing usable from {clean(silence.name)}", STATE_WIDTH, "yellow")
    return Item((line,) if state == "ok" else (line, note), _BADNESS[state])


def _silence_row(view: View, widths: Columns, word: str, style: str, seconds: float | None) -> Text:
    limit = view.progress.experiment.no_data_for
    return view.row(
        Cell(word, STATE_WIDTH, style),
        Cell("no data", widths.name),
        Cell(view.signs.none if seconds is None else f"{seconds:.1f}s", widths.value, style, right=True),
        Cell(f"> {format_duration(limit)}", widths.bound, "dim"),
        Cell(_meter(view, None if seconds is None else seconds / limit, widths.spark), widths.spark, style),
    )


def _meter(view: View, share: float | None, width: int) -> str:
    """How near a limit is, as a bar that is full at the limit."""
    if share is None or math.isnan(share) or not width:
        return ""
    full = round(min(max(share, 0.0), 1.0) * width)
    return view.signs.full * full + view.signs.empty * (width - full)
