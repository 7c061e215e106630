"""What is known of a run while it goes on: fed by what the recorder tells, read by whoever shows it to a person."""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import Event, InjectionRecord, PhaseName
from chaoskit.domain.ports import Clock
from chaoskit.domain.readings import Reading, Role

MOST_READINGS = 60
MOST_EVENTS = 60
PHASES: tuple[PhaseName, ...] = ("plan", "guard", "baseline", "inject", "observe", "rollback", "recovery")
FAULT_PHASES: frozenset[PhaseName] = frozenset({"inject", "observe"})

Key = tuple[Role, str]


class RunTime:
    """Seconds since the run started, as the run itself counts them.

    A narrator is made before the run starts and hears of everything a little late, so the earliest start that
    fits what it heard is the right one.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begin: float | None = None

    def heard(self, at: float = 0.0) -> None:
        """The run did something at run second ``at``, just now."""
        begin = self._clock.now() - at
        self._begin = begin if self._begin is None else min(self._begin, begin)

    def now(self) -> float:
        """Run seconds; zero before anything was heard."""
        return 0.0 if self._begin is None else self._clock.now() - self._begin


class Silence(NamedTuple):
    """The probe that has told nothing usable for the longest time, and for how many seconds."""

    name: str
    seconds: float


@dataclass
class Progress:
    """Everything heard of one run so far. Times are run seconds."""

    experiment: Experiment
    phase: PhaseName | None = None
    phase_start: float = 0.0
    phase_until: float | None = None
    latest: dict[Key, Reading] = field(default_factory=dict)
    history: dict[str, deque[Reading]] = field(default_factory=dict)
    deviated_since: dict[Key, float] = field(default_factory=dict)
    conclusive_at: dict[Key, float] = field(default_factory=dict)
    fired_at: dict[str, float] = field(default_factory=dict)
    injections: dict[int, InjectionRecord] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))
    halted: bool = False

    @property
    def fault_in(self) -> bool:
        """Whether checks are judged by their ``during`` bounds now."""
        return self.phase in FAULT_PHASES

    def begin(self, name: PhaseName, at: float, until: float | None) -> None:
        """A phase begins."""
        self.phase, self.phase_start, self.phase_until = name, at, until
        if name == "inject":
            # What was before the brakes were armed does not count, as in the watch itself.
            self.deviated_since.clear()
            self.conclusive_at = dict.fromkeys(self._expected(), at)

    def read(self, reading: Reading) -> None:
        """A probe was read."""
        key = (reading.role, reading.name)
        self.latest[key] = reading
        if reading.role == "check":
            self.history.setdefault(reading.name, deque(maxlen=MOST_READINGS)).append(reading)
        if reading.role == "detection" and reading.outcome == "held":
            self.fired_at.setdefault(reading.name, reading.at)
        if reading.outcome == "held":
            self.deviated_since.pop(key, None)
        elif reading.outcome == "deviated":
            # Not knowing neither starts nor ends a deviation.
            self.deviated_since.setdefault(key, reading.at)
        if reading.outcome == "unknown":
            self.conclusive_at.setdefault(key, reading.at)
        else:
            self.conclusive_at[key] = reading.at + reading.took

    def happened(self, event: Event) -> None:
        """Something worth a line happened."""
        self.events.append(event)
        self.halted = self.halted or event.kind == "halt"

    def injected(self, injection: InjectionRecord) -> None:
        """The state of an injection changed."""
        self.injections[injection.n] = injection

    def deviating_for(self, role: Role, name: str) -> float | None:
        """Seconds between the first and the last reading of the deviation that is on now; None when none is."""
        since = self.deviated_since.get((role, name))
        return None if since is None else max(self.latest[role, name].at - since, 0.0)

    def silence(self, now: float) -> Silence | None:
        """Who has been silent for the longest time; None before anybody was heard."""
        longest = min(self.conclusive_at.items(), key=lambda item: item[1], default=None)
        return None if longest is None else Silence(longest[0][1], max(now - longest[1], 0.0))

    def snapshot(self) -> "Progress":
        """A copy that no longer changes, so that it can be shown without holding up the run."""
        return replace(
            self,
            latest=dict(self.latest),
            history={name: deque(readings) for name, readings in self.history.items()},
            deviated_since=dict(self.deviated_since),
            conclusive_at=dict(self.conclusive_at),
            fired_at=dict(self.fired_at),
            injections=dict(self.injections),
            events=deque(self.events),
        )

    def _expected(self) -> list[Key]:
        checks: list[Key] = [("check", check.name) for check in self.experiment.steady_state]
        conditions: list[Key] = [("abort", rule.title) for rule in self.experiment.watched]
        alerts: list[Key] = [("detection", expected.alert) for expected in self.experiment.expect.alerts]
        return checks + conditions + alerts
