"""Which driver serves which part of an experiment: the only place that knows them all by name."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol, runtime_checkable

from chaoskit.domain.checks import Check, ExpectedAlert, ProbeSpec
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.errors import InvalidExperiment
from chaoskit.domain.experiment import Experiment
from chaoskit.domain.plan import Plan
from chaoskit.domain.ports import Probe, TargetSource
from chaoskit.domain.targeting import TargetSpec
from chaoskit.engine.sampler import Key
from chaoskit.engine.timers import Timers


@runtime_checkable
class Closes(Protocol):
    """A source that keeps a connection."""

    def close(self) -> None:
        """Let it go."""


class DriverSources:
    """Gives the target source of a group, the same one for the same selector. Safe to use from several threads."""

    def __init__(self, docker_host: str | None = None, watched_urls: Sequence[str] = ()) -> None:
        self._docker_host = docker_host
        self._watched_urls = tuple(watched_urls)
        self._made: dict[str, TargetSource] = {}
        self._lock = Lock()

    def __call__(self, spec: TargetSpec) -> TargetSource:
        """The source for ``spec``."""
        key = spec.model_dump_json()
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(spec)
            return self._made[key]

    def close(self) -> None:
        """Let go of every connection that a source keeps."""
        with self._lock:
            made, self._made = list(self._made.values()), {}
        for source in made:
            if isinstance(source, Closes):
                source.close()

    def _make(self, spec: TargetSpec) -> TargetSource:
        if spec.docker is not None:
            from chaoskit.targets.docker import DockerSource

            return DockerSource(spec.docker, default_host=self._docker_host, watched_urls=self._watched_urls)
        if spec.local is not None:
            from chaoskit.targets.local import LocalSource

            return LocalSource(spec.local, watched_urls=self._watched_urls)
        raise AssertionError("a target group has exactly one kind; its model sees to that")


def timers() -> Timers:
    """How dead-man timers are kept on targets."""
    from chaoskit.targets import deadman

    return deadman


def alert_query(expected: ExpectedAlert) -> str:
    """PromQL that is above zero while the alert fires, by the ``ALERTS`` series that Prometheus writes for rules."""
    wanted = {"alertname": expected.alert, "alertstate": "firing", **expected.labels}
    matchers = ",".join(f"{name}={_quoted(value)}" for name, value in wanted.items())
    return f"count(ALERTS{{{matchers}}}) or vector(0)"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


LEAST_FRESH = 15.0
FRESH_WHEN_UNTOLD = 60.0
FRESH_ALERTS = 300.0
"""Seconds. Rules are evaluated once a minute by default, so a firing alert writes its series no more often."""


def probes_of(experiment: Experiment, prometheus: Prometheus | None, scrape: float | None) -> dict[Key, Probe]:
    """A probe for every check, abort condition and expected alert.

    A sample may be three scrapes old (``scrape`` is the interval in seconds, where it is known), at least 15 s, where
    the file does not say ``fresh_within``.
    """
    fresh = FRESH_WHEN_UNTOLD if scrape is None else max(LEAST_FRESH, 3 * scrape)
    probes = {Key("check", check.name): _probe(check, prometheus, fresh) for check in experiment.steady_state}
    probes |= {Key("abort", rule.title): _probe(rule, prometheus, fresh) for rule in experiment.watched}
    for alert in experiment.expect.alerts:
        spec = ProbeSpec(promql=alert_query(alert))
        probes[Key("detection", alert.alert)] = _probe(spec, prometheus, max(fresh, FRESH_ALERTS))
    return probes


def _probe(spec: ProbeSpec, prometheus: Prometheus | None, fresh_within: float) -> Probe:
    from chaoskit.probes.build import build

    wants_number = isinstance(spec, Check) and spec.stated
    return build(spec, wants_number=wants_number, prometheus=prometheus, fresh_within=fresh_within)


def prometheus_of(experiment: Experiment, configured: Prometheus | None, path: str) -> Prometheus | None:
    """The Prometheus that judges: the experiment's own, else the configured one. Raises InvalidExperiment."""
    chosen = experiment.prometheus or configured
    if chosen is None and experiment.needs_prometheus:
        raise InvalidExperiment(
            f"{path}: the experiment asks Prometheus, but none is known; "
            "add `prometheus: {url: http://prometheus:9090}` to the file, or set CHAOSKIT_PROMETHEUS_URL"
        )
    return chosen


def prometheus_guard(prometheus: Prometheus) -> Callable[[Plan], Sequence[str]]:
    """A guard that asks whether monitoring answers at all, before anything depends on it."""

    def guard(_plan: Plan) -> Sequence[str]:
        from chaoskit.probes.prometheus_info import PrometheusInfo

        problem = PrometheusInfo(prometheus).ready()
        return [f"monitoring is unreachable: {problem}"] if problem else []

    return guard


def scrape_interval(prometheus: Prometheus | None) -> float | None:
    """Seconds between two scrapes, where Prometheus tells."""
    if prometheus is None:
        return None
    from chaoskit.probes.prometheus_info import PrometheusInfo

    return PrometheusInfo(prometheus).scrape_interval()
