"""Durations, sizes, percentages and bounds: what is read, what is refused, and that nothing is lost in writing."""

import math
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chaoskit.domain.quantities import (
    LONGEST_SECONDS,
    Duration,
    Percent,
    PositiveDuration,
    Quantity,
    Size,
    format_duration,
    format_percent,
    format_size,
    parse_duration,
    parse_percent,
    parse_quantity,
    parse_size,
    shown,
)

MICROSECONDS = st.integers(0, int(LONGEST_SECONDS * 1e6))
UNITS = st.sampled_from(["us", "ms", "s", "m", "h", "d", "B", "kB", "MiB", "GiB", "%", "", "e5", "e+5", "E-5"])
NUMBERS = st.from_regex(r"[0-9]{1,20}(\.[0-9]{1,20})?", fullmatch=True)
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.just(10**400)
    | st.builds(str.__add__, NUMBERS, UNITS)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
)


# --- durations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("300ms", 0.3),
        ("1us", 0.000001),
        ("90s", 90.0),
        ("1.5s", 1.5),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1m0.5s", 60.5),
        ("7d", 604800.0),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (60, "a duration needs a unit; write 60s or 60ms"),
        (1.5, "a duration needs a unit; write 1.5s or 1.5ms"),
        ("60", "'60' is not a duration; write for example 300ms, 90s, 5m or 1h30m"),
        ("-5s", "'-5s' is not a duration; write for example 300ms, 90s, 5m or 1h30m"),
        ("1 s", "'1 s' is not a duration; write for example 300ms, 90s, 5m or 1h30m"),
        ("60s\n", r"'60s\n' is not a duration; write for example 300ms, 90s, 5m or 1h30m"),
        ("", "'' is not a duration; write for example 300ms, 90s, 5m or 1h30m"),
        (True, "true is not a duration; write for example 300ms, 90s, 5m or 1h30m"),
        (None, "null is not a duration; write for example 300ms, 90s, 5m or 1h30m"),
        ([1], "a list is not a duration; write for example 300ms, 90s, 5m or 1h30m"),
        ("8d", "8d is longer than the longest duration chaoskit accepts, 7d"),
    ],
)
def test_a_duration_is_refused_with(raw: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        parse_duration(raw)
    assert str(caught.value) == said


@given(MICROSECONDS)
def test_a_duration_that_is_written_reads_the_same(microseconds: int) -> None:
    seconds = round(microseconds / 1e6, 6)
    assert parse_duration(format_duration(seconds)) == seconds


@given(NUMBERS, st.sampled_from(["us", "ms", "s", "m", "h"]))
def test_a_duration_that_was_read_survives_writing(number: str, unit: str) -> None:
    try:
        seconds = parse_duration(number + unit)
    except ValueError:
        return
    assert parse_duration(format_duration(seconds)) == seconds


def test_a_duration_that_must_be_positive_is_not_zero() -> None:
    assert TypeAdapter(Duration).validate_python("0s") == 0.0
    with pytest.raises(ValidationError):
        TypeAdapter(PositiveDuration).validate_python("0s")


# --- sizes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("1kB", 1000), ("512MiB", 512 * 2**20), ("2GB", 2 * 10**9), ("1.5KiB", 1536), ("0.3B", 0)],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("raw", [5, "5", "-1B", "5 MB", "5mb", "5M", "", None, "9" * 19 + "GB"])
def test_what_is_no_size_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match="is not a size; write for example 512MiB or 2GB"):
        parse_size(raw)


@given(st.integers(0, 10**18 - 1))
def test_a_size_that_is_written_reads_the_same(size: int) -> None:
    assert parse_size(format_size(size)) == size
    assert TypeAdapter(Size).dump_python(size, mode="json") == format_size(size)


@given(st.integers(0, 10**18 - 1), st.sampled_from(["B", "kB", "MB", "GB", "KiB", "MiB", "GiB"]))
def test_the_largest_size_is_exact(number: int, unit: str) -> None:
    per_unit = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit]
    assert parse_size(f"{number}{unit}") == number * per_unit


# --- percentages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "percent"), [("34%", "34"), ("0.5%", "0.5"), ("100%", "100"), ("33.30%", "33.3")])
def test_a_percentage_is_read(text: str, percent: str) -> None:
    assert parse_percent(text) == Decimal(percent)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (34, "a percentage needs its sign; write 34%"),
        (0.34, "a percentage needs its sign; write 0.34%"),
        ("0%", "0% is out of range; write more than 0% and at most 100%"),
        ("100.1%", "100.1% is out of range; write more than 0% and at most 100%"),
        ("-5%", "'-5%' is not a percentage; write for example 30%"),
        ("34 %", "'34 %' is not a percentage; write for example 30%"),
        (None, "null is not a percentage; write for example 30%"),
    ],
)
def test_a_percentage_is_refused_with(raw: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        parse_percent(raw)
    assert str(caught.value) == said


@given(st.decimals(min_value="1e-18", max_value=100, allow_nan=False, places=18))
def test_a_percentage_that_is_written_reads_the_same(percent: Decimal) -> None:
    assert parse_percent(format_percent(percent)) == percent
    assert TypeAdapter(Percent).validate_python(format_percent(percent)) == percent


# --- bounds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value", "unit"),
    [
        (0.99, 0.99, ""),
        (5, 5.0, ""),
        ("0.99", 0.99, ""),
        ("-3", -3.0, ""),
        ("1e3", 1000.0, ""),
        ("300ms", 0.3, "s"),
        ("5%", 0.05, "%"),
        ("150%", 1.5, "%"),
        ("512MiB", 512.0 * 2**20, "B"),
    ],
)
def test_a_bound_is_read(raw: Any, value: float, unit: str) -> None:
    found = parse_quantity(raw)
    assert (found["value"], found.get("unit", "")) == (value, unit)


@pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf, "1e999", "-1e999", 10**400])
def test_a_bound_that_is_not_finite_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match="is not a finite number; write for example"):
        parse_quantity(raw)


@pytest.mark.parametrize(
    "raw", ["fast", "", "0x5", "5 ms", "nan", "inf", "-5s", "-5%", True, None, [], {}, "1" * 400 + "GB"]
)
def test_a_bound_that_is_no_number_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match="is not a number; write for example"):
        parse_quantity(raw)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300))
def test_a_bound_of_a_number_survives_json(number: float) -> None:
    bound = Quantity.model_validate(number)
    assert bound.value == float(number)
    assert Quantity.model_validate_json(bound.model_dump_json()) == bound


@given(NUMBERS, UNITS)
def test_a_bound_of_text_survives_json(number: str, unit: str) -> None:
    try:
        bound = Quantity.model_validate(number + unit)
    except ValidationError:
        return
    assert math.isfinite(bound.value)
    assert Quantity.model_validate_json(bound.model_dump_json()) == bound


@given(ANYTHING)
def test_nothing_but_a_value_or_a_value_error_comes_of_anything(raw: Any) -> None:
    for parse in (parse_duration, parse_size, parse_percent, parse_quantity):
        try:
            parse(raw)
        except ValueError as error:
            assert "write" in str(error) or "longest" in str(error)  # noqa: PT017 both ways are right


@given(ANYTHING)
def test_a_value_is_shown_on_one_short_line(value: Any) -> None:
    assert len(shown(value)) <= 60
    assert "\n" not in shown(value)
