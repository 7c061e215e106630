"""Runs of every kind, made from small parts, for the tests of the reports. Each is judged by the real judge."""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import Abort, Event, InjectionRecord, PhaseName, PhaseSpan, Recovery, Runner, RunRecord
from chaoskit.domain.plan import AbortLatency, Plan, PlannedGroup, PlannedInjection
from chaoskit.domain.ports import Effect, TargetRef
from chaoskit.domain.readings import Outcome, Reading, Role
from chaoskit.domain.selection import Excluded, Radius
from chaoskit.domain.verdict import Judgement, judge

ERRORS = 'sum(rate(http_requests_total{code=~"5.."}[10s])) / sum(rate(http_requests_total[10s]))'
P95 = "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[15s])))"
STARTED = datetime(2025, 5, 13, 10, 3, 27, 412000, tzinfo=UTC)
TEXT = f"""\
apiVersion: chaoskit/v1
kind: Experiment
name: checkout-survives-web-loss
title: Checkout keeps serving when one web replica dies
owner: team-checkout
steady_state:
  - name: availability
    promql: sum(rate(http_requests_total{{code!~"5.."}}[15s])) / sum(rate(http_requests_total[15s]))
    at_least: 99%
  - name: p95 latency
    promql: {P95}
    at_most: 300ms
    during: {{at_most: 800ms, allow_for: 10s}}
"""
PHASES: tuple[tuple[PhaseName, float, float], ...] = (
    ("plan", 0.0, 0.8),
    ("guard", 0.8, 2.1),
    ("baseline", 2.1, 17.1),
    ("inject", 17.1, 19.4),
    ("observe", 19.4, 79.4),
    ("rollback", 79.4, 83.2),
    ("recovery", 83.2, 92.2),
)


def experiment(**changes: Any) -> Experiment:
    raw: dict[str, Any] = {
        "apiVersion": "chaoskit/v1",
        "kind": "Experiment",
        "name": "checkout-survives-web-loss",
        "title": "Checkout keeps serving when one web replica dies",
        "owner": "team-checkout",
        "tags": ["tier-1", "web"],
        "runbook": "https://runbooks.example/checkout",
        "prometheus": {"url": "http://prometheus:9090"},
        "targets": {"web": {"docker": {"labels": {"app": "web"}}}},
        "steady_state": [
            {
                "name": "availability",
                "promql": 'sum(rate(http_requests_total{code!~"5.."}[15s])) / sum(rate(http_requests_total[15s]))',
                "at_least": "99%",
            },
            {
                "name": "p95 latency",
                "promql": P95,
                "at_most": "300ms",
                "during": {"at_most": "800ms", "allow_for": "10s"},
            },
            {"name": "front page", "http": {"url": "http://web/healthz", "within": "1s"}},
        ],
        "expect": {
            "recover_within": "30s",
            "alerts": [{"alert": "HighErrorRate", "labels": {"service": "checkout"}, "fires_within": "2m"}],
        },
        "faults": [{"kind": "instance.kill", "target": "web", "pick": 1, "duration": "60s"}],
        "blast_radius": {
            "max_targets": 1,
            "max_percent": "34%",
            "min_healthy": 2,
            "require_label": "chaoskit.allow=true",
        },
        "abort_when": [{"promql": ERRORS, "above": "20%", "for": "3s"}],
    }
    return Experiment.model_validate({**raw, **changes})


def ref(name: str, **labels: str) -> TargetRef:
    engine_id = f"{sum(map(ord, name)):04x}" * 16
    carried = {"app": name.partition("-")[0], "chaoskit.allow": "true", **labels}
    return TargetRef(id=f"docker://engine-1/{name}@{engine_id[:12]}", name=name, labels=carried, identity="2025-05-13")


def injection(n: int = 1, name: str = "web-2", kind: str = "instance.kill", **changes: Any) -> InjectionRecord:
    target = ref(name)
    values: dict[str, Any] = {
        "n": n,
        "step": 0,
        "kind": kind,
        "group": "web",
        "target_id": target.id,
        "target": name,
        "tag": f"chaoskit-01jv4x7m-{n}",
        "duration": 60.0,
        "actions": (f"docker kill --signal KILL {name}",),
        "undo": (f"docker start {name}", "restored means: running, same restart policy, health as before"),
        "by_hand": (f"docker start {name}",),
        "intended_at": 17.2,
        "injected_at": 17.9,
        "effect": Effect(bit=True, requested="not running", measured="exited with 137 after 0.2s"),
        "rollback_at": 79.5,
        "restored_at": 83.1,
        "attempts": 1,
        "note": "started; running again after 1.3s",
    }
    return InjectionRecord(**{**values, **changes})


