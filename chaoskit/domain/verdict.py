"""The verdict: a pure function of the recorded history, so that a stored run can be judged again at any time.

Precedence, first match wins: dirty, blocked, error, aborted, inconclusive (the fault did not bite, or not for its
whole time), failed, inconclusive (we could not tell), passed. Only a run in which everything is proven passes.
"""

from collections.abc import Sequence
from enum import StrEnum

from chaoskit.domain.detection import DetectionResult, judge_alert, time_to_detect
from chaoskit.domain.errors import Exit
from chaoskit.domain.history import InjectionRecord, RunRecord
from chaoskit.domain.quantities import Value
from chaoskit.domain.readings import Outcome
from chaoskit.domain.results import CheckResult, judge_hypothesis, judge_recovery, time_to_abort, time_to_recover


class Verdict(StrEnum):
    """How a run ended."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    ABORTED = "aborted"
    INCONCLUSIVE = "inconclusive"
    DIRTY = "dirty"
    ERROR = "error"

    @property
    def exit_code(self) -> Exit:
        """The exit code that goes with the verdict."""
        return Exit[self.name]


class Judgement(Value):
    """The verdict with everything it rests on. Times are in seconds; None means "does not apply" or "not measured".

    ``time_to_abort`` is from the breach first seen to every target restored; ``time_to_recover`` from the last
    target restored to the hypothesis holding again; ``time_to_detect`` from the first injection to the last expected
    alert.
    """

    verdict: Verdict
    headline: str
    reasons: tuple[str, ...]
    checks: tuple[CheckResult, ...] = ()
    detections: tuple[DetectionResult, ...] = ()
    recovery: Outcome = "unknown"
    recovery_why: str = ""
    restored: int = 0
    injected: int = 0
    time_to_detect: float | None = None
    time_to_abort: float | None = None
    time_to_recover: float | None = None

    @property
    def exit_code(self) -> Exit:
        """The exit code of the run."""
        return self.verdict.exit_code


def judge(record: RunRecord) -> Judgement:
    """Judge one run by its record alone."""
    checks = tuple(judge_hypothesis(record, check) for check in record.experiment.steady_state)
    detections = tuple(judge_alert(record, alert) for alert in record.experiment.expect.alerts)
    recovery, recovery_why = judge_recovery(record)
    verdict, reasons = _decide(record, checks, detections, (recovery, recovery_why))
    return Judgement(
        verdict=verdict,
        headline=_HEADLINES[verdict],
        reasons=tuple(reasons),
        checks=checks,
        detections=detections,
        recovery=recovery,
        recovery_why=recovery_why,
        restored=sum(i.restored_at is not None for i in record.injections),
        injected=len(record.injections),
        time_to_detect=time_to_detect(detections),
        time_to_abort=time_to_abort(record),
        time_to_recover=time_to_recover(record),
    )


_HEADLINES = {
    Verdict.PASSED: "The hypothesis held, the fault is proven, and every target is restored.",
    Verdict.FAILED: "The hypothesis was refuted. Every target is restored.",
    Verdict.BLOCKED: "Nothing was injected: a guard said no.",
    Verdict.ABORTED: "The run was stopped before its time. Every target is restored.",
    Verdict.INCONCLUSIVE: "We could not tell. Every target is restored.",
    Verdict.DIRTY: "Rollback could not be verified: something is left on a target.",
    Verdict.ERROR: "chaoskit or a driver failed. Every target is restored.",
}


def _decide(
    record: RunRecord,
    checks: Sequence[CheckResult],
    detections: Sequence[DetectionResult],
    recovery: tuple[Outcome, str],
) -> tuple[Verdict, list[str]]:
    if dirty := [f"{i.target}: {_residue(i.residue)}" for i in record.injections if i.restored_at is None]:
        return Verdict.DIRTY, dirty
    if record.blocked and not record.injections:
        return Verdict.BLOCKED, list(record.blocked)
    if errors := [
        *record.errors,
        *record.blocked,
        *(f"{i.kind} on {i.target}: {i.error}" for i in record.injections if i.error),
    ]:
        return Verdict.ERROR, errors
    if record.abort is not None and record.abort.cause in {"condition", "halt"}:
        return Verdict.ABORTED, [record.abort.reason]
    if unproven := _unproven(record):
        return Verdict.INCONCLUSIVE, unproven
    found = [(c.outcome, c.why) for c in checks] + [(d.outcome, d.why) for d in detections] + [recovery]
    return _weigh(record, found)


def _weigh(record: RunRecord, outcomes: Sequence[tuple[Outcome, str]]) -> tuple[Verdict, list[str]]:
    """Refuted beats unknown beats held; a run that went blind is never more than inconclusive."""
    if refuted := [why for outcome, why in outcomes if outcome == "deviated"]:
        return Verdict.FAILED, refuted
    unknown = [why for outcome, why in outcomes if outcome == "unknown"]
    if record.abort is not None:
        return Verdict.INCONCLUSIVE, [record.abort.reason, *unknown]
    if unknown:
        return Verdict.INCONCLUSIVE, unknown
    return Verdict.PASSED, _proofs(record)


def _residue(residue: Sequence[str]) -> str:
    return "; ".join(residue) if residue else "rollback was not completed"


def _unproven(record: RunRecord) -> list[str]:
    """Why the run cannot count as an experiment at all: no fault, no effect, or an effect that went away."""
    if not record.injections:
        return ["the run ended before anything was injected"]
    found = [f"{i.kind} on {i.target}: {i.drift}" for i in record.injections if i.drift]
    for i in record.injections:
        if i.effect is None:
            found.append(f"{i.kind} on {i.target}: was never proven to be in force")
        elif i.effect.bit is not True:
            how = "had no effect" if i.effect.bit is False else "could not be proven to have an effect"
            found.append(f"{i.kind} on {i.target}: {how} ({i.effect.measured})")
        elif record.abort is None and (cut := _cut_short(i)):
            found.append(f"{i.kind} on {i.target}: {cut}")
    if record.ended_at is None:
        found.append("the record has no end: its runner is still at work, or died")
    return found


_MICROSECOND = 1e-6


def _cut_short(injection: InjectionRecord) -> str:
    """Why the fault was not in for its whole time; empty when it was."""
    begun, ended = injection.injected_at, injection.rollback_at
    if begun is None or ended is None:
        return "it is not known how long it was in force"
    if ended - begun < injection.duration - _MICROSECOND:
        return f"was in force for {ended - begun:.1f}s of its {injection.duration:g}s"
    return ""


def _proofs(record: RunRecord) -> list[str]:
    checks, faults = len(record.experiment.steady_state), len(record.injections)
    held = f"all {checks} checks held" if checks > 1 else "the check held"
    return [f"{held} while {faults} {'fault was' if faults == 1 else 'faults were'} proven in force"]
