"""How numbers and lengths of time read."""

import math

import pytest

from chaoskit.domain.humane import humane, humane_seconds


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "s", "\u2013"),
        (0.212, "s", "212 ms"),
        (0.2124567, "s", "212.5 ms"),
        (0.99999, "s", "1 s"),
        (1.5, "s", "1.5 s"),
        (0.000_42, "s", "420 \u00b5s"),
        (0.0, "s", "0 s"),
        (599.9, "s", "599.9 s"),
        (5400, "s", "90 min"),
        (7200, "s", "2 h"),
        (0.9987, "%", "99.87%"),
        (0.0, "%", "0%"),
        (1.0, "%", "100%"),
        (1.5 * 2**30, "B", "1.5 GiB"),
        (512.0, "B", "512 B"),
        (0.0, "B", "0 B"),
        (0.99871234, "", "0.9987"),
        (1234567.0, "", "1,234,567"),
        (0.0, "", "0"),
        (-3.5, "", "-3.5"),
        (1e-7, "", "1e-07"),
        (2e18, "", "2e+18"),
        (7.0, "furlongs", "7"),
        (math.nan, "s", "not a number"),
        (math.inf, "s", "+\u221e"),
        (-math.inf, "", "\u2212\u221e"),
    ],
)
def test_a_value_reads_in_the_unit_that_suits_its_size(value: float | None, unit: str, shown: str) -> None:
    assert humane(value, unit) == shown


def test_a_value_just_short_of_its_bound_does_not_read_like_the_bound() -> None:
    assert humane(0.989996, "%", near=[0.99]) == "98.9996%"
    assert humane(0.300_004, "s", near=[0.3]) == "300.004 ms"


def test_a_value_that_is_its_bound_reads_like_the_bound() -> None:
    assert humane(0.99, "%", near=[0.99]) == humane(0.99, "%") == "99%"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "\u2013"),
        (math.nan, "\u2013"),
        (math.inf, "\u2013"),
        (0.0, "0 s"),
        (0.0001, "0 s"),
        (0.24, "240 ms"),
        (0.9996, "1.00 s"),
        (3.419, "3.42 s"),
        (9.996, "10.0 s"),
        (42.06, "42.1 s"),
        (59.96, "1 min"),
        (125.0, "2 min 5 s"),
        (4320.0, "1 h 12 min"),
        (-0.5, "-500 ms"),
        (-75.0, "-1 min 15 s"),
    ],
)
def test_a_length_of_time_reads_with_three_digits_or_in_minutes(seconds: float | None, shown: str) -> None:
    assert humane_seconds(seconds) == shown
