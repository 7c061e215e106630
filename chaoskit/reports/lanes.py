"""Draws the timeline: a bar for each phase, a lane for each fault, and the events."""

from collections.abc import Sequence

from chaoskit.reports.document import Axis, Bar, Lane, Mark, Timeline
from chaoskit.reports.svg import (
    box,
    element,
    hatch,
    label,
    percent,
    picture,
    place,
    time_label,
    time_ticks,
    tip,
    upright,
)
from chaoskit.reports.wording import clip, offset, plural

MOST_LANES = 20
_HEAD = 20.0
_PHASE = 22.0
_LANE = 30.0
_EVENTS = 44.0
_GAP = 8.0
_TIMES = 20.0
_LABEL_WIDTH = 46
# In percent of the width: the room that the name of a phase needs beside its bar on the narrowest screen.
_ROOM = 36.0
_LOUD = {"abort", "halt"}
_MOST_TICKS = 400


def timeline(one: Timeline, key: str) -> str:
    """The picture of ``one``; ``key`` makes its ids unique within the page."""
    shown = one.lanes[:MOST_LANES]
    faults_top = _HEAD + _PHASE * len(one.phases) + (_HEAD + _GAP if shown else 0)
    more_top = faults_top + _LANE * len(shown)
    events_top = more_top + (_HEAD if len(shown) < len(one.lanes) else 0)
    bottom = events_top + (_EVENTS if one.marks else 0)
    parts = [hatch(key), *_grid(one.axis, bottom), label("Phases", "0", 12, "row-name")]
    parts += _phases(one.phases, one.axis)
    if shown:
        parts.append(label("Faults", "0", faults_top - 6, "row-name"))
        parts += _faults(shown, one.axis, faults_top, key)
    if len(shown) < len(one.lanes):
        more = f"and {plural(len(one.lanes) - len(shown), 'more injection')}, in the table of the blast radius"
        parts.append(label(more, "0", more_top + 12, "note"))
    if one.marks:
        parts += _events(one.marks, one.axis, events_top, bottom)
    return picture("timeline", "Timeline of the run", one.described, bottom + _TIMES, key, parts)


def _grid(axis: Axis, bottom: float) -> list[str]:
    parts = []
    for tick in time_ticks(axis):
        at = place(axis, tick)
        parts.append(upright(axis, tick, _HEAD, bottom, "grid"))
        anchor = "start" if at < 3 else "end" if at > 97 else "middle"  # noqa: PLR2004 keep the outer labels inside
        parts.append(label(time_label(tick), percent(at), bottom + 15, "tick", anchor))
    return parts


def _phases(phases: Sequence[Bar], axis: Axis) -> list[str]:
    parts = []
    for row, phase in enumerate(phases):
        y = _HEAD + row * _PHASE
        hint = tip(f"{phase.label}: {offset(phase.start)} to {offset(phase.end)}")
        parts.append(box(axis, phase.start, phase.end, y + 3, _PHASE - 7, f"phase {phase.kind}", hint))
        parts.append(_beside(phase.label, place(axis, phase.start), place(axis, phase.end), y + 15))
    return parts


def _beside(text: str, left: float, right: float, y: float) -> str:
    """The name of a bar: right of it, else left of it, else (the bar is long) in it."""
    if 100 - right >= _ROOM:
        return label(text, percent(right), y, dx=7)
    if left >= _ROOM:
        return label(text, percent(left), y, anchor="end", dx=-7)
    return label(text, percent(left), y, dx=7)


def _faults(lanes: Sequence[Lane], axis: Axis, top: float, key: str) -> list[str]:
    parts = []
    for row, lane in enumerate(lanes):
        y = top + row * _LANE
        until = axis.end if lane.until is None else lane.until
        undone = until if lane.rollback is None else lane.rollback
        end = "not restored" if lane.until is None else f"restored {offset(lane.until)}"
        text = clip(lane.label, _LABEL_WIDTH) + ("  \u2717 not restored" if lane.until is None else "")
        parts.append(label(text, "0", y + 11, "bad" if lane.until is None else "", dx=1))
        parts.append(box(axis, lane.start, undone, y + 16, 9, "lane", tip(f"{lane.label}: from {offset(lane.start)}")))
        if undone < until:
            hint = tip(f"rollback from {offset(undone)}, {end}")
            parts.append(_undoing(axis, undone, until, y + 16, key, hint))
    return parts


def _undoing(axis: Axis, start: float, end: float, y: float, key: str, hint: str) -> str:
    """The rollback's part of a lane: hatched and framed."""
    left = place(axis, start)
    width = max(place(axis, end) - left, 0.4)
    x, wide = percent(min(left, 100 - width)), percent(width)
    return element("rect", hint, x=x, y=y, width=wide, height=9, fill=f"url(#{key}-h)", class_="undoing")


def _events(marks: Sequence[Mark], axis: Axis, top: float, bottom: float) -> list[str]:
    parts = [label("Events", "0", top + 18, "row-name")]
    for mark in _thinned(marks, axis):
        hint = tip(f"{offset(mark.at)} {mark.kind}: {mark.label}")
        x = percent(place(axis, mark.at))
        parts.append(element("circle", hint, cx=x, cy=top + 33, r=4, class_=f"event {mark.kind}"))
    for mark in [mark for mark in marks if mark.kind in _LOUD][:1]:
        at = place(axis, mark.at)
        parts.append(upright(axis, mark.at, _HEAD, bottom, "stop"))
        side, dx = ("end", -6) if at > 50 else ("start", 6)  # noqa: PLR2004 half of the width
        parts.append(label(mark.kind, percent(at), 12, "bad", side, dx))
    return parts


def _thinned(marks: Sequence[Mark], axis: Axis) -> list[Mark]:
    """One mark for each place and kind; the table holds all of them."""
    kept = {(round(place(axis, mark.at) * _MOST_TICKS / 100), mark.kind): mark for mark in reversed(marks)}
    return list(kept.values())[::-1]
