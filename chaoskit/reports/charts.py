"""Draws a chart of readings: the line, its bounds, the fault in, gaps as gaps, and the outcome of each moment."""

from collections.abc import Sequence
from itertools import chain

from chaoskit.domain.humane import humane
from chaoskit.domain.readings import Reading
from chaoskit.reports import series
from chaoskit.reports.document import Axis, Chart, Lane, Threshold, Zone, drawable
from chaoskit.reports.svg import (
    Scale,
    box,
    element,
    hatch,
    label,
    path,
    percent,
    picture,
    place,
    spread,
    stretched,
    time_label,
    time_ticks,
    tip,
    upright,
    value_ticks,
)
from chaoskit.reports.wording import clip, offset

_ZONE_ROW = 18.0
_LANE = 7.0
_PLOT = 168.0
_BAND = 9.0
_TALL_BAND = 30.0
_TIMES = 18.0
_LINE_GAP = 14.0
_LABEL_WIDTH = 42
_HEADROOM = 18.0  # between the lanes and the plot, so that the name of the topmost bound stands above its line
# The share of the width, in percent, that the name of a zone needs on the narrowest screen.
_ROOM = {"fault": 9.0, "rollback": 15.0, "recovery": 16.0}


def chart(one: Chart, key: str) -> str:
    """The picture of ``one``; ``key`` makes its ids unique within the page."""
    top = _ZONE_ROW + _LANE * len(one.lanes) + _HEADROOM
    values = [float(r.value or 0.0) for r in one.readings if drawable(r)]
    numeric = bool(values)
    bottom = top + (_PLOT if numeric else 0)
    band_top, band = (bottom + 6, _BAND) if numeric else (top, _TALL_BAND)
    height = band_top + band + _TIMES
    parts = [hatch(key), *_zones(one.zones, one.axis, band_top + band), *_lanes(one.lanes, one.axis)]
    parts += _time_axis(one.axis, top, band_top + band)
    if numeric:
        parts += _plot(one, values, top, bottom, key)
    parts += _band(one, band_top, band, key)
    return picture("chart", one.title, one.described, height, key, parts)


def _zones(zones: Sequence[Zone], axis: Axis, bottom: float) -> list[str]:
    parts = []
    for zone in zones:
        parts.append(box(axis, zone.start, zone.end, 0, bottom, f"zone {zone.kind}", tip(_zone_tip(zone))))
        parts.append(upright(axis, zone.start, 0, bottom, f"edge {zone.kind}"))
        left, right = place(axis, zone.start), place(axis, zone.end)
        if right - left >= _ROOM[zone.kind]:
            parts.append(label(zone.kind, percent(left), 12, "zone-name", dx=5))
    return parts


def _zone_tip(zone: Zone) -> str:
    return f"{zone.kind}: {offset(zone.start)} to {offset(zone.end)}"


def _lanes(lanes: Sequence[Lane], axis: Axis) -> list[str]:
    parts = []
    for row, lane in enumerate(lanes):
        y = _ZONE_ROW + row * _LANE
        until = axis.end if lane.until is None else lane.until
        ends = "not restored" if lane.until is None else f"restored {offset(lane.until)}"
        hint = tip(f"{lane.label}: from {offset(lane.start)}, {ends}")
        parts.append(box(axis, lane.start, until, y, _LANE - 2, "lane", hint))
    return parts


def _time_axis(axis: Axis, top: float, bottom: float) -> list[str]:
    parts = []
    for tick in time_ticks(axis):
        at = place(axis, tick)
        parts.append(upright(axis, tick, top, bottom, "grid"))
        anchor = "start" if at < 3 else "end" if at > 97 else "middle"  # noqa: PLR2004 keep the outer labels inside
        parts.append(label(time_label(tick), percent(at), bottom + 14, "tick", anchor))
    return parts


