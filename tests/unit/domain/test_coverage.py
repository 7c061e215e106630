"""Which part of a time some readings tell about: a sample that hangs leaves as much unseen as many that fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.coverage import is_late, lately, missing_ticks, ticks
from chaoskit.domain.readings import Reading
from tests.unit.domain.runs import reading

TICKS = st.sampled_from([0.1, 0.5, 1.0, 7.0, 60.0])


def each(moments: list[float], took: float = 0.01) -> list[Reading]:
    return [reading(at, took=took, phase="observe") for at in moments]


def missing(moments: list[float], end: float, took: float = 0.01) -> int:
    return missing_ticks(each(moments, took), 0.0, end, 1.0)


@pytest.mark.parametrize(
    ("moments", "end", "count"),
    [
        ([0.0, 1.0, 2.0, 3.0], 4.0, 0),
        ([0.9, 1.9, 2.9, 3.9], 4.0, 0),
        ([0.0, 1.0, 3.0], 4.0, 1),
        ([0.0, 1.0, 2.0, 11.0], 12.0, 8),
        ([0.0, 1.0, 2.0], 20.0, 17),
        ([17.0, 18.0, 19.0], 20.0, 16),
        ([0.0, 2.0, 4.0, 6.0], 8.0, 4),
        ([], 20.0, 20),
    ],
)
def test_each_tick_without_an_answer_is_missing(moments: list[float], end: float, count: int) -> None:
    assert missing(moments, end) == count


def test_the_order_of_the_answers_does_not_matter() -> None:
    assert missing([11.0, 0.0, 2.0, 1.0], 12.0) == missing([0.0, 1.0, 2.0, 11.0], 12.0)


def test_a_slow_probe_tells_of_the_time_it_took() -> None:
    assert missing([0.0, 3.0, 6.0, 9.0, 12.0, 15.0], 18.0, took=2.5) == 0


def test_a_slow_sample_under_way_at_either_end_is_nothing_unusual_for_a_slow_probe() -> None:
    assert missing([2.9, 5.9, 8.9], 14.3, took=2.5) == 0


def test_a_sample_under_way_for_longer_than_usual_leaves_all_of_its_time_unseen() -> None:
    assert missing([2.9, 5.9, 8.9], 17.4, took=2.5) == 5
    assert missing([8.9, 11.9, 14.9], 17.4, took=2.5) == 8


def test_one_long_answer_does_not_excuse_another() -> None:
    answers = [*each([0.0, 1.0, 2.0]), *each([3.0], took=4.9), *each([8.0])]
    assert missing_ticks(answers, 0.0, 13.0, 1.0) == 4


@given(TICKS, st.integers(1, 100), st.data())
def test_samples_that_come_a_little_late_miss_nothing(tick: float, count: int, data: st.DataObject) -> None:
    late = st.floats(0.0, 0.4)
    answers = each([(n + data.draw(late)) * tick for n in range(count)], took=0.0)
    assert missing_ticks(answers, 0.0, count * tick, tick) == 0


@given(TICKS, st.integers(1, 9), st.integers(0, 9), st.integers(1, 9))
def test_a_silence_of_so_many_ticks_is_told_by_its_number(tick: float, before: int, silent: int, after: int) -> None:
    moments = [n * tick for n in range(before + silent + after) if not before <= n < before + silent]
    assert missing_ticks(each(moments, took=0.0), 0.0, (before + silent + after) * tick, tick) == silent


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)), max_size=9), TICKS)
def test_never_more_is_missing_than_there_was(drawn: list[tuple[float, float]], tick: float) -> None:
    answers = [reading(at, took=min(took, 20.0 - at), phase="observe") for at, took in drawn]
    assert 0 <= missing_ticks(answers, 0.0, 20.0, tick) <= ticks(20.0, tick)


def test_an_answer_is_late_after_two_turns_of_its_probe_and_a_second() -> None:
    assert lately(1.0, 0.0) == 3.0
    assert not is_late(each([5.0], took=0.0), 8.0, tick=1.0)
    assert is_late(each([5.0], took=0.0), 8.1, tick=1.0)
    assert not is_late(each([5.0], took=2.0), 14.0, tick=1.0)
    assert is_late(each([5.0], took=2.0), 14.1, tick=1.0)
    assert is_late([], 0.0, tick=1.0)
