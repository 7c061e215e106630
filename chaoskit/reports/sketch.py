"""Pictures made of letters, for Markdown and terminals: a sparkline with its outcomes, and the timeline."""

import math
from collections.abc import Sequence
from itertools import groupby

from chaoskit.domain.humane import humane, humane_seconds
from chaoskit.domain.readings import Outcome
from chaoskit.reports.document import Axis, Chart, Lane, Timeline, ZoneKind, drawable
from chaoskit.reports.series import Stretch, column, stretches
from chaoskit.reports.wording import clip, offset, plural

COLUMNS = 64
MOST_LANES = 20
_BLOCKS = "▁▂▃▄▅▆▇█"
_EMPTY = " "
_OUTCOMES: dict[Outcome, str] = {"held": "·", "unknown": "?", "deviated": "x"}
_ZONES: dict[ZoneKind, str] = {"fault": "F", "rollback": "R", "recovery": "C"}
_NAME_WIDTH = 30


def chart(one: Chart) -> str:
    """The readings as a sparkline, their outcomes and the zones of the run below it, and a key."""
    outcomes = _paint(stretches(one.readings, one.axis, one.hole), one.axis)
    zones = [_EMPTY] * COLUMNS
    for zone in one.zones:
        _fill(zones, one.axis, zone.start, zone.end, _ZONES[zone.kind])
    rows = [("outcome", "".join(outcomes)), ("run", "".join(zones).rstrip())]
    lines = [f"{name:8} {row}" for name, row in rows]
    if one.numeric:
        values = [reading.value for reading in one.readings if drawable(reading) and reading.value is not None]
        lines.insert(0, f"{'value':8} {_spark(one)}")
        scale = f"values from {humane(min(values), one.unit)} to {humane(max(values), one.unit)}; "
        baseline, worst, final = one.words
        lines.append(f"{scale}baseline {baseline}, worst with the fault in {worst}, at the end {final}")
    lines += one.bounds
    each = humane_seconds((one.axis.end - one.axis.start) / COLUMNS)
    lines.append(f"from {offset(one.axis.start)} to {offset(one.axis.end)}, {each} a column")
    lines.append("· held  ? unknown  x deviated    F fault in  R rollback  C recovery")
    return "\n".join(lines)


def _spark(one: Chart) -> str:
    """A block for each column: the value farthest from the middle one; nothing where none is known.

    The scale reaches to the bounds, so that jitter far below a limit is drawn flat.
    """
    values = sorted(float(reading.value or 0.0) for reading in one.readings if drawable(reading))
    ends = [value for value in (*values, *(line.value for line in one.thresholds)) if math.isfinite(value)]
    low, high, middle = min(ends, default=0.0), max(ends, default=0.0), values[len(values) // 2]
    cells = [_EMPTY] * COLUMNS
    for place, group in groupby(one.readings, key=lambda reading: column(one.axis, reading.at, COLUMNS)):
        if mine := [float(reading.value or 0.0) for reading in group if drawable(reading)]:
            cells[place] = _level(max(mine, key=lambda value: abs(value - middle)), low, high)
    return "".join(cells).rstrip()


def _level(value: float, low: float, high: float) -> str:
    inside = min(high, max(low, value))
    share = (inside - low) / (high - low) if high > low else 0.0
    return _BLOCKS[min(len(_BLOCKS) - 1, int(share * len(_BLOCKS)))]


def _paint(found: Sequence[Stretch], axis: Axis) -> list[str]:
    """The worst outcome of each column."""
    cells = [_EMPTY] * COLUMNS
    for outcome, sign in _OUTCOMES.items():  # in rising order of badness, so that the worst is painted last
        for stretch in found:
            if stretch.outcome == outcome:
                _fill(cells, axis, stretch.start, stretch.end, sign)
    return cells


def _fill(cells: list[str], axis: Axis, start: float, end: float, sign: str) -> None:
    first, last = column(axis, start, COLUMNS), column(axis, max(start, end - 1e-9), COLUMNS)
    for place in range(first, last + 1):
        cells[place] = sign


def timeline(one: Timeline) -> str:
    """A line for each phase and each fault."""
    lines = [_bar(bar.label, one.axis, [(bar.start, bar.end, "█")]) for bar in one.phases]
    lines += [_lane(lane, one.axis) for lane in one.lanes[:MOST_LANES]]
    if len(one.lanes) > MOST_LANES:
        lines.append(f"and {plural(len(one.lanes) - MOST_LANES, 'more injection')}, in the table of the blast radius")
    cells = [_EMPTY] * COLUMNS
    for mark in one.marks:
        cells[column(one.axis, mark.at, COLUMNS)] = "!" if mark.kind in {"abort", "halt", "trouble"} else "o"
    lines.append(f"{'events':{_NAME_WIDTH}} |{''.join(cells)}|")
    lines.append(
        f"from {offset(one.axis.start)} to {offset(one.axis.end)}; █ phase or fault in  ▒ rollback  ! abort, halt"
    )
    return "\n".join(lines)


def _lane(lane: Lane, axis: Axis) -> str:
    until = axis.end if lane.until is None else lane.until
    undone = until if lane.rollback is None else lane.rollback
    line = _bar(
        lane.label,
        axis,
        [(lane.start, undone, "█"), (undone, until, "▒")] if undone < until else [(lane.start, until, "█")],
    )
    return f"{line} not restored" if lane.until is None else line


def _bar(name: str, axis: Axis, parts: Sequence[tuple[float, float, str]]) -> str:
    cells = [_EMPTY] * COLUMNS
    for start, end, sign in parts:
        _fill(cells, axis, start, end, sign)
    return f"{clip(name, _NAME_WIDTH):{_NAME_WIDTH}} |{''.join(cells)}|"
