"""A row of small bars for the last readings of a check. Not knowing is a gap, never a bar."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chaoskit.domain.readings import Outcome

BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
ASCII_LEVELS = "_.-=+*#"
GAP = " "


class Point(NamedTuple):
    """One reading: its number, where it has one, and its outcome."""

    value: float | None
    outcome: Outcome


class Pen(NamedTuple):
    """The characters to draw with: the levels, lowest first, and a deviation that has no number."""

    levels: str
    missed: str


BLOCK_PEN = Pen(BLOCKS, "\u00d7")
ASCII_PEN = Pen(ASCII_LEVELS, "x")


def sparkline(points: Sequence[Point], bounds: Iterable[float] = (), pen: Pen = BLOCK_PEN) -> str:
    """One character for each of ``points``, oldest first.

    The scale reaches from the lowest to the highest of the values and of ``bounds``, so that the height tells how
    far a value is from its bound: a flat line of tiny jitter far below the limit is drawn flat.
    """
    known = [p.value for p in points if p.outcome != "unknown" and p.value is not None]
    ends = [number for number in (*known, *bounds) if math.isfinite(number)]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    return "".join(_drawn(point, low, high, pen) for point in points)


def _drawn(point: Point, low: float, high: float, pen: Pen) -> str:
    if point.outcome == "unknown" or (point.value is not None and math.isnan(point.value)):
        return GAP
    if point.value is None:
        return pen.levels[0] if point.outcome == "held" else pen.missed
    top = len(pen.levels) - 1
    if math.isinf(point.value):
        return pen.levels[top if point.value > 0 else 0]
    # Halved before subtracting: the ends may be as far apart as floats go.
    span = high / 2 - low / 2
    share = (point.value / 2 - low / 2) / span if span > 0 else 0.0
    return pen.levels[min(round(share * top), top)]
