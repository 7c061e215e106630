"""From readings to what a picture can draw: lines that break where nothing is known, gaps, and outcome strips.

Everything is thinned to the columns a picture has, by the least and the greatest of each, so that one bad second
in an hour is still seen. Nothing is ever interpolated over a gap.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from chaoskit.domain.readings import Outcome, Reading
from chaoskit.reports.document import Axis, drawable

COLUMNS = 600
_RANK: dict[Outcome, int] = {"held": 0, "unknown": 1, "deviated": 2}


class Point(NamedTuple):
    """One value at one moment."""

    at: float
    value: float


class Stretch(NamedTuple):
    """A span of time over which one outcome stands."""

    start: float
    end: float
    outcome: Outcome


class Gap(NamedTuple):
    """A span of time in which nothing is known."""

    start: float
    end: float


Piece = tuple[Point, ...]


def column(axis: Axis, at: float, columns: int = COLUMNS) -> int:
    """The column of a picture into which a moment falls."""
    width = axis.end - axis.start
    share = (at - axis.start) / width if width > 0 else 0.0
    return min(columns - 1, max(0, int(share * columns)))


def pieces(readings: Sequence[Reading], axis: Axis, hole: float) -> tuple[Piece, ...]:
    """The line through the known readings, broken at each unknown one and at each hole, thinned to the columns."""
    found: list[list[Point]] = [[]]
    for before, reading in pairwise((None, *readings)):
        if reading is None or not drawable(reading) or (before is not None and _is_hole(before, reading, hole)):
            found.append([])
        if reading is not None and drawable(reading):
            found[-1].append(Point(reading.at, float(reading.value or 0.0)))
    thinned = (thin(piece, axis) for piece in found if piece)
    return tuple(_joined(thinned, axis))


def _is_hole(before: Reading, after: Reading, hole: float) -> bool:
    return after.at - (before.at + before.took) > hole


def thin(points: Sequence[Point], axis: Axis) -> Piece:
    """At most four points for each column: the first, the least, the greatest, the last."""
    kept: list[Point] = []
    for _, group in groupby(points, key=lambda point: column(axis, point.at)):
        mine = list(group)
        chosen = {mine[0], min(mine, key=_value), max(mine, key=_value), mine[-1]}
        kept += sorted(chosen, key=lambda point: point.at)
    return tuple(kept)


def _value(point: Point) -> float:
    return point.value


def _joined(found: Iterable[Piece], axis: Axis) -> Iterable[Piece]:
    """Pieces narrower than a column and in the same one become one upright stroke: there can be no more to see."""
    for (first, last), group in groupby(found, key=lambda p: (column(axis, p[0].at), column(axis, p[-1].at))):
        if first != last:
            yield from group
            continue
        points = [point for piece in group for point in piece]
        least, greatest = min(points, key=_value), max(points, key=_value)
        yield (least,) if least.value == greatest.value else (least, Point(least.at, greatest.value))


def gaps(readings: Sequence[Reading], axis: Axis, hole: float) -> tuple[Gap, ...]:
    """Where nothing is known: from the last known reading to the next, at least one column wide, merged."""
    found: list[Gap] = []
    blind_since: float | None = None
    previous: Reading | None = None
    for reading in readings:
        if previous is not None and _is_hole(previous, reading, hole):
            found.append(Gap(previous.at + previous.took, reading.at))
        if reading.outcome == "unknown":
            if blind_since is None:
                blind_since = reading.at if previous is None else previous.at
        elif blind_since is not None:
            found.append(Gap(blind_since, reading.at))
            blind_since = None
        previous = reading
    if blind_since is not None and previous is not None:
        found.append(Gap(blind_since, previous.at + previous.took))
    return _merged(found, axis)


def _merged(found: Iterable[Gap], axis: Axis) -> tuple[Gap, ...]:
    """Neighbouring gaps as one where less than a column lies between them."""
    width = (axis.end - axis.start) / COLUMNS
    merged: list[Gap] = []
    for gap in sorted(found):
        end = max(gap.end, gap.start + width)
        if merged and gap.start - merged[-1].end < width:
            merged[-1] = Gap(merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(Gap(gap.start, end))
    return tuple(merged)


def stretches(readings: Sequence[Reading], axis: Axis, hole: float) -> tuple[Stretch, ...]:
    """The outcomes over time; in each column the worst one counts. A hole is unknown."""
    cells: list[Stretch] = []
    for reading, following in pairwise((*readings, None)):
        if reading is None:
            continue
        end = reading.at + max(reading.took, hole / 3) if following is None else following.at
        if following is not None and _is_hole(reading, following, hole):
            cells.append(Stretch(reading.at, reading.at + reading.took, reading.outcome))
            cells.append(Stretch(reading.at + reading.took, end, "unknown"))
        else:
            cells.append(Stretch(reading.at, end, reading.outcome))
    by_column = groupby(cells, key=lambda cell: column(axis, cell.start))
    return tuple(_runs(_worst_of(list(group)) for _, group in by_column))


def _worst_of(cells: Sequence[Stretch]) -> Stretch:
    worst = max((cell.outcome for cell in cells), key=_RANK.__getitem__)
    return Stretch(cells[0].start, cells[-1].end, worst)


def _runs(cells: Iterable[Stretch]) -> Iterable[Stretch]:
    for outcome, group in groupby(cells, key=lambda cell: cell.outcome):
        mine = list(group)
        yield Stretch(mine[0].start, mine[-1].end, outcome)


def marks(readings: Sequence[Reading], axis: Axis) -> tuple[Point, ...]:
    """The deviated readings that have a number: the outermost two of each (double) column."""
    deviated = [Point(r.at, float(r.value or 0.0)) for r in readings if r.outcome == "deviated" and drawable(r)]
    kept: list[Point] = []
    for _, group in groupby(deviated, key=lambda point: column(axis, point.at, COLUMNS // 2)):
        mine = list(group)
        kept += sorted({min(mine, key=_value), max(mine, key=_value)}, key=lambda point: point.at)
    return tuple(kept)
