"""What a Prometheus says about itself: whether it answers, how often it scrapes, and its version."""

from typing import Any

from chaoskit.domain.connection import Prometheus
from chaoskit.domain.errors import InvalidInput
from chaoskit.domain.quantities import parse_duration
from chaoskit.probes.prometheus_api import Api
from chaoskit.probes.wire import CannotAsk, Deadline, NoAnswer

_TROUBLE = (CannotAsk, NoAnswer, InvalidInput)


class PrometheusInfo:
    """Asks ``prometheus``; each method is one bounded request (two at most) and raises nothing for trouble."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    @property
    def bound(self) -> float:
        """The longest one method may take, in seconds, but for the grace of a busy machine."""
        return self._prometheus.timeout

    def ready(self) -> str:
        """Why queries cannot be answered; empty when they can. Asks a real query: that is what must work."""
        try:
            with self._api() as api:
                return "" if api.instant("vector(1)") else f"{self._prometheus.url}: a query gives no answer"
        except _TROUBLE as error:
            return str(error)

    def scrape_interval(self) -> float | None:
        """The longest scrape interval of any active target, in seconds, for the worst case; None when not known.

        Falls back on the global interval of the configuration where the targets are not to be had.
        """
        found = _from_targets(self._get("/api/v1/targets?state=active"))
        return found if found is not None else _from_config(self._get("/api/v1/status/config"))

    def version(self) -> str | None:
        """The version, for example ``2.42.0``; None when it is not told."""
        told = self._get("/api/v1/status/buildinfo")
        version = told.get("version") if isinstance(told, dict) else None
        return version if isinstance(version, str) else None

    def _api(self) -> Api:
        return Api(self._prometheus, Deadline(self._prometheus.timeout))

    def _get(self, path: str) -> Any:
        try:
            with self._api() as api:
                return api.get(path)
        except _TROUBLE:
            return None


def _from_targets(told: Any) -> float | None:
    active = told.get("activeTargets") if isinstance(told, dict) else None
    if not isinstance(active, list):
        return None
    intervals = [_seconds(target.get("scrapeInterval")) for target in active if isinstance(target, dict)]
    return max((interval for interval in intervals if interval is not None), default=None)


def _from_config(told: Any) -> float | None:
    text = told.get("yaml") if isinstance(told, dict) else None
    if not isinstance(text, str):
        return None
    import yaml

    try:
        config = yaml.safe_load(text)
        return _seconds(config["global"]["scrape_interval"])
    except (yaml.YAMLError, KeyError, TypeError):
        return None


def _seconds(text: Any) -> float | None:
    try:
        return parse_duration(text) or None
    except ValueError:
        return None
