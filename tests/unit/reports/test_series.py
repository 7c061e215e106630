import math
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.readings import Outcome, Reading
from chaoskit.reports.document import Axis, drawable
from chaoskit.reports.series import COLUMNS, Gap, Point, column, gaps, marks, pieces, stretches, thin

AXIS = Axis(0.0, 100.0)
HOLE = 3.0


def at(time: float, value: float | None = 1.0, outcome: Outcome = "held") -> Reading:
    return Reading(role="check", name="c", phase="observe", at=time, took=0.1, outcome=outcome, value=value)


def blind(time: float) -> Reading:
    return at(time, None, "unknown")


@st.composite
def runs(draw: st.DrawFn) -> Sequence[Reading]:
    steps = draw(st.lists(st.floats(0.05, 9.0), max_size=60))
    found, time = [], 0.0
    for step in steps:
        time += step
        outcome: Outcome = draw(st.sampled_from(["held", "unknown", "deviated"]))
        value = draw(st.none() | st.floats(-10, 10) | st.just(math.nan))
        found.append(at(time, value, outcome))
    return found


def test_the_line_breaks_at_an_unknown_reading() -> None:
    found = pieces([at(1, 5), at(2, 6), blind(3), at(4, 7)], AXIS, HOLE)
    assert found == ((Point(1, 5), Point(2, 6)), (Point(4, 7),))


def test_the_line_breaks_where_nothing_was_sampled() -> None:
    assert pieces([at(1), at(9)], AXIS, HOLE) == ((Point(1, 1),), (Point(9, 1),))


def test_a_reading_without_a_number_breaks_the_line_too() -> None:
    assert len(pieces([at(1), at(2, None), at(3)], AXIS, HOLE)) == 2


def test_a_gap_reaches_from_the_last_known_reading_to_the_next() -> None:
    assert gaps([at(1), blind(2), blind(3), at(4)], AXIS, HOLE) == (Gap(1, 4),)


def test_gaps_that_touch_are_one_and_reach_to_both_ends() -> None:
    assert gaps([blind(1), at(2), blind(3)], AXIS, HOLE) == (Gap(1, 3.1),)


def test_a_hole_between_readings_is_a_gap() -> None:
    assert gaps([at(1), at(9)], AXIS, HOLE) == (Gap(1.1, 9),)


@given(runs())
def test_no_piece_of_line_reaches_over_anything_unknown(readings: Sequence[Reading]) -> None:
    axis = Axis(0.0, max([1.0, *(r.at for r in readings)]))
    width = (axis.end - axis.start) / COLUMNS
    for piece in pieces(readings, axis, HOLE):
        inside = [r for r in readings if piece[0].at < r.at < piece[-1].at]
        assert all(drawable(r) for r in inside) or piece[-1].at - piece[0].at < width


@given(runs())
def test_every_known_value_that_is_extreme_is_drawn(readings: Sequence[Reading]) -> None:
    axis = Axis(0.0, max([1.0, *(r.at for r in readings)]))
    known = [r.value for r in readings if drawable(r) and r.value is not None]
    drawn = [point.value for piece in pieces(readings, axis, HOLE) for point in piece]
    assert (min(drawn, default=0), max(drawn, default=0)) == (min(known, default=0), max(known, default=0))


@given(runs())
def test_every_unknown_reading_lies_in_a_gap(readings: Sequence[Reading]) -> None:
    axis = Axis(0.0, max([1.0, *(r.at for r in readings)]))
    found = gaps(readings, axis, HOLE)
    for reading in readings:
        if reading.outcome == "unknown":
            assert any(gap.start <= reading.at <= gap.end for gap in found)


@given(runs())
def test_gaps_never_overlap_and_are_in_order(readings: Sequence[Reading]) -> None:
    axis = Axis(0.0, max([1.0, *(r.at for r in readings)]))
    found = gaps(readings, axis, HOLE)
    assert all(one.end < following.start for one, following in pairwise(found))


@given(runs())
def test_every_deviation_is_seen_in_the_strip(readings: Sequence[Reading]) -> None:
    axis = Axis(0.0, max([1.0, *(r.at for r in readings)]))
    found = stretches(readings, axis, HOLE)
    for reading in readings:
        if reading.outcome == "deviated":
            assert any(s.start <= reading.at <= s.end for s in found if s.outcome == "deviated")


def test_one_spike_among_twenty_thousand_readings_survives() -> None:
    readings = [at(index * 0.005, 1.0) for index in range(20_000)]
    readings[13_370] = at(13_370 * 0.005, 99.0)
    (piece,) = pieces(readings, AXIS, HOLE)
    assert len(piece) <= 4 * COLUMNS
    assert max(point.value for point in piece) == 99.0


def test_readings_that_come_and_go_are_bounded_too() -> None:
    readings = [blind(i * 0.005) if i % 2 else at(i * 0.005, float(i % 7), "deviated") for i in range(20_000)]
    assert sum(map(len, pieces(readings, AXIS, HOLE))) <= 4 * COLUMNS
    assert len(gaps(readings, AXIS, HOLE)) <= COLUMNS
    assert len(stretches(readings, AXIS, HOLE)) <= COLUMNS
    assert len(marks(readings, AXIS)) <= COLUMNS


def test_thinning_keeps_the_order_of_time() -> None:
    points = [Point(index * 0.01, math.sin(index)) for index in range(9000)]
    kept = thin(points, AXIS)
    assert list(kept) == sorted(kept, key=lambda point: point.at)
    assert set(kept) <= set(points)


def test_a_moment_outside_the_axis_falls_into_an_outer_column() -> None:
    assert (column(AXIS, -5), column(AXIS, 500), column(Axis(1, 1), 1)) == (0, COLUMNS - 1, 0)


def test_of_many_deviations_in_one_place_the_outermost_are_marked() -> None:
    readings = [at(50 + index * 0.001, value, "deviated") for index, value in enumerate((5.0, 9.0, 2.0, 7.0))]
    assert {point.value for point in marks(readings, AXIS)} == {9.0, 2.0}
