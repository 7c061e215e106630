"""Runs and journal entries to put into a store."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import (
    Abort,
    Event,
    InjectionRecord,
    PhaseSpan,
    Recovery,
    Runner,
    RunRecord,
)
from chaoskit.domain.journal import Intended, Restored
from chaoskit.domain.plan import AbortLatency, Plan, PlannedGroup, PlannedInjection
from chaoskit.domain.ports import Effect, TargetRef
from chaoskit.domain.readings import Outcome, Reading
from chaoskit.domain.selection import Excluded
from chaoskit.domain.targeting import TargetSpec

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

EXPERIMENT = Experiment.model_validate(
    {
        "apiVersion": "chaoskit/v1",
        "kind": "Experiment",
        "name": "checkout-survives",
        "title": "Checkout keeps serving when one replica dies",
        "prometheus": {"url": "http://127.0.0.1:9090", "auth": {"bearer": "env:PROM_TOKEN"}},
        "targets": {"web": {"docker": {"labels": {"app": "web"}}}, "proc": {"local": {"port": 8080}}},
        "steady_state": [
            {"name": "availability", "promql": "ratio", "at_least": "99%", "range": {"last": "10s"}, "reduce": "min"},
            {"name": "latency", "promql": "p95", "at_most": "300ms", "during": {"at_most": "1s", "allow_for": "2s"}},
            {"name": "front page", "http": {"url": "http://127.0.0.1/", "status": [200, 204], "within": "1s"}},
            {"name": "script", "command": {"run": ["true", "--x"]}},
        ],
        "expect": {"recover_within": "30s", "alerts": [{"alert": "Down", "fires_within": "2m"}]},
        "faults": [
            {"kind": "instance.kill", "target": "web", "pick": "30%", "duration": "60s", "signal": "KILL"},
            {"kind": "process.pause", "target": "proc", "pick": {"zone": "a"}, "duration": "1m30s"},
        ],
        "blast_radius": {"max_targets": 2, "max_percent": "34%", "min_healthy": 1},
        "abort_when": [{"promql": "errors", "above": 0.2, "for": "3s"}, {"no_data_for": "10s"}],
    }
)

RUNNER = Runner(host="h/00000000", user="root", pid=4242, pid_started=1.5, version="0.1.0", python="3.11.7")


def ref(target: str = "web-1") -> TargetRef:
    """A target as data."""
    return TargetRef(id=f"docker://engine/{target}@c0ffee", name=target, labels={"app": "web"}, identity="t0")


def intended(run: str = "r1", n: int = 1, target: str = "web-1", kind: str = "instance.kill") -> Intended:
    """An intention of one run on one target."""
    spec: TargetSpec = EXPERIMENT.targets["web"]
    injection = {"tag": f"chaoskit-{run}-{n}", "target": ref(target).id, "nested": [1, {"deep": None}]}
    by_hand = (f"docker start {target}",)
    return Intended(
        run=run, n=n, at=NOON, kind=kind, step=0, group="web", spec=spec, ref=ref(target), injection=injection,
        by_hand=by_hand,
    )  # fmt: skip


def restored(run: str = "r1", n: int = 1) -> Restored:
    """The end of that intention."""
    return Restored(run=run, n=n, at=NOON + timedelta(seconds=60), note="started again", attempts=2)


def reading(at: float, value: float | None = 0.995, outcome: Outcome = "held", phase: str = "observe") -> Reading:
    """One judged sample."""
    return Reading(
        role="check", name="availability", phase=phase, at=at, took=0.01, outcome=outcome, value=value, problem=""
    )


def begun(run: str = "r1", minutes: int = 0, name: str = "checkout-survives") -> RunRecord:
    """The record of a run that has just begun, ``minutes`` after noon."""
    return RunRecord(
        run=run,
        experiment=EXPERIMENT.model_copy(update={"name": name}),
        path="checkout.yaml",
        text="# the file as it was: ünïcode, \x00 and all\n",
        sha256="ab" * 32,
        seed="seed",
        command="chaoskit run checkout.yaml",
        runner=RUNNER,
        started_at=NOON + timedelta(minutes=minutes),
    )


def ended(run: str = "r1", minutes: int = 0) -> RunRecord:
    """The record of a run that went through every phase, with everything in it that a record can hold."""
    return begun(run, minutes).model_copy(
        update={
            "ended_at": 95.25,
            "plan": plan(),
            "phases": (PhaseSpan(name="plan", start=0.0, end=1.0), PhaseSpan(name="recovery", start=70.0, end=95.0)),
            "injections": (injection_record(),),
            "abort": Abort(cause="condition", reason="errors above 0.2", at=12.5, breached_at=9.5),
            "recovery": Recovery(started_at=70.0, limit=30.0, recovered_at=80.5),
            "errors": ("the disk was slow",),
            "readings": seen(),
            "events": (Event(at=0.5, kind="note", text="begun"), Event(at=9.5, kind="abort", text="errors above 0.2")),
        }
    )


def seen() -> tuple[Reading, ...]:
    """Readings of every shape, with numbers that are easily lost."""
    return (
        reading(1.0, 0.1 + 0.2, phase="baseline"),
        reading(2.0, None, "unknown"),
        reading(3.0, float("inf"), "deviated"),
        reading(4.0, 5e-324),
        Reading(role="abort", name="errors", phase="observe", at=9.5, took=0.2, outcome="deviated", problem="b\udc80d"),
    )


def injection_record() -> InjectionRecord:
    """One injection from intended to proven restored."""
    return InjectionRecord(
        n=1, step=0, kind="instance.kill", group="web", target_id=ref().id, target="web-1", tag="chaoskit-r1-1",
        duration=60.0, actions=("kill web-1",), undo=("start web-1",), by_hand=("docker start web-1",),
        intended_at=2.0, injected_at=2.5, effect=Effect(bit=True, requested="dead", measured="exited 137"),
        rollback_at=62.5, restored_at=63.0, attempts=1, note="started", residue=(),
    )  # fmt: skip


def plan(matched: Sequence[TargetRef] = ()) -> Plan:
    """A small plan."""
    injection = PlannedInjection(
        step=0, kind="instance.kill", group="web", ref=ref(), duration=60.0, actions=("kill web-1",),
        undo=("start web-1",), by_hand=("docker start web-1",), revert_within=15.0,
    )  # fmt: skip
    out = (Excluded(name="web-9", why="protected by name (web-9)"),)
    return Plan(
        experiment=EXPERIMENT,
        path="checkout.yaml",
        sha256="ab" * 32,
        seed="seed",
        groups=(PlannedGroup(group="web", matched=(*matched, ref(), ref("web-9")), excluded=out),),
        injections=(injection,),
        radius=(),
        distinct=1,
        latency=AbortLatency(scrape=None, evaluate=1.0, held=3.0, revert=15.0),
    )
