"""The guardian's loop in virtual time: when it undoes, when it does not, how long it tries, and when it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.guardian import serve
from chaoskit.guardian.places import State
from chaoskit.guardian.serve import GIVES_UP_AFTER, LANDS_WITHIN, LONGEST_PAUSE, Serving
from chaoskit.guardian.wire import Closed

LEASE = 15.0
CLOSE = "close"


class AtOnce:
    """A thread that has done its work when it was started."""

    def __init__(self, target: Callable[[], None], **_: object) -> None:
        self._target = target

    def start(self) -> None:
        self._target()

    def join(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_threads() -> Iterator[None]:
    with patch.object(serve, "Thread", AtOnce):
        yield


class FakeWire:
    """What the runner says, each thing at its time; then silence for ever, or a closed connection."""

    def __init__(self, script: Sequence[tuple[float, str | Mapping[str, Any]]]) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self._script = deque(script)

    def send(self, word: str, **more: object) -> None:
        self.said.append(word)

    def receive(self, timeout: float | None) -> Mapping[str, Any] | None:
        if not self._script:
            if timeout is None:
                raise AssertionError("the guardian waits for ever for a runner that says nothing more")
            self.now += timeout
            return None
        at, what = self._script[0]
        if timeout is not None and at > self.now + timeout:
            self.now += timeout
            return None
        self.now = max(self.now, at)
        if what == CLOSE:
            raise Closed
        self._script.popleft()
        return {"word": what} if isinstance(what, str) else what


class FakeDuty:
    """Counts what is undone; ``works`` says from which try on it succeeds."""

    def __init__(self, wire: FakeWire, works: int = 1, *, lands: bool = False) -> None:
        self._wire = wire
        self._works = works
        self._lands = lands
        self.undone: list[tuple[float, tuple[int, ...]]] = []
        self.concluded = False
        self.journal: Sequence[Any] | Exception = []

    def undo(self, held: Sequence[Any], log: Callable[[str], None]) -> bool:
        self.undone.append((self._wire.now, tuple(one["n"] for one in held)))
        if len(self.undone) < self._works:
            raise RuntimeError("nobody answers")
        return True

    def outstanding(self) -> Sequence[Any]:
        if isinstance(self.journal, Exception):
            raise self.journal
        return self.journal

    def may_still_land(self, held: Collection[int]) -> bool:
        return self._lands

    def conclude(self, log: Callable[[str], None]) -> None:
        self.concluded = True


class Played(FakeDuty):
    """A whole life of a guardian: what it undid and when, what it said, what others saw."""

    def __init__(
        self,
        *script: tuple[float, str | Mapping[str, Any]],
        works: int = 1,
        lands: bool = False,
        journal: Sequence[Any] | Exception = (),
    ) -> None:
        self.wire = FakeWire(script)
        super().__init__(self.wire, works, lands=lands)
        self.journal = journal
        self.states: list[tuple[State, int]] = []

        def wait(seconds: float) -> None:
            self.wire.now += seconds

        serving = Serving(
            self.wire, LEASE, lambda: self, lambda: self.wire.now, lambda state, n: self.states.append((state, n))
        )
        with patch.object(serve, "sleep", wait), patch.object(serve, "log", lambda text: None):
            self.busy = serving.serve()

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.undone]


def arm(*numbers: int) -> Mapping[str, Any]:
    return {"word": "arm", "intended": [{"n": n} for n in numbers]}


def release(n: int) -> Mapping[str, Any]:
    return {"word": "release", "n": n}


def test_a_runner_that_never_armed_it_leaves_it_nothing_to_do() -> None:
    for script in ([(3.0, CLOSE)], [(3.0, "disarm")], [(3.0, arm()), (4.0, CLOSE)]):
        played = Played(*script)
        assert (played.undone, played.busy) == ([], False)


def test_a_runner_that_disarms_it_has_done_everything_itself() -> None:
    played = Played((0.1, arm(1, 2)), (5.0, "renew"), (9.0, release(2)), (9.1, release(1)), (9.2, "disarm"))
    assert (played.undone, played.busy, played.concluded) == ([], False, False)
    assert played.wire.said == ["ready", "armed", "held", "disarmed"]


def test_a_runner_that_dies_is_undone_at_once() -> None:
    played = Played((0.1, arm(1, 2)), (7.0, CLOSE))
    assert played.undone == [(7.0, (1, 2))]
    assert played.concluded
    assert [state for state, _ in played.states] == ["standing by", "armed", "undoing", "done"]


def test_what_the_runner_wrote_and_did_not_live_to_hand_over_is_undone_too() -> None:
    assert Played((7.0, CLOSE), journal=[{"n": 1}]).undone == [(7.0, (1,))]
    assert Played((0.1, arm(1)), (7.0, CLOSE), journal=[{"n": 1}, {"n": 2}]).undone == [(7.0, (1, 2))]


def test_a_journal_that_cannot_be_used_keeps_nobody_from_undoing_what_is_held() -> None:
    assert Played((0.1, arm(1)), (7.0, CLOSE), journal=RuntimeError("damaged")).undone == [(7.0, (1,))]


def test_what_was_released_is_not_undone() -> None:
    played = Played((0.1, arm(1, 2, 3)), (5.0, release(2)), (7.0, CLOSE))
    assert played.undone == [(7.0, (1, 3))]
    assert Played((0.1, arm(1)), (5.0, release(1)), (7.0, CLOSE)).undone == []


def test_a_silent_runner_is_undone_exactly_when_its_lease_is_over() -> None:
    played = Played((1.0, arm(1)), (5.0, "renew"), (10.0, "renew"), (500.0, CLOSE))
    assert played.times[0] == 10.0 + LEASE
    assert "fired" in played.wire.said


def test_a_runner_that_comes_back_hears_of_it_and_has_the_last_word() -> None:
    played = Played((1.0, arm(1)), (40.0, "renew"), (41.0, release(1)), (41.1, "disarm"))
    assert played.times == [1.0 + LEASE]
    assert played.wire.said == ["ready", "armed", "fired", "fired", "disarmed"]
    assert not played.concluded


def test_a_runner_that_comes_back_and_dies_is_undone_once_more() -> None:
    played = Played((1.0, arm(1)), (40.0, "renew"), (41.0, CLOSE))
    assert played.times == [1.0 + LEASE, 41.0]
    assert played.concluded


def test_renewals_that_lay_there_while_the_guardian_itself_was_frozen_count() -> None:
    """It wakes long after the lease; what the runner said in time was said in time."""
    played = Played((1.0, arm(1)), (2.0, "renew"), (3.0, "renew"), (4.0, "disarm"))
    assert played.undone == []


def test_it_tries_again_with_growing_pauses_until_it_succeeds() -> None:
    played = Played((1.0, arm(1)), (7.0, CLOSE), works=5)
    gaps = [b - a for a, b in zip(played.times, played.times[1:], strict=False)]
    assert len(played.times) == 5
    assert gaps == sorted(gaps)
    assert played.concluded


def test_it_gives_up_after_an_hour_and_says_so() -> None:
    played = Played((1.0, arm(1)), (7.0, CLOSE), works=10**9)
    assert GIVES_UP_AFTER <= played.wire.now - 7.0 <= GIVES_UP_AFTER + LONGEST_PAUSE
    assert played.states[-1] == ("gave up", 1)
    assert not played.concluded
    assert len(played.undone) < 200


def test_what_may_still_land_is_looked_at_again() -> None:
    played = Played((1.0, arm(1)), (7.0, CLOSE), lands=True)
    assert played.times == [7.0, 7.0 + LANDS_WITHIN]
    assert played.concluded


@pytest.mark.parametrize("idle", [0.2, 5.0])
def test_what_is_heavy_is_loaded_when_there_is_time_and_never_before_a_hurried_runner_has_its_answer(
    idle: float,
) -> None:
    said_at_load: list[list[str]] = []
    wire = FakeWire([(idle, arm(1)), (idle + 1, "disarm")])
    duty = FakeDuty(wire)

    def load() -> FakeDuty:
        said_at_load.append(list(wire.said))
        return duty

    Serving(wire, LEASE, load, lambda: wire.now, lambda state, n: None).serve()
    assert said_at_load == [["ready"] if idle > serve.IDLE else ["ready", "armed"]]


def test_one_that_cannot_load_what_undoing_needs_ends_so_that_the_runner_knows() -> None:
    wire = FakeWire([(0.1, arm(1)), (5.0, "renew"), (6.0, CLOSE)])

    def load() -> FakeDuty:
        raise ImportError("the installation was replaced")

    with pytest.raises(ImportError):
        Serving(wire, LEASE, load, lambda: wire.now, lambda state, n: None).serve()
    assert wire.said == ["ready", "armed"]


@given(
    st.lists(st.tuples(st.floats(0.01, 40.0), st.sampled_from(["renew", "release 1", "release 2"])), max_size=20),
    st.sampled_from([CLOSE, "disarm"]),
)
def test_nothing_that_is_held_outlives_a_silence_or_a_death(steps: list[tuple[float, str]], end: str) -> None:
    at, last, held = 0.5, 0.5, {1, 2}
    script: list[tuple[float, str | Mapping[str, Any]]] = [(at, arm(1, 2))]
    owed = False
    for pause, word in [*steps, (0.01, end)]:
        at += pause
        owed = owed or bool(held and at - last > LEASE)
        if word == "renew":
            last = at
        elif word.startswith("release"):
            held.discard(int(word[-1]))
        script.append((at, release(int(word[-1])) if word.startswith("release") else word))
    played = Played(*script)
    assert bool(played.undone) == (owed or bool(end == CLOSE and held))
    if end == CLOSE and held:
        assert played.undone[-1] == (at, tuple(sorted(held)))
        assert played.concluded