def plan(asked: Experiment, names: Sequence[str] = ("web-2",), of: int = 3, **changes: Any) -> Plan:
    matched = tuple(ref(f"web-{n}", zone="ab"[n % 2]) for n in range(1, of + 1))
    values: dict[str, Any] = {
        "experiment": asked,
        "path": "experiments/checkout.yaml",
        "sha256": "5d" * 32,
        "seed": "b7d1c3",
        "groups": (
            PlannedGroup(
                group="web",
                matched=matched,
                excluded=(Excluded(name="web-3", why="has not opted in: label chaoskit.allow=true is missing"),),
            ),
        ),
        "injections": tuple(
            PlannedInjection(
                step=0,
                kind="instance.kill",
                group="web",
                ref=ref(name),
                duration=60.0,
                actions=(f"docker kill --signal KILL {name}",),
                undo=(f"docker start {name}",),
                by_hand=(f"docker start {name}",),
                revert_within=15.0,
            )
            for name in names
        ),
        "radius": (
            Radius(
                group="web",
                matched=of,
                touched=len(names),
                healthy=of,
                healthy_left=of - len(names),
                allowed_by_percent=of * 34 // 100,
            ),
        ),
        "distinct": len(names),
        "latency": AbortLatency(scrape=1.0, evaluate=6.0, held=3.0, revert=15.0),
    }
    return Plan(**{**values, **changes})


def phase_at(at: float) -> str:
    return next((name for name, start, end in PHASES if start <= at < end), "recovery")


def reading(
    name: str, at: float, outcome: Outcome = "held", value: float | None = None, role: Role = "check", problem: str = ""
) -> Reading:
    return Reading(
        role=role, name=name, phase=phase_at(at), at=at, took=0.013, outcome=outcome, value=value, problem=problem
    )


def ticks(start: float = 2.1, end: float = 92.2, step: float = 1.0) -> Iterator[float]:
    for index in range(int((end - start) / step)):
        yield round(start + index * step, 3)


Signal = Callable[[float], tuple[Outcome, float | None]]


def series(name: str, signal: Signal, role: Role = "check", **span: float) -> tuple[Reading, ...]:
    return tuple(reading(name, at, *signal(at), role=role) for at in ticks(**span))


def noise(at: float, size: float) -> float:
    return size * (math.sin(at * 7.3) + math.sin(at * 3.1) + math.sin(at * 17.7)) / 3


def available(depth: float) -> Signal:
    def signal(at: float) -> tuple[Outcome, float | None]:
        dip = depth * math.exp(-((at - 24) ** 2) / 18) if at > 18 else 0.0
        value = min(1.0, 0.9985 + noise(at, 0.001) - dip)
        return ("held" if value >= 0.99 else "deviated"), value

    return signal


def latency(peak: float) -> Signal:
    def signal(at: float) -> tuple[Outcome, float | None]:
        if 48 < at < 52:
            return "unknown", None
        extra = (
            peak * (1 - math.exp(-(at - 18) / 6))
            if 18 < at < 80
            else peak * math.exp(-(at - 80) / 2)
            if at >= 80
            else 0
        )
        value = 0.118 + noise(at, 0.02) + extra
        return ("held" if value <= (0.8 if 18 < at < 80 else 0.3) else "deviated"), value

    return signal


def page(at: float) -> tuple[Outcome, float | None]:
    return "held", None


def errors(depth: float) -> Signal:
    def signal(at: float) -> tuple[Outcome, float | None]:
        value = max(0.0, 1 - (available(depth)(at)[1] or 0.0))
        return ("deviated" if value > 0.2 else "held"), value

    return signal


def alert(fires_at: float) -> Signal:
    def signal(at: float) -> tuple[Outcome, float | None]:
        return ("held", 1.0) if at >= fires_at else ("deviated", 0.0)

    return signal


def readings(
    depth: float = 0.006, peak: float = 0.35, fires_at: float = 41.0, end: float = 92.2
) -> tuple[Reading, ...]:
    found = (
        *series("availability", available(depth), end=end),
        *series("p95 latency", latency(peak), end=end),
        *series("front page", page, end=end),
        *series(f"{ERRORS} above 20% for 3s", errors(depth), role="abort", end=end),
        *series("HighErrorRate", alert(fires_at), role="detection", end=end),
    )
    return tuple(sorted(found, key=lambda one: one.at))


def rephased(found: Sequence[Reading], phases: Sequence[PhaseSpan]) -> tuple[Reading, ...]:
    """The same readings in other phases."""
    return tuple(
        one.model_copy(update={"phase": next((p.name for p in reversed(phases) if p.start <= one.at), one.phase)})
        for one in found
    )


