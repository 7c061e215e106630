"""Synthetic runs, told to a narrator the way the recorder tells a real one; time is a number that the test sets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from chaoskit.cli.progress import Progress, RunTime
from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import Event, EventKind, InjectionRecord, PhaseName
from chaoskit.domain.ports import Clock, Effect
from chaoskit.domain.readings import Outcome, Reading, Role
from chaoskit.engine.recorder import Narrator

STARTED = datetime(2026, 3, 5, 9, 30, 0, tzinfo=UTC)
RUN = "260305t093000a1b2c3"
ERROR_RATIO = "error ratio"


def experiment(**changes: Any) -> Experiment:
    """Three checks, one abort condition with a timer, one expected alert."""
    return Experiment.model_validate(
        {
            "apiVersion": "chaoskit/v1",
            "kind": "Experiment",
            "name": "checkout-survives-web-loss",
            "title": "Checkout keeps serving when one web replica dies",
            "owner": "team-checkout",
            "prometheus": {"url": "http://prometheus.example:9090"},
            "targets": {"web": {"docker": {"labels": {"app": "web"}}}},
            "steady_state": [
                {"name": "availability", "promql": "sum(up)", "at_least": 0.99},
                {
                    "name": "p95 latency",
                    "promql": "histogram_quantile(0.95, x)",
                    "at_most": "300ms",
                    "during": {"at_most": "800ms", "allow_for": "10s"},
                },
                {"name": "front page", "http": {"url": "http://web.example/healthz", "within": "1s"}},
            ],
            "expect": {
                "recover_within": "30s",
                "alerts": [{"alert": "HighErrorRate", "labels": {"service": "checkout"}, "fires_within": "2m"}],
            },
            "faults": [{"kind": "instance.kill", "target": "web", "pick": 1, "duration": "60s"}],
            "abort_when": [{"name": ERROR_RATIO, "promql": "errors / all", "above": 0.2, "for": "3s"}],
            **changes,
        }
    )


def checks(count: int) -> list[dict[str, object]]:
    """So many checks for an experiment: ``check 1``, ``check 2``, and so on."""
    return [{"name": f"check {n}", "promql": f"metric_{n}", "at_least": 0.99} for n in range(1, count + 1)]


class FakeClock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.seconds = 5000.0

    def now(self) -> float:
        return self.seconds

    def utc(self) -> datetime:
        return STARTED + timedelta(seconds=self.seconds - 5000.0)

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


def injection(n: int = 1, target: str = "web-1", **changes: Any) -> InjectionRecord:
    """The record of an injection that is intended and no more, but for ``changes``."""
    record = InjectionRecord(
        n=n,
        step=0,
        kind="instance.kill",
        group="web",
        target_id=f"docker://local/{target}@{n}",
        target=target,
        tag=f"chaoskit-x-{n}",
        duration=60.0,
        intended_at=6.0,
    )
    return record.model_copy(update=changes)


class Heard:
    """A narrator that only keeps what it hears."""

    def __init__(self, planned: Experiment, clock: Clock) -> None:
        self.progress = Progress(planned)
        self.time = RunTime(clock)

    def phase(self, name: PhaseName, until: float | None) -> None:
        if self.progress.phase is None:
            self.time.heard()
        self.progress.begin(name, self.time.now(), until)

    def reading(self, reading: Reading) -> None:
        self.progress.read(reading)

    def event(self, event: Event) -> None:
        self.progress.happened(event)

    def injection(self, injection: InjectionRecord) -> None:
        self.progress.injected(injection)


class Story:
    """Tells a narrator what happens at moments of a run that began when the story was made."""

    def __init__(self, narrator: Narrator, clock: Clock) -> None:
        self.narrator = narrator
        self.clock = clock
        self.records: dict[int, InjectionRecord] = {}
        self.phase_name: PhaseName = "plan"
        self._begin = clock.now()

    @property
    def at(self) -> float:
        """Run seconds now."""
        return self.clock.now() - self._begin

    def until(self, at: float) -> None:
        """Let time pass until run second ``at``."""
        self.clock.wait(max(self._begin + at - self.clock.now(), 0.0))

    def phase(self, name: PhaseName, lasting: float | None = None) -> None:
        self.phase_name = name
        self.narrator.phase(name, None if lasting is None else self.at + lasting)

    def event(self, kind: EventKind, text: str) -> None:
        self.narrator.event(Event(at=self.at, kind=kind, text=text))

    def check(self, name: str, value: float | None, outcome: Outcome = "held", problem: str = "") -> None:
        self._read("check", name, value, outcome, problem)

    def condition(self, value: float | None, outcome: Outcome = "held", problem: str = "") -> None:
        self._read("abort", ERROR_RATIO, value, outcome, problem)

    def alert(self, *, fires: bool) -> None:
        self._read("detection", "HighErrorRate", float(fires), "held" if fires else "deviated", "")

    def _read(self, role: Role, name: str, value: float | None, outcome: Outcome, problem: str) -> None:
        at = self.at
        reading = Reading(
            role=role, name=name, phase=self.phase_name, at=at, took=0.0, outcome=outcome, value=value, problem=problem
        )
        self.narrator.reading(reading)

    def steady(self) -> None:
        """Every probe answers, and all is well."""
        self.check("availability", 0.9987)
        self.check("p95 latency", 0.212)
        self.check("front page", 0.031)
        self.condition(0.013)
        self.alert(fires=False)

    def steadily(self, until: float, tick: float = 1.0, tell: Callable[[], None] | None = None) -> None:
        """All is well at each tick until run second ``until``; ``tell`` says it differently."""
        while self.at + tick <= until + 1e-9:
            self.until(self.at + tick)
            (tell or self.steady)()

    # --- faults ------------------------------------------------------------------------------------------

    def intend(self, *records: InjectionRecord) -> None:
        for record in records:
            self._record(record)

    def inject(self, n: int = 1, *, bit: bool | None = True, measured: str = "exited with 137") -> None:
        effect = Effect(bit=bit, requested="the process ends", measured=measured)
        self._record(self.records[n].model_copy(update={"injected_at": self.at, "effect": effect}))
        self.event("fault", f"instance.kill on {self.records[n].target}: injected; {measured}")

    def fail_to_inject(self, n: int, error: str) -> None:
        self._record(self.records[n].model_copy(update={"error": f"injecting failed: {error}"}))
        self.event("trouble", f"instance.kill on {self.records[n].target}: injecting failed, so it is undone: {error}")

    def begin_rollback(self) -> None:
        self.phase("rollback")
        for record in reversed(list(self.records.values())):
            self._record(record.model_copy(update={"rollback_at": self.at}))

    def restore(self, n: int = 1, note: str = "started again") -> None:
        record = self.records[n].model_copy(update={"restored_at": self.at, "attempts": 1, "note": note})
        self._record(record)
        self.event("rollback", f"instance.kill on {record.target}: {note}")

    def fail_to_restore(self, n: int, residue: str) -> None:
        self._record(self.records[n].model_copy(update={"attempts": 5, "residue": (residue,)}))
        self.event("rollback", f"instance.kill on {self.records[n].target}: NOT restored: {residue}")

    def _record(self, record: InjectionRecord) -> None:
        self.records[record.n] = record
        self.narrator.injection(record)


def usual_beginning(
    story: Story,
    *targets: str,
    baseline: float = 5.0,
    tick: float = 1.0,
    tell: Callable[[], None] | None = None,
) -> None:
    """Plan, guard, a baseline that holds, and ``targets`` (or web-1) with the fault in."""
    story.phase("plan")
    story.until(0.4)
    story.phase("guard")
    story.until(0.5)
    story.phase("baseline", baseline)
    story.steadily(story.at + baseline, tick, tell)
    story.phase("inject")
    story.intend(*(injection(n, target, intended_at=story.at) for n, target in enumerate(targets or ("web-1",), 1)))
    story.until(story.at + 0.3)
    for n in story.records:
        story.inject(n)


def usual_end(story: Story) -> None:
    """Rollback of everything, recovery, and the checks hold again."""
    story.begin_rollback()
    for n in story.records:
        story.until(story.at + 0.1)
        story.restore(n)
    story.phase("recovery", 30.0)
    story.steadily(story.at + 3.0)
    story.event("recovery", "the hypothesis holds again, 0.6s after rollback")
