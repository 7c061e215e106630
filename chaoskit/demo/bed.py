"""What both beds share: what a bed tells about itself, and when it is ready."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import requests

Progress = Callable[[str], None]

SERVICES = ("web", "solo")
SUCCESS_RATIO = (
    'sum by (service) (rate(client_requests_total{code="200"}[5s]))'
    " / sum by (service) (rate(client_requests_total[5s]))"
)
READY_RATIO = 0.99
HTTP_TIMEOUT = 2.0  # seconds
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_REQUESTS_LINE = re.compile(r'^client_requests_total\{service="([^"]+)",code="([^"]+)"\} (\d+)$', re.MULTILINE)


class BedUnavailable(Exception):
    """The bed cannot be had or kept; the message says why, and what to do."""


@dataclass(frozen=True)
class BedInfo:
    """Where a running bed is.

    ``containers`` maps a part's name to its container id (Docker bed). ``processes`` maps a part's name to
    the argv that starts it again, ``pids`` to the process that ran when asked (local bed). ``users_url`` is
    the users' own metrics page. ``started_at`` is Unix time in seconds. ``prometheus_url`` is None where no
    Prometheus is installed.
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
    pids: Mapping[str, int] = field(default_factory=dict)


def checked_id(bed_id: str) -> str:
    """Return ``bed_id`` if it can name containers, a network and a folder; else raise BedUnavailable."""
    if not _ID.fullmatch(bed_id):
        raise BedUnavailable(
            f"{bed_id!r} cannot name a bed; write lower-case letters, digits, - and _, for example chaoskit-demo"
        )
    return bed_id


def silent(line: str) -> None:
    """Report progress to nobody."""


def with_elapsed(tell: Progress, now: Callable[[], float] = time.monotonic) -> Progress:
    """Wrap ``tell`` so that every line starts with the seconds since this call."""
    began = now()
    return lambda line: tell(f"[{now() - began:5.1f}s] {line}")


def _get(url: str, timeout: float, params: Mapping[str, str] | None = None) -> requests.Response:
    """Send a GET to the bed, never through a proxy of the environment: the bed is on loopback."""
    import requests

    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, params=params, timeout=timeout)


def status_of(url: str, timeout: float = HTTP_TIMEOUT) -> int:
    """Return the status of a GET, 0 when nobody answers in ``timeout`` seconds."""
    import requests

    try:
        return _get(url, timeout).status_code
    except requests.RequestException:
        return 0


def identity_of(url: str, timeout: float = HTTP_TIMEOUT) -> tuple[str, str] | None:
    """Return (name, bed) that a replica's /healthz tells, None when nobody or a stranger answers."""
    import requests

    try:
        page = _get(url, timeout).json()
        return page["name"], page["bed"]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return None


def vector(prometheus_url: str, query: str, timeout: float = HTTP_TIMEOUT) -> dict[str, float] | None:
    """Ask Prometheus an instant query; returns values by the ``service`` label, None without an answer.

    NaN and infinite values are left out: they are no data.
    """
    import requests

    try:
        answer = _get(f"{prometheus_url}/api/v1/query", timeout, {"query": query})
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


def users_requests(users_url: str, timeout: float = HTTP_TIMEOUT) -> dict[tuple[str, str], int]:
    """Read the users' request counts by (service, code) from their own metrics page; empty without an answer."""
    import requests

    try:
        page = _get(users_url, timeout).text
    except requests.RequestException:
        return {}
    return {(service, code): int(count) for service, code, count in _REQUESTS_LINE.findall(page)}


def users_not_ready(users_url: str, window: float = 0.5) -> str | None:
    """Say what users lack, over ``window`` seconds, None when all their requests succeed: without Prometheus."""
    before = users_requests(users_url)
    time.sleep(window)
    after = users_requests(users_url)
    more = {key: count - before.get(key, count) for key, count in after.items()}
    for service in SERVICES:
        if more.get((service, "200"), 0) <= 0:
            return f"no request to {service} succeeds"
        if any(count for (name, code), count in more.items() if name == service and code != "200"):
            return f"some requests to {service} fail"
    return None


def wait_until(missing: Callable[[], str | None], timeout: float, what: str, poll: float = 0.2) -> None:
    """Wait until ``missing()`` returns None.

    Raises BedUnavailable, with the last thing that was missing, after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while (lack := missing()) is not None:
        if time.monotonic() >= deadline:
            raise BedUnavailable(f"{what} is not ready after {timeout:.0f} s: {lack}")
        time.sleep(poll)