def events(*more: Event) -> tuple[Event, ...]:
    usual = (
        Event(at=0.0, kind="phase", text="plan"),
        Event(at=2.1, kind="phase", text="baseline"),
        Event(at=17.2, kind="fault", text="instance.kill on web-2 is intended"),
        Event(at=17.9, kind="fault", text="instance.kill on web-2 is in"),
        Event(at=79.5, kind="rollback", text="web-2: docker start"),
        Event(at=83.1, kind="rollback", text="web-2 is restored"),
        Event(at=92.2, kind="recovery", text="the hypothesis holds again"),
    )
    return tuple(sorted((*usual, *more), key=lambda event: event.at))


def record(**changes: Any) -> RunRecord:
    """A run in which everything went well, unless ``changes`` say otherwise."""
    asked = changes.pop("experiment", None) or experiment()
    values: dict[str, Any] = {
        "run": "01jv4x7m9ztc",
        "experiment": asked,
        "path": "experiments/checkout.yaml",
        "text": TEXT,
        "sha256": "5d" * 32,
        "seed": "b7d1c3",
        "command": "chaoskit run experiments/checkout.yaml --seed b7d1c3",
        "runner": Runner(host="runner-1", user="ada", pid=4711, pid_started=1.7e9, version="0.1.0", python="3.11.2"),
        "started_at": STARTED,
        "ended_at": 92.4,
        "plan": plan(asked),
        "phases": spans(),
        "injections": (injection(),),
        "recovery": Recovery(started_at=83.2, limit=30.0, recovered_at=92.2),
        "readings": readings(),
        "events": events(),
    }
    return RunRecord(**{**values, **changes})


def spans(upto: PhaseName = "recovery", *, open_ended: bool = False) -> tuple[PhaseSpan, ...]:
    names = [name for name, _, _ in PHASES]
    shown = PHASES[: names.index(upto) + 1]
    return tuple(
        PhaseSpan(name=name, start=start, end=None if open_ended and name == upto else end)
        for name, start, end in shown
    )


def passed() -> RunRecord:
    return record()


def failed() -> RunRecord:
    return record(readings=readings(depth=0.06, peak=0.75))


def aborted() -> RunRecord:
    phases = (
        *spans("inject"),
        PhaseSpan(name="observe", start=19.4, end=27.6),
        PhaseSpan(name="rollback", start=27.6, end=31.0),
        PhaseSpan(name="recovery", start=31.0, end=44.0),
    )
    found = rephased(readings(depth=0.42, peak=0.1, fires_at=24.0, end=44.0), phases)
    return record(
        phases=phases,
        readings=found,
        injections=(injection(rollback_at=27.7, restored_at=30.9),),
        abort=Abort(cause="condition", reason="error ratio was 0.42, above 20% for 3s", at=27.5, breached_at=24.1),
        recovery=Recovery(started_at=31.0, limit=30.0, recovered_at=44.0),
        ended_at=44.2,
        events=(
            Event(at=17.9, kind="fault", text="instance.kill on web-2 is in"),
            Event(at=27.5, kind="abort", text="error ratio above 20% for 3s"),
            Event(at=30.9, kind="rollback", text="web-2 is restored"),
        ),
    )


def blocked() -> RunRecord:
    reasons = (
        "blast radius: 3 targets would be touched; max_targets allows 1",
        "blast radius: 3 of 3 in 'web' would be touched; max_percent 34% of 3 allows 1",
        "Prometheus at http://prometheus:9090 does not answer: connection refused",
        "web-1 is locked by run 01jv4x2k (team-search, since 10:01:12 UTC)",
    )
    asked = experiment()
    return record(
        experiment=asked,
        plan=plan(asked, ("web-1", "web-2", "web-3"), blocked=reasons[:2]),
        phases=spans("guard"),
        blocked=reasons,
        injections=(),
        recovery=None,
        readings=(),
        events=(Event(at=2.0, kind="guard", text="4 reasons not to start"),),
        ended_at=2.1,
    )


def dirty() -> RunRecord:
    left = injection(
        3,
        "web-3",
        restored_at=None,
        attempts=5,
        note="",
        residue=("TargetTimeout: docker start web-3 gave no answer within 10s", "web-3 is still exited (137)"),
        by_hand=("docker start web-3", "docker inspect --format '{{.State.Status}}' web-3"),
    )
    asked = experiment(
        faults=[{"kind": "instance.kill", "target": "web", "pick": "all", "duration": "60s"}],
        blast_radius={"max_targets": 3},
    )
    return record(
        experiment=asked,
        plan=plan(asked, ("web-1", "web-2", "web-3")),
        injections=(injection(1, "web-1"), injection(2, "web-2"), left),
        readings=readings(depth=0.3, peak=1.4),
        recovery=Recovery(started_at=89.0, limit=30.0, cut_short=True),
    )


