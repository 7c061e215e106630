"""Records of runs, made by hand, for the tests of what is concluded from them.

The run of :func:`passing` injects at 10 s, observes until 20 s, and rolls back and recovers after that.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import (
    Abort,
    AbortCause,
    InjectionRecord,
    PhaseName,
    PhaseSpan,
    Recovery,
    Runner,
    RunRecord,
)
from chaoskit.domain.ports import Effect
from chaoskit.domain.readings import Outcome, Reading, Role

STARTED = datetime(2025, 1, 1, tzinfo=UTC)
INJECT, OBSERVE, ROLLBACK, RECOVERY, END = 10.0, 11.0, 20.0, 21.0, 30.0
SPANS: tuple[tuple[PhaseName, float, float], ...] = (
    ("plan", 0.0, 1.0),
    ("guard", 1.0, 2.0),
    ("baseline", 2.0, INJECT),
    ("inject", INJECT, OBSERVE),
    ("observe", OBSERVE, ROLLBACK),
    ("rollback", ROLLBACK, RECOVERY),
    ("recovery", RECOVERY, END),
)


def experiment(**changes: Any) -> Experiment:
    raw: dict[str, Any] = {
        "apiVersion": "chaoskit/v1",
        "kind": "Experiment",
        "name": "e",
        "title": "An experiment",
        "targets": {"web": {"docker": {"names": ["web"]}}},
        "steady_state": [{"name": "up", "promql": "up", "at_least": 1}],
        "expect": {"recover_within": "5s"},
        "faults": [{"kind": "instance.kill", "target": "web", "duration": "9s"}],
    }
    return Experiment.model_validate(raw | changes)


TOLERANT = experiment(
    steady_state=[{"name": "up", "promql": "up", "at_least": 1, "during": {"at_least": 0.5, "allow_for": "3s"}}]
)
DETECTING = experiment(expect={"recover_within": "5s", "alerts": [{"alert": "Down", "fires_within": "6s"}]})


def phase_at(at: float) -> PhaseName:
    return next(name for name, start, _ in reversed(SPANS) if start <= at)


def reading(at: float, outcome: Outcome = "held", role: Role = "check", name: str = "up", **more: Any) -> Reading:
    facts: dict[str, Any] = {"phase": phase_at(at), "took": 0.01, "role": role, "name": name} | more
    return Reading(at=at, outcome=outcome, **facts)


def readings(*outcomes: tuple[float, Outcome], **more: Any) -> tuple[Reading, ...]:
    """A reading each second from 2 s to 30 s that held, but for those given."""
    by_time = {float(at): "held" for at in range(2, 30)} | dict(outcomes)
    return tuple(reading(at, outcome, **more) for at, outcome in sorted(by_time.items()))  # type: ignore[arg-type]  # dict.fromkeys loses the Literal


def injection(n: int = 1, **changes: Any) -> InjectionRecord:
    facts: dict[str, Any] = {
        "step": 0,
        "kind": "instance.kill",
        "group": "web",
        "target_id": f"docker://h/web-{n}",
        "target": f"web-{n}",
        "tag": f"chaoskit-r-{n}",
        "duration": 9.0,
        "intended_at": INJECT,
        "injected_at": OBSERVE,
        "effect": Effect(bit=True, requested="killed", measured="exited"),
        "rollback_at": ROLLBACK,
        "restored_at": RECOVERY,
        "attempts": 1,
    }
    return InjectionRecord(n=n, **(facts | changes))


def abort(cause: AbortCause, at: float = 15.0, breached_at: float = 14.0) -> Abort:
    return Abort(cause=cause, reason=f"stopped by {cause}", at=at, breached_at=breached_at)


def passing(plan: Experiment | None = None, **changes: Any) -> RunRecord:
    """A run that passes, but for ``changes``."""
    facts: dict[str, Any] = {
        "run": "r",
        "experiment": plan or experiment(),
        "path": "e.yaml",
        "text": "",
        "sha256": "",
        "seed": "1",
        "runner": Runner(host="h", user="u", pid=1, pid_started=0.0, version="0", python="3"),
        "started_at": STARTED,
        "ended_at": END,
        "phases": tuple(PhaseSpan(name=name, start=start, end=end) for name, start, end in SPANS),
        "injections": (injection(),),
        "recovery": Recovery(started_at=RECOVERY, limit=5.0, recovered_at=22.0),
        "readings": readings(),
    }
    return RunRecord(**(facts | changes))


def with_readings(record: RunRecord, more: Iterable[Reading]) -> RunRecord:
    return record.model_copy(update={"readings": (*record.readings, *more)})
