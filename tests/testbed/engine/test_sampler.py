"""The sampler on real threads and real time: a steady tick, and no probe in the way of another."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from queue import Empty, SimpleQueue

import pytest

from chaoskit.domain.ports import Sample
from chaoskit.engine.clock import RealClock
from chaoskit.engine.sampler import Inbox, Key, Sampler, Taken

TICK = 0.1
LATE = 0.08
"""Seconds by which this machine may be late when others use it, too."""


class RealProbe:
    def __init__(self, look: Callable[[], Sample]) -> None:
        self.sample = look
        self.bound = 1.0


def key(name: str) -> Key:
    return Key("check", name)


def fine() -> Sample:
    return Sample(values=(1.0,))


@pytest.fixture
def inbox() -> Inbox:
    return SimpleQueue()


@pytest.fixture
def sampler(inbox: Inbox) -> Iterator[Sampler]:
    one = Sampler(TICK, RealClock(), inbox)
    yield one
    one.stop()


def collect(inbox: Inbox, seconds: float) -> dict[str, list[Taken]]:
    """What arrives within so many seconds, by the probe's name."""
    until = time.monotonic() + seconds
    arrived: dict[str, list[Taken]] = {}
    while (left := until - time.monotonic()) > 0:
        try:
            taken = inbox.get(timeout=left)
        except Empty:
            break
        assert taken is not None
        arrived.setdefault(taken.key.name, []).append(taken)
    return arrived


def off_the_tick(samples: list[Taken], begin: float) -> list[float]:
    """How late after a tick each sample began."""
    return [(one.at - begin + 1e-6) % TICK for one in samples]


def test_each_probe_is_sampled_at_once_and_on_every_tick(sampler: Sampler, inbox: Inbox) -> None:
    begin = time.monotonic()
    sampler.start({key("a"): RealProbe(fine), key("b"): RealProbe(fine)})
    arrived = collect(inbox, 1.05)
    for name in ("a", "b"):
        samples = arrived[name]
        assert 8 <= len(samples) <= 12
        assert samples[0].at - begin < LATE
        assert sorted(off_the_tick(samples, begin))[len(samples) // 2] < LATE
        assert all(one.sample == fine() for one in samples)


def test_a_slow_probe_skips_ticks_and_stays_on_them(sampler: Sampler, inbox: Inbox) -> None:
    def slow() -> Sample:
        time.sleep(1.5 * TICK)
        return fine()

    sampler.start({key("slow"): RealProbe(slow)})
    samples = collect(inbox, 1.2)["slow"]
    assert 4 <= len(samples) <= 6  # every second tick
    assert all(one.took >= 1.5 * TICK for one in samples)
    gaps = [later.at - earlier.at for earlier, later in pairwise(samples)]
    assert sorted(gaps)[len(gaps) // 2] == pytest.approx(2 * TICK, abs=LATE)


def test_a_hanging_probe_delays_nobody_and_stopping_does_not_wait_for_it(sampler: Sampler, inbox: Inbox) -> None:
    released = threading.Event()

    def hang() -> Sample:
        released.wait()
        return fine()

    try:
        sampler.start({key("hung"): RealProbe(hang), key("fine"): RealProbe(fine)})
        arrived = collect(inbox, 0.55)
        assert len(arrived["fine"]) >= 4
        assert "hung" not in arrived
        before = time.monotonic()
        sampler.stop()
        assert time.monotonic() - before < LATE
    finally:
        released.set()


def test_a_probe_that_raises_reads_as_trouble_and_goes_on(sampler: Sampler, inbox: Inbox) -> None:
    def broken() -> Sample:
        raise KeyError("value")

    sampler.start({key("broken"): RealProbe(broken)})
    samples = collect(inbox, 0.35)["broken"]
    assert len(samples) >= 3
    assert {one.sample for one in samples} == {Sample(problem="the probe failed: KeyError: 'value'")}


def test_nothing_is_sampled_after_the_stop(sampler: Sampler, inbox: Inbox) -> None:
    sampler.start({key("a"): RealProbe(fine)})
    collect(inbox, 0.25)
    sampler.stop()
    collect(inbox, 1.5 * TICK)
    assert collect(inbox, 3 * TICK) == {}


def test_probes_can_join_later(sampler: Sampler, inbox: Inbox) -> None:
    sampler.start({key("a"): RealProbe(fine)})
    collect(inbox, 0.15)
    sampler.start({key("b"): RealProbe(fine)})
    assert collect(inbox, 0.35).keys() == {"a", "b"}


def test_its_threads_do_not_keep_the_process_alive(sampler: Sampler) -> None:
    # A name of its own: threads of stopped samplers may still be about to end.
    sampler.start({key("daemon"): RealProbe(fine)})
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "probe daemon"] == [True]


def test_the_real_clock_counts_waits_and_tells_the_time_in_utc() -> None:
    clock = RealClock()
    before = clock.now()
    clock.wait(0.05)
    assert 0.05 <= clock.now() - before < 0.05 + LATE
    assert clock.utc().utcoffset() == timedelta(0)
    assert abs(clock.utc() - datetime.now(UTC)) < timedelta(seconds=LATE)