def inconclusive() -> RunRecord:
    effect = Effect(bit=False, requested="100ms delay", measured="0.3ms round trip")
    return record(injections=(injection(effect=effect),))


def error() -> RunRecord:
    return record(injections=(injection(injected_at=None, effect=None, error="CommandFailed: status 125"),))


def killed() -> RunRecord:
    """The runner died while the fault was in, and nobody has restored since."""
    return record(
        phases=spans("observe", open_ended=True),
        injections=(injection(rollback_at=None, restored_at=None, attempts=0, note=""),),
        recovery=None,
        readings=readings(end=40.0),
        events=events()[:4],
        ended_at=None,
    )


def halted_in_baseline() -> RunRecord:
    return record(
        phases=spans("baseline"),
        injections=(),
        recovery=None,
        readings=readings(end=9.0),
        events=(Event(at=8.4, kind="halt", text="halted by ada"),),
        abort=Abort(cause="halt", reason="halted by ada: wrong day", at=8.4, breached_at=8.4),
        ended_at=8.6,
    )


def one_reading() -> RunRecord:
    return record(readings=(reading("availability", 20.0, "held", 0.999),))


def bare() -> RunRecord:
    """As little as a record can hold: the process died at once."""
    return record(
        plan=None,
        phases=(),
        injections=(),
        recovery=None,
        readings=(),
        events=(),
        ended_at=None,
        text="",
        command="",
        path="",
    )


def crowd(targets: int = 300) -> RunRecord:
    """A run over many targets."""
    asked = experiment(
        faults=[{"kind": "instance.kill", "target": "web", "pick": "all", "duration": "60s"}],
        blast_radius={"max_targets": targets},
    )
    names = [f"web-{n}" for n in range(1, targets + 1)]
    return record(
        experiment=asked,
        plan=plan(asked, names, of=targets),
        injections=tuple(injection(n, name) for n, name in enumerate(names, 1)),
    )


def long_run(count: int = 20_000) -> RunRecord:
    """A run with very many readings of three checks, one spike among them."""
    step = 3 * 3600.0 / count
    names = ("availability", "p95 latency", "front page")
    found = []
    for index in range(count):
        name, at = names[index % 3], 2.1 + index * step
        value = None if name == "front page" else (0.9985 if name == "availability" else 0.118) + noise(at, 0.001)
        found.append(Reading(role="check", name=name, phase="observe", at=at, took=0.01, outcome="held", value=value))
    spike = count // 2 - (count // 2) % 3 + 1
    found[spike] = found[spike].model_copy(update={"value": 42.0, "outcome": "deviated"})
    end = 2.1 + count * step
    return record(
        readings=tuple(found),
        phases=(
            *spans("inject"),
            PhaseSpan(name="observe", start=19.4, end=end),
            PhaseSpan(name="rollback", start=end, end=end + 2),
            PhaseSpan(name="recovery", start=end + 2, end=end + 3),
        ),
        injections=(injection(rollback_at=end, restored_at=end + 2),),
        recovery=Recovery(started_at=end + 2, limit=30.0, recovered_at=end + 3),
        ended_at=end + 4,
    )


VERDICTS: dict[str, Callable[[], RunRecord]] = {
    "passed": passed,
    "failed": failed,
    "blocked": blocked,
    "aborted": aborted,
    "inconclusive": inconclusive,
    "dirty": dirty,
    "error": error,
}
ALL: dict[str, Callable[[], RunRecord]] = {
    **VERDICTS,
    "killed": killed,
    "halted in baseline": halted_in_baseline,
    "one reading": one_reading,
    "bare": bare,
}


def judged(found: RunRecord) -> tuple[RunRecord, Judgement]:
    return found, judge(found)


def small(name: str) -> RunRecord:
    """The run of that name with few of its readings, where many of them would only cost time."""
    found = ALL[name]()
    return found.model_copy(update={"readings": found.readings[::7]})


_CLOSED = {"unit", "pick"}
"""Fields of free text that the program reads as one of a few words."""


def written_over(value: Any, change: Callable[[str], str]) -> Any:
    """``value`` with every free text in it changed, as if the systems that wrote them were hostile."""
    if type(value) is str:
        return change(value)
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        free = [
            name for name, field in fields.items() if name not in _CLOSED and "Literal" not in repr(field.annotation)
        ]
        return value.model_copy(update={name: written_over(getattr(value, name), change) for name in free})
    if isinstance(value, tuple):
        return tuple(written_over(item, change) for item in value)
    if isinstance(value, dict):
        return {written_over(key, change): written_over(item, change) for key, item in value.items()}
    return value
