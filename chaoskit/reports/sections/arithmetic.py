"""The numbers of a plan as sentences: blast radius and abort latency. The plan's printout and the report share them."""

from chaoskit.domain.humane import humane_seconds
from chaoskit.domain.plan import AbortLatency, Plan
from chaoskit.domain.selection import Radius
from chaoskit.reports.wording import listed, plural


def radius_sentences(plan: Plan) -> tuple[str, ...]:
    """The blast radius of ``plan`` against its limits, one sentence for each limit and group."""
    limits = plan.experiment.blast_radius
    found = [f"{plural(plan.distinct, 'different target')} in all; max_targets allows {limits.max_targets}."]
    for one in plan.radius:
        found.append(_share(plan, one))
        found.append(_healthy(plan, one))
    if limits.require_label:
        found.append(f"Only targets that carry the label {limits.require_label} may be picked.")
    return tuple(found)


def _share(plan: Plan, one: Radius) -> str:
    limit = plan.experiment.blast_radius.largest_share
    hit = f"{one.group}: {one.touched} of {plural(one.matched, 'matched target')} in the blast radius"
    hit += f", by way of {listed(one.shared_with)} too" if one.shared_with else ""
    if not limit:
        return f"{hit}; no max_percent is set."
    return f"{hit}; max_percent {limit} of {one.matched} allows {one.allowed_by_percent}."


def _healthy(plan: Plan, one: Radius) -> str:
    asked = plan.experiment.blast_radius.min_healthy
    left = f"{one.group}: {one.healthy} of {one.matched} healthy before, {one.healthy_left} of them left untouched"
    return f"{left}; no min_healthy is set." if asked is None else f"{left}; min_healthy asks for {asked}."


def latency_parts(latency: AbortLatency) -> tuple[tuple[str, str], ...]:
    """The parts of the predicted abort latency, each with its length in words."""
    return (
        (
            "age of the newest Prometheus sample",
            "unknown" if latency.scrape is None else humane_seconds(latency.scrape),
        ),
        ("two turns of the slowest abort probe", humane_seconds(latency.evaluate)),
        ("longest time a limit must be exceeded", humane_seconds(latency.held)),
        ("slowest rollback, for every target", humane_seconds(latency.revert)),
    )


def latency_sentence(latency: AbortLatency) -> str:
    """The predicted worst case in one sentence, with what is missing from it."""
    worst = f"From a breach to every target restored: at most {humane_seconds(latency.worst)}"
    if latency.scrape is None:
        return f"{worst}, plus the age of the newest Prometheus sample, which could not be read."
    return f"{worst}."
