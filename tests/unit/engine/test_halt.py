"""A person's stop: the first reason stays, signals ask for it, and nothing they do cuts a rollback short."""

import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from chaoskit.engine.halt import Halt, stopped_by_signals

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@pytest.fixture(autouse=True)
def usual_handlers() -> Iterator[None]:
    """Whatever the tests were started under (nohup, perhaps), and afterwards as it was."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nobody_has_asked_to_stop_at_first() -> None:
    halt = Halt()
    assert not halt.engaged
    assert halt.reason == ""


def test_the_first_reason_stays() -> None:
    halt = Halt()
    halt.engage("first")
    halt.engage("second")
    assert halt.reason == "first"


def test_a_stop_without_a_reason_is_a_stop() -> None:
    halt = Halt()
    halt.engage("")
    assert halt.engaged


def test_everyone_who_waits_is_woken_each_time() -> None:
    halt = Halt()
    woken: list[str] = []
    halt.on_engage(lambda: woken.append("a"))
    halt.on_engage(lambda: woken.append("b"))
    halt.engage("first")
    halt.engage("second")
    assert woken == ["a", "b", "a", "b"]


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_asks_to_stop_and_further_ones_only_tell(number: signal.Signals) -> None:
    halt = Halt()
    again: list[str] = []
    with stopped_by_signals(halt, again.append):
        signal.raise_signal(number)
        assert halt.reason == f"stopped by {number.name}"
        assert again == []
        for other in STOPPING:
            signal.raise_signal(other)
    assert again == ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]
    assert halt.reason == f"stopped by {number.name}"


def test_what_telling_raises_stays_in_the_signal_handler() -> None:
    """The terminal has hung up; its SIGHUP must not end the rollback with a BrokenPipeError."""

    def broken(name: str) -> None:
        raise BrokenPipeError(name)

    halt = Halt()
    with stopped_by_signals(halt, broken):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
    assert halt.reason == "stopped by SIGHUP"


def test_the_previous_handlers_come_back_even_after_an_error() -> None:
    def mine(number: int, frame: object) -> None:
        raise NotImplementedError

    def fail() -> None:
        raise KeyError

    signal.signal(signal.SIGTERM, mine)
    with suppress(KeyError), stopped_by_signals(Halt(), lambda name: None):
        fail()
    assert signal.getsignal(signal.SIGTERM) is mine


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """Started with nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    halt = Halt()
    with stopped_by_signals(halt, lambda name: None):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
    assert halt.reason == "stopped by SIGTERM"
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_ctrl_z_does_not_put_a_run_to_sleep_with_its_faults_in() -> None:
    before = signal.getsignal(signal.SIGTSTP)
    halt = Halt()
    with stopped_by_signals(halt, print):
        signal.raise_signal(signal.SIGTSTP)
    assert not halt.engaged
    assert signal.getsignal(signal.SIGTSTP) is before
