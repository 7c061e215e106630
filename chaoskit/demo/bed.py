"""What both beds share: what a bed tells about itself, and when it is ready."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Progress = Callable[[str], None]

SERVICES = ("web", "solo")
SUCCESS_RATIO = (
    'sum by (service) (rate(client_requests_total{code="200"}[5s]))'
    " / sum by (service) (rate(client_requests_total[5s]))"
)
READY_RATIO = 0.99
HTTP_TIMEOUT = 2.0  # seconds


class BedUnavailable(Exception):
    """The bed cannot be had or kept; the message says why, and what to do."""


@dataclass(frozen=True)
class BedInfo:
    """Where a running bed is.

    ``containers`` maps a part's name to its container id (Docker bed); ``processes`` maps a part's name to
    the argv that starts it again (local bed). ``users_url`` is the users' own metrics page. ``started_at`` is
    Unix time in seconds. ``prometheus_url`` is None where no Prometheus is installed.
    """

    kind: Literal["docker", "local"]
    bed_id: str
    prometheus_url: str | None
    front_url: str
    solo_url: str
    users_url: str
    started_at: float
    containers: Mapping[str, str] = field(default_factory=dict)
    processes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def silent(line: str) -> None:
    """Report progress to nobody."""


def with_elapsed(tell: Progress, now: Callable[[], float] = time.monotonic) -> Progress:
    """Wrap ``tell`` so that every line starts with the seconds since this call."""
    began = now()
    return lambda line: tell(f"[{now() - began:5.1f}s] {line}")


def status_of(url: str, timeout: float = HTTP_TIMEOUT) -> int:
    """Return the status of a GET, 0 when nobody answers in ``timeout`` seconds."""
    import requests

    try:
        return requests.get(url, timeout=timeout).status_code
    except requests.RequestException:
        return 0


def vector(prometheus_url: str, query: str, timeout: float = HTTP_TIMEOUT) -> dict[str, float] | None:
    """Ask Prometheus an instant query; returns values by the ``service`` label, None without an answer.

    NaN and infinite values are left out: they are no data.
    """
    import requests

    try:
        answer = requests.get(f"{prometheus_url}/api/v1/query", params={"query": query}, timeout=timeout)
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        values = {row["metric"].get("service", ""): float(row["value"][1]) for row in result}
    except (requests.RequestException, ValueError, KeyError, TypeError, IndexError):
        return None
    return {service: value for service, value in values.items() if math.isfinite(value)}


def not_ready(prometheus_url: str, replicas_up: int) -> str | None:
    """Say what is still missing until experiments can start, None when nothing is.

    Ready means that load flows to both services, (almost) every request succeeds over the last five
    seconds, and Prometheus sees all ``replicas_up`` scrape targets.
    """
    ratios = vector(prometheus_url, SUCCESS_RATIO)
    if ratios is None:
        return "Prometheus does not answer"
    for service in SERVICES:
        if service not in ratios:
            return f"no load on {service} is seen yet"
        if ratios[service] < READY_RATIO:
            return f"only {ratios[service]:.1%} of the requests to {service} succeed"
    seen = (vector(prometheus_url, "sum(up)") or {}).get("", 0)
    return None if seen >= replicas_up else f"Prometheus reaches {seen:.0f} of {replicas_up} targets"


def wait_until(missing: Callable[[], str | None], timeout: float, what: str, poll: float = 0.2) -> None:
    """Wait until ``missing()`` returns None.

    Raises BedUnavailable, with the last thing that was missing, after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while (lack := missing()) is not None:
        if time.monotonic() >= deadline:
            raise BedUnavailable(f"{what} is not ready after {timeout:.0f} s: {lack}")
        time.sleep(poll)
