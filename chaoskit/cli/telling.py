"""What the plain lines say: one line of text for each thing worth saying of a run in progress. Pure functions."""

from collections.abc import Sequence

from chaoskit.cli.phrases import (
    Signs,
    bound_of,
    check_value,
    clean,
    condition_limit,
    condition_name,
    condition_state,
    condition_value,
    tally,
)
from chaoskit.cli.progress import Progress, Silence
from chaoskit.domain.checks import AbortCondition, Check
from chaoskit.domain.history import InjectionRecord
from chaoskit.domain.quantities import format_duration
from chaoskit.domain.readings import Outcome

MOST_CHECKS = 6
MOST_NAMES = 5


def phase_text(progress: Progress) -> str:
    """The phase that begins now, with how long it may last."""
    experiment, injections = progress.experiment, progress.injections.values()
    longest = max((one.duration for one in injections), default=0.0)
    outstanding = sum(one.restored_at is None for one in injections)
    told = {
        "baseline": f"every check must hold for {format_duration(experiment.sampling.baseline)}",
        "observe": f"for {format_duration(longest)}",
        "rollback": f"undoing {outstanding} of {plural(len(injections), 'injection')}",
        "recovery": f"every check must hold again within {format_duration(experiment.expect.recover_within)}",
    }
    name = progress.phase or ""
    return f"{name}: {told[name]}" if name in told else name


def checks_text(progress: Progress, signs: Signs) -> str:
    """All checks on one line; of many, those that do not hold and the number of the others."""
    checks = progress.experiment.steady_state
    if len(checks) <= MOST_CHECKS:
        return f" {signs.dot} ".join(_check(progress, check, signs) for check in checks)
    bad = [check for check in checks if _outcome(progress, check) != "held"]
    told = [_check(progress, check, signs) for check in bad[:MOST_CHECKS]]
    more = [f"{len(bad) - MOST_CHECKS} more do not"] if len(bad) > MOST_CHECKS else []
    return f" {signs.dot} ".join([f"{len(checks) - len(bad)} of {len(checks)} held", *told, *more])


def _check(progress: Progress, check: Check, signs: Signs) -> str:
    reading = progress.latest.get(("check", check.name))
    outcome = _outcome(progress, check)
    value = check_value(check, reading, fault_in=progress.fault_in, signs=signs)
    told = f"{clean(check.name)} {value} {signs.outcomes[outcome]} {outcome}"
    if outcome == "held":
        return told
    bound = bound_of(check, fault_in=progress.fault_in, signs=signs)
    problem = clean(reading.problem) if reading is not None else "no answer yet"
    return f"{told} ({'; '.join(filter(None, [bound, problem]))})"


def _outcome(progress: Progress, check: Check) -> Outcome:
    reading = progress.latest.get(("check", check.name))
    return "unknown" if reading is None else reading.outcome


def condition_text(condition: AbortCondition, progress: Progress, signs: Signs) -> str:
    """How an abort condition stands, and how long its limit has been exceeded."""
    reading = progress.latest.get(("abort", condition.title))
    state = condition_state(condition, reading)
    value = condition_value(condition, reading, signs)
    told = f"{condition_name(condition)}: {value}, limit {condition_limit(condition)}"
    if state == "exceeded":
        lasting = progress.deviating_for("abort", condition.title) or 0.0
        held_for = f" of {format_duration(condition.held_for)}" if condition.held_for else ""
        return f"{told}: exceeded for {lasting:.1f}s{held_for}"
    if state == "unknown":
        return f"{told}: unknown ({clean(reading.problem) if reading is not None else 'no answer yet'})"
    return f"{told}: {'near its limit' if state == 'near' else 'within its limit'}"


def silence_text(silence: Silence, limit: float) -> str:
    """Who has told nothing usable, and when that stops the run."""
    return f"{clean(silence.name)}: no usable answer for {silence.seconds:.1f}s; {format_duration(limit)} stops the run"


def tally_text(progress: Progress) -> str:
    """How many injections are in which state."""
    return ", ".join(f"{count} {state}" for state, count in tally(progress.injections.values()).items())


def intentions_text(intended: Sequence[InjectionRecord]) -> str:
    """What is about to be injected, now that the journal knows of it."""
    by_kind: dict[str, list[str]] = {}
    for one in intended:
        by_kind.setdefault(one.kind, []).append(clean(one.target))
    told = [f"{kind} on {_names(names)}" for kind, names in by_kind.items()]
    return f"{plural(len(intended), 'injection')} intended: {'; '.join(told)}"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def plural(count: int, noun: str) -> str:
    """``1 target``, ``3 targets``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
