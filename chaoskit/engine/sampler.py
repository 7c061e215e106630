"""Takes samples on a steady tick, one thread for each probe, so that a slow probe never delays another."""

from collections.abc import Mapping
from queue import SimpleQueue
from threading import Event, Thread
from typing import NamedTuple

from chaoskit.domain.ports import Clock, Probe, Sample


class Key(NamedTuple):
    """Which probe: its role (``check``, ``abort``, ``detection``, ``drift``, ``timer``) and its name."""

    role: str
    name: str


class Taken(NamedTuple):
    """One sample: who took it, when (monotonic seconds), and how long it needed."""

    key: Key
    at: float
    took: float
    sample: Sample


Inbox = SimpleQueue[Taken | None]
"""Where samples arrive; ``None`` only wakes the reader."""


class Sampler:
    """Runs probes until stopped. Its threads are daemons: a probe that hangs cannot keep the process alive."""

    def __init__(self, tick: float, clock: Clock, inbox: Inbox) -> None:
        self._tick = tick
        self._clock = clock
        self._inbox = inbox
        self._stopped = Event()

    def start(self, probes: Mapping[Key, Probe]) -> None:
        """Begin to sample each of ``probes``, now and on every tick from now."""
        begin = self._clock.now()
        for key, probe in probes.items():
            Thread(target=self._work, args=(key, probe, begin), name=f"probe {key.name}", daemon=True).start()

    def stop(self) -> None:
        """Take no further samples. Returns at once; a sample under way is not waited for."""
        self._stopped.set()

    def _work(self, key: Key, probe: Probe, begin: float) -> None:
        while not self._stopped.is_set():
            at = self._clock.now()
            sample = _safely(probe)
            self._inbox.put(Taken(key, at, self._clock.now() - at, sample))
            passed = self._clock.now() - begin
            self._stopped.wait(self._tick - passed % self._tick)


def _safely(probe: Probe) -> Sample:
    try:
        return probe.sample()
    except Exception as error:  # noqa: BLE001 a defect in a probe must read as "unknown", not end its thread in silence
        return Sample(problem=f"the probe failed: {type(error).__name__}: {error}")
