"""The row of small bars."""

import math
import sys

from hypothesis import given
from hypothesis import strategies as st

from chaoskit.cli.sparkline import ASCII_PEN, BLOCK_PEN, BLOCKS, Point, sparkline


def held(*values: float | None) -> list[Point]:
    return [Point(value, "held") for value in values]


def test_bars_rise_with_the_values() -> None:
    assert sparkline(held(*range(8))) == BLOCKS


def test_an_unknown_reading_is_a_gap_even_when_it_carries_a_number() -> None:
    points = [Point(0.0, "held"), Point(None, "unknown"), Point(5.0, "unknown"), Point(1.0, "held")]
    assert sparkline(points) == "\u2581  \u2588"


def test_a_number_of_an_unknown_reading_does_not_stretch_the_scale() -> None:
    assert sparkline([Point(0.0, "held"), Point(1.0, "held"), Point(900.0, "unknown")]) == "\u2581\u2588 "


def test_the_bound_sets_the_scale_so_that_jitter_far_from_it_is_flat() -> None:
    jitter = held(0.030, 0.034, 0.031)
    assert sparkline(jitter) != "\u2581\u2581\u2581"
    assert sparkline(jitter, bounds=[0.3]) == "\u2581\u2581\u2581"


def test_values_that_never_change_are_a_flat_line() -> None:
    assert sparkline(held(7.0, 7.0, 7.0)) == "\u2581\u2581\u2581"


def test_a_deviation_without_a_number_has_a_sign_of_its_own() -> None:
    points = [Point(None, "held"), Point(None, "deviated"), Point(0.2, "deviated")]
    assert sparkline(points) == "\u2581\u00d7\u2581"


def test_infinity_is_drawn_at_the_edge_and_not_a_number_as_a_gap() -> None:
    points = held(0.0, 1.0, math.inf, -math.inf, math.nan)
    assert sparkline(points) == "\u2581\u2588\u2588\u2581 "


def test_no_readings_are_an_empty_row() -> None:
    assert sparkline([]) == ""


def test_a_terminal_without_unicode_gets_plain_characters() -> None:
    points = [*held(0.0, 1.0), Point(None, "deviated"), Point(None, "unknown")]
    assert sparkline(points, pen=ASCII_PEN) == "_#x "
    assert sparkline(points, pen=ASCII_PEN).isascii()


def test_values_as_far_apart_as_floats_go_are_still_drawn() -> None:
    assert sparkline(held(-sys.float_info.max, 0.0, sys.float_info.max))[0::2] == "\u2581\u2588"


def test_values_too_close_for_floats_to_tell_apart_are_a_flat_line() -> None:
    assert sparkline(held(0.0, 5e-324)) == "\u2581\u2581"


@given(
    st.lists(
        st.builds(
            Point,
            st.none() | st.floats(),
            st.sampled_from(["held", "unknown", "deviated"]),
        ),
        max_size=60,
    ),
    st.lists(st.floats(allow_nan=True), max_size=2),
)
def test_every_reading_is_one_character_and_only_not_knowing_is_a_gap(points: list[Point], bounds: list[float]) -> None:
    drawn = sparkline(points, bounds)
    assert len(drawn) == len(points)
    for point, sign in zip(points, drawn, strict=True):
        blind = point.outcome == "unknown" or (point.value is not None and math.isnan(point.value))
        assert (sign == " ") == blind
        assert sign in BLOCK_PEN.levels + BLOCK_PEN.missed + " "