def _plot(one: Chart, values: Sequence[float], top: float, bottom: float, key: str) -> list[str]:
    ticks = value_ticks([*values, *(threshold.value for threshold in one.thresholds)], one.unit)
    scale = Scale(ticks[0], ticks[-1], top, bottom)
    parts = list(chain.from_iterable(_grid_line(tick, scale, one.unit) for tick in ticks))
    for gap in series.gaps(one.readings, one.axis, one.hole):
        hint = tip(f"unknown from {offset(gap.start)} to {offset(gap.end)}")
        parts.append(_filled(one.axis, gap.start, gap.end, top, bottom - top, key, hint))
    parts += [_threshold(threshold, one.axis, scale) for threshold in one.thresholds]
    parts.append(_line(one.readings, one.axis, scale, one.hole))
    parts += _threshold_labels(one.thresholds, one.axis, scale)
    return parts


def _grid_line(tick: float, scale: Scale, unit: str) -> list[str]:
    y = scale(tick)
    return [
        element("line", x1="0", x2="100%", y1=y, y2=y, class_="grid"),
        label(humane(tick, unit), "0", y + 4, "tick", "end", dx=-8),
    ]


def _filled(axis: Axis, start: float, end: float, y: float, height: float, key: str, *children: str) -> str:
    left = place(axis, start)
    return element(
        "rect",
        *children,
        x=percent(left),
        y=y,
        width=percent(max(place(axis, end) - left, 0.2)),
        height=height,
        fill=f"url(#{key}-h)",
        class_="gap",
    )


def _line(readings: Sequence[Reading], axis: Axis, scale: Scale, hole: float) -> str:
    moved = Scale(scale.low, scale.high, 0, scale.bottom - scale.top)
    drawn = path(series.pieces(readings, axis, hole), axis, moved)
    dots = path(([point] for point in series.marks(readings, axis)), axis, moved)
    layers = [element("path", d=drawn, class_="line")]
    if dots:
        layers.append(element("path", d=dots, class_="dot"))
    return stretched(scale.top, scale.bottom - scale.top, *layers)


def _threshold(threshold: Threshold, axis: Axis, scale: Scale) -> str:
    start = 0.0 if threshold.start is None else place(axis, threshold.start)
    end = 100.0 if threshold.end is None else place(axis, threshold.end)
    y = scale(threshold.value)
    return element("line", x1=percent(start), x2=percent(end), y1=y, y2=y, class_=f"threshold {threshold.kind}")


def _threshold_labels(thresholds: Sequence[Threshold], axis: Axis, scale: Scale) -> list[str]:
    """The names of the lines, on both sides; on each side they make room for one another."""
    parts = []
    for right in (False, True):
        named = [t for t in thresholds if t.label and (t.kind == "bound") is right]
        rows = spread([scale(t.value) - 5 for t in named], _LINE_GAP, scale.top - 5, scale.bottom - 4)
        parts += [_threshold_label(threshold, axis, row) for threshold, row in zip(named, rows, strict=True)]
    return parts


def _threshold_label(threshold: Threshold, axis: Axis, y: float) -> str:
    text, css = clip(threshold.label, _LABEL_WIDTH), f"threshold-name {threshold.kind}"
    if threshold.kind == "bound":
        return label(text, "100%", y, css, "end", dx=-6)
    if threshold.kind == "during" and threshold.start is not None and place(axis, threshold.start) < 50:  # noqa: PLR2004 half
        return label(text, percent(place(axis, threshold.start)), y, css, dx=6)
    return label(text, "0", y, css, dx=6)


def _band(one: Chart, y: float, height: float, key: str) -> list[str]:
    """The outcomes over time: thin when held, hatched when unknown, full when deviated; shape tells, not colour."""
    parts = []
    for stretch in series.stretches(one.readings, one.axis, one.hole):
        hint = tip(f"{stretch.outcome} from {offset(stretch.start)} to {offset(stretch.end)}")
        if stretch.outcome == "unknown":
            parts.append(_filled(one.axis, stretch.start, stretch.end, y, height, key, hint))
        elif stretch.outcome == "held":
            parts.append(box(one.axis, stretch.start, stretch.end, y + height / 3, height / 3, "held", hint))
        else:
            parts.append(box(one.axis, stretch.start, stretch.end, y, height, "deviated", hint))
    return parts
