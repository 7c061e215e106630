"""The demo's users: steady open-loop load on one or more services, and what they feel as metrics.

On the standard library alone, beside ``service.py``. Open loop: a request is due every 1/rate seconds
whether or not earlier ones were answered, as real users behave; its duration counts from when it was due, so
that waiting for a free worker is felt too. A request without any answer has code ``000``; one that could not
even be sent because every worker was stuck counts the same, for its user got nothing.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if __package__:
    from chaoskit.demo import service as bed
else:
    import service as bed  # type: ignore[import-not-found, no-redef] # run as a script, beside service.py

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaoskit.demo.service import Counter, Histogram

NO_ANSWER = "000"
REQUEST_TIMEOUT = 2.0  # seconds
WORKERS = 64


class Load(NamedTuple):
    """The load on one service: ``rate`` requests per second from at most ``workers`` at a time."""

    service: str
    url: str
    rate: float
    workers: int


class Felt(NamedTuple):
    """What the users felt, by service."""

    requests: Counter
    durations: Histogram

    def record(self, service: str, code: str, seconds: float) -> None:
        """Count one finished request."""
        self.durations.observe(seconds, service)
        self.requests.add(service, code)


def new_felt(services: Sequence[str]) -> Felt:
    """Make the metrics, with series at zero for every service so that rates and ratios are never empty."""
    requests = bed.Counter(
        "client_requests_total", "Requests by service and code; 000 is no answer.", ("service", "code")
    )
    durations = bed.Histogram(
        "client_request_duration_seconds", "Time until answered or given up, in seconds.", ("service",)
    )
    for service in services:
        for code in ("200", "503", NO_ANSWER):
            requests.add(service, code, by=0)
        durations.preset(service)
    return Felt(requests, durations)


def ask(url: str, timeout: float = REQUEST_TIMEOUT) -> str:
    """Send one GET on a connection of its own; returns the status code, ``000`` for no complete answer."""
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        link.request("GET", parts.path or "/")
        response = link.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return NO_ANSWER
    finally:
        link.close()
    return str(response.status)


def drive(load: Load, felt: Felt, stop: threading.Event, max_seconds: float) -> None:
    """Send requests at their due times until ``stop`` or ``max_seconds``."""
    slots = threading.BoundedSemaphore(load.workers)
    began = time.monotonic()

    def one(due: float) -> None:
        try:
            code = ask(load.url)
        finally:
            slots.release()
        felt.record(load.service, code, time.monotonic() - due)

    for number in range(int(max_seconds * load.rate)):
        due = began + number / load.rate
        if stop.wait(max(0.0, due - time.monotonic())):
            break
        if not (slots.acquire(blocking=False) and _started(one, due, slots)):
            felt.record(load.service, NO_ANSWER, REQUEST_TIMEOUT)


def _started(work: Callable[[float], None], due: float, slots: threading.BoundedSemaphore) -> bool:
    """Run ``work`` in a thread of its own, a daemon so that SIGTERM need not wait for it; False without a thread."""
    try:
        threading.Thread(target=work, args=(due,), daemon=True).start()
    except RuntimeError:  # the limit on processes is reached: the users go on, unanswered
        slots.release()
        return False
    return True


def make_handler(felt: Felt) -> type[bed.Handler]:
    """Build the handler of ``/metrics`` and ``/healthz``."""

    class Users(bed.Handler):
        def do_GET(self) -> None:  # noqa: N802 - http.server looks the method up by this name
            if self.path == "/metrics":
                self.answer(200, bed.exposition(felt.requests, felt.durations), bed.METRICS_TYPE)
            elif self.path == "/healthz":
                self.answer(200, b"{}")
            else:
                self.answer(404, b'{"error": "here are only /healthz and /metrics"}')

    return Users


def main(argv: Sequence[str] | None = None) -> None:
    """Drive every ``--target name=url`` until told to stop, with own metrics on ``--port``."""
    parser = bed.server_arguments("The demo's users.", max_seconds=1800.0)
    parser.add_argument("--target", action="append", required=True, metavar="NAME=URL", help="repeatable")
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second for each target")
    parser.add_argument("--workers", type=int, default=WORKERS, help="requests in flight for each target")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pairs = [target.partition("=") for target in args.target]
    loads = [Load(name, url, args.rate, args.workers) for name, _, url in pairs]
    felt, stop = new_felt([load.service for load in loads]), threading.Event()
    server = bed.BoundedServer((args.host, args.port), make_handler(felt))
    for load in loads:
        threading.Thread(target=drive, args=(load, felt, stop, args.max_seconds), daemon=True).start()
    try:
        bed.serve(server, args.max_seconds)
    finally:
        stop.set()


if __name__ == "__main__":
    main()
