import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.humane import humane
from chaoskit.reports.document import Axis
from chaoskit.reports.svg import Scale, element, path, place, spread, time_label, time_ticks, value_ticks, words

FINITE = st.floats(-1e12, 1e12)
UNITS = st.sampled_from(["", "s", "%", "B"])


@given(st.lists(FINITE, max_size=20), UNITS)
def test_ticks_span_all_values_evenly_and_are_few(values: list[float], unit: str) -> None:
    ticks = value_ticks(values, unit)
    slack = 1e-6 * max([1.0, *map(abs, values)])
    assert 2 <= len(ticks) <= 12
    assert all(ticks[0] - slack <= value <= ticks[-1] + slack for value in values)
    assert ticks == sorted(ticks)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300, 5e-324])
def test_what_no_scale_can_hold_does_not_stretch_it(value: float) -> None:
    assert value_ticks([0.0, 1.0, value], "")[-1] == 1.0
    assert len(value_ticks([value], "")) >= 2


@pytest.mark.parametrize(
    ("values", "unit", "shown"),
    [
        ([0.118, 0.8], "s", ["0 s", "200 ms", "400 ms", "600 ms", "800 ms"]),
        ([0.9921, 0.9991], "%", ["99.2%", "99.4%", "99.6%", "99.8%", "100%"]),
        ([0.0, 900 * 2**20], "B", ["0 B", "256 MiB", "512 MiB", "768 MiB", "1 GiB"]),
        ([3.0, 3.0], "", ["0", "2", "4", "6"]),
    ],
)
def test_ticks_are_round_in_their_unit(values: list[float], unit: str, shown: list[str]) -> None:
    assert [humane(tick, unit) for tick in value_ticks(values, unit)] == shown


@given(st.floats(0, 1e6), st.floats(0.5, 1e6))
def test_time_ticks_lie_within_the_axis_and_are_few(start: float, width: float) -> None:
    ticks = time_ticks(Axis(start, start + width))
    assert len(ticks) <= 7
    assert all(start - 1e-3 <= tick <= start + width + 1e-3 for tick in ticks)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s"), (0.5, "0.5s"), (30, "30s"), (60, "1m"), (150, "2m30s"), (4500, "1h15m")]
)
def test_moments_on_the_axis_are_short(seconds: float, shown: str) -> None:
    assert time_label(seconds) == shown


@given(st.lists(st.floats(0, 200), max_size=8))
def test_labels_make_room_for_one_another(wanted: list[float]) -> None:
    placed = sorted(spread(wanted, 14, 0, 200))
    assert all(b - a >= 14 - 1e-9 for a, b in pairwise(placed))
    assert all(-1e-9 <= y <= 200 + 1e-9 for y in placed)


def test_a_label_with_room_stays_where_it_wants_to_be() -> None:
    assert spread([50.0, 20.0], 14, 0, 200) == [50.0, 20.0]


def test_a_value_beyond_the_scale_is_drawn_at_its_edge() -> None:
    scale = Scale(0, 10, 5, 105)
    assert [scale(v) for v in (0, 10, 5, 99, -1, math.inf)] == [105, 5, 55, 5, 105, 5]


def test_a_piece_of_one_point_is_a_dot() -> None:
    scale = Scale(0, 10, 0, 100)
    assert path([[(0, 0)], [(50, 5), (100, 10)]], Axis(0, 100), scale) == "M0 100h0M500 50L1000 0"


def test_a_place_is_always_within_the_picture() -> None:
    assert [place(Axis(10, 20), at) for at in (0, 10, 15, 20, 30)] == [0, 0, 50, 100, 100]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_text_and_attributes_read_back_as_they_were(said: str) -> None:
    read = ET.fromstring(element("text", words(said), data_said=said))
    assert (read.text or "", read.get("data-said")) == (said, said)
