"""The bounded fan-out: it loses no outcome, whatever happens to the work, to the listener, or to the threads."""

import threading
from collections import Counter
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.errors import StoreFailed, TargetTimeout
from chaoskit.engine import crew
from chaoskit.engine.crew import Done, fan_out


class Killed(BaseException):
    """The end of the process, as far as a worker is concerned."""


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """What hung work waits for; released at the end of the test, so that no thread outlives it for long."""
    released = threading.Event()
    yield released
    released.set()


def half(number: int) -> float:
    if number % 3 == 0:
        raise ValueError(f"{number} is unlucky")
    return number / 2


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 5))
def test_every_item_has_one_outcome_in_the_order_of_the_items(items: list[int], workers: int) -> None:
    heard: list[Done[int, float]] = []
    outcomes = fan_out(half, items, heard.append, workers)
    assert [done.item for done in outcomes] == items
    for done in outcomes:
        if done.item % 3:
            assert (done.result, done.error) == (done.item / 2, None)
        else:
            assert isinstance(done.error, ValueError)
    assert Counter(done.item for done in heard) == Counter(items)


def test_nothing_to_do_is_done_at_once() -> None:
    assert fan_out(half, []) == []


def test_no_more_than_so_many_work_at_once_and_that_many_do() -> None:
    together = threading.Barrier(4, timeout=10)
    lock = threading.Lock()
    now: list[int] = []
    most: list[int] = []

    def work(item: int) -> None:
        with lock:
            now.append(item)
            most.append(len(now))
        together.wait()
        with lock:
            now.remove(item)

    outcomes = fan_out(work, range(16), workers=4)
    assert [done.error for done in outcomes] == [None] * 16
    assert max(most) == 4


def test_the_listener_is_called_on_the_calling_thread() -> None:
    heard_on: set[threading.Thread] = set()
    fan_out(half, range(10), lambda done: heard_on.add(threading.current_thread()))
    assert heard_on == {threading.current_thread()}


def test_a_listener_that_raises_hears_of_every_other_item_and_its_first_error_comes_at_the_end() -> None:
    heard: list[int] = []

    def listen(done: Done[int, int]) -> None:
        heard.append(done.item)
        raise StoreFailed(f"the disk is full at {len(heard)}")

    with pytest.raises(StoreFailed, match=r"at 1$"):
        fan_out(lambda item: item, range(20), listen)
    assert sorted(heard) == list(range(20))


def test_work_that_ends_the_process_does_so_after_all_others_had_their_turn() -> None:
    heard: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise Killed

    with pytest.raises(Killed):
        fan_out(work, range(20), lambda done: heard.append(done.item), workers=2)
    assert sorted(heard) == list(range(1, 20))


def test_work_that_hangs_is_given_up_and_the_others_keep_their_outcomes(hanging: threading.Event) -> None:
    def work(item: int) -> int:
        if item == 1:
            hanging.wait()
        return item

    with patch.object(crew, "_PULSE", 0.01):
        outcomes = fan_out(work, range(4), workers=2, patience=lambda: 0.1)
    assert [done.result for done in outcomes] == [0, None, 2, 3]
    assert isinstance(outcomes[1].error, TargetTimeout)


def test_what_was_given_up_before_it_began_never_begins(hanging: threading.Event) -> None:
    begun: list[int] = []
    ended = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        hanging.wait()
        ended.set()

    with patch.object(crew, "_PULSE", 0.01):
        outcomes = fan_out(work, range(3), workers=1, patience=lambda: 0.05)
    assert all(isinstance(done.error, TargetTimeout) for done in outcomes)
    hanging.set()
    assert ended.wait(10)
    crew_threads = [thread for thread in threading.enumerate() if thread.name.startswith("crew")]
    for thread in crew_threads:
        thread.join(10)
    assert begun == [0]


def test_outcomes_that_keep_coming_are_never_given_up(hanging: threading.Event) -> None:
    """Patience is with silence, not with the whole of the work."""
    turns = iter(range(1000))

    def patience() -> float:
        next(turns)
        return 0.05

    def work(item: int) -> int:
        hanging.wait(0.02)
        return item

    with patch.object(crew, "_PULSE", 0.01):
        outcomes = fan_out(work, range(10), workers=1, patience=patience)
    assert [done.error for done in outcomes] == [None] * 10


def test_whoever_has_patience_may_raise_and_every_item_still_has_its_outcome_told() -> None:
    heard: list[int] = []

    def patience() -> float:
        raise StoreFailed("the disk is full")

    with pytest.raises(StoreFailed):
        fan_out(lambda item: item, range(20), lambda done: heard.append(done.item), patience=patience)
    assert sorted(heard) == list(range(20))


class NoThread:
    """A system that has no more threads to give, after the first few."""

    def __init__(self, granted: int) -> None:
        self._left = granted
        self._real = threading.Thread

    def __call__(self, *args: object, **kwargs: object) -> object:
        thread = self._real(*args, **kwargs)  # type: ignore[arg-type]  # passed through as they came
        if not self._left:
            thread.start = self._refuse  # type: ignore[method-assign]  # this one cannot be started
        else:
            self._left -= 1
        return thread

    @staticmethod
    def _refuse() -> None:
        raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("granted", [0, 1, 3])
def test_all_is_done_even_when_the_system_gives_no_more_threads(granted: int) -> None:
    with patch.object(crew, "Thread", NoThread(granted)):
        outcomes = fan_out(half, range(30), workers=8)
    assert [done.item for done in outcomes] == list(range(30))
    assert [done.result for done in outcomes if done.item % 3] == [item / 2 for item in range(30) if item % 3]


def test_a_worker_that_hangs_does_not_keep_the_process_alive(hanging: threading.Event) -> None:
    daemons: list[bool] = []

    def work(item: int) -> None:
        daemons.append(threading.current_thread().daemon)
        hanging.wait()

    with patch.object(crew, "_PULSE", 0.01):
        fan_out(work, [1], patience=lambda: 0.05)
    assert daemons == [True]
