"""The demo's web service: HTTP in front of redis, with Prometheus metrics.

One file on the standard library alone, so that it runs as ``python3 service.py`` where chaoskit is not
installed: in a container, on an SSH host, in a virtual machine.

    GET /          a little work, one INCR and GET on redis when ``--redis`` is given; 503 when redis fails
    GET /healthz   200 while the process serves; deliberately blind to redis, or one lost redis would make
                   the balancer take every replica out
    GET /metrics   Prometheus text format 0.0.4
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 0.8, 1.0, 2.5)
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REDIS_TIMEOUT = 0.25  # seconds for each of connect, send and receive
LOG = logging.getLogger("bed")


class Counter:
    """A Prometheus counter, one series for each combination of label values; safe to use from threads."""

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.help_text, self.labels = name, help_text, tuple(labels)
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], int] = {}

    def add(self, *values: str, by: int = 1) -> None:
        """Count ``by`` more on the series with these label values; ``by=0`` only makes the series exist."""
        with self._lock:
            self._values[values] = self._values.get(values, 0) + by

    def lines(self) -> Iterator[str]:
        """Yield the counter in Prometheus' text format."""
        yield from (f"# HELP {self.name} {self.help_text}", f"# TYPE {self.name} counter")
        with self._lock:
            series = sorted(self._values.items())
        for values, count in series:
            yield f"{self.name}{labelled(self.labels, values)} {count}"


class Histogram:
    """A Prometheus histogram of seconds over ``BUCKETS``; safe to use from threads."""

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.help_text, self.labels = name, help_text, tuple(labels)
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], tuple[list[int], float]] = {}

    def preset(self, *values: str) -> None:
        """Make the series exist at zero, so that rate() over it is 0 and not empty."""
        with self._lock:
            self._series.setdefault(values, ([0] * (len(BUCKETS) + 1), 0.0))

    def observe(self, seconds: float, *values: str) -> None:
        """Record one duration, in seconds."""
        slot = next((at for at, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        with self._lock:
            counts, total = self._series.get(values, ([0] * (len(BUCKETS) + 1), 0.0))
            counts[slot] += 1
            self._series[values] = (counts, total + seconds)

    def lines(self) -> Iterator[str]:
        """Yield the histogram in Prometheus' text format: cumulative buckets, sum and count."""
        yield from (f"# HELP {self.name} {self.help_text}", f"# TYPE {self.name} histogram")
        with self._lock:
            series = sorted((values, list(counts), total) for values, (counts, total) in self._series.items())
        bounds = [*(f"{bound:g}" for bound in BUCKETS), "+Inf"]
        for values, counts, total in series:
            running = 0
            for bound, count in zip(bounds, counts, strict=True):
                running += count
                yield f"{self.name}_bucket{labelled((*self.labels, 'le'), (*values, bound))} {running}"
            yield f"{self.name}_sum{labelled(self.labels, values)} {total:.6f}"
            yield f"{self.name}_count{labelled(self.labels, values)} {running}"


def labelled(names: Sequence[str], values: Sequence[str]) -> str:
    """Render ``{name="value",...}`` with the escapes of the text format; nothing when there are no labels."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values)
    pairs = ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def exposition(*metrics: Counter | Histogram) -> bytes:
    """Render a whole ``/metrics`` page, with the start time of this process."""
    lines = [line for metric in metrics for line in metric.lines()]
    lines += ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {STARTED:.3f}"]
    return ("\n".join(lines) + "\n").encode()


STARTED = time.time()


class BoundedServer(ThreadingHTTPServer):
    """A threaded HTTP server that never runs more than ``limit`` handlers; beyond it, it hangs up at once."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], limit: int = 64) -> None:
        self._slots = threading.BoundedSemaphore(limit)
        super().__init__(address, handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Start a thread for the request if a slot is free."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had: this one caller is refused, the server goes on
            self._slots.release()
            raise

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serve the request, then give its slot back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - socketserver's signature
        """Log one line: callers that hang up are everyday life under chaos."""
        LOG.info("request from %s failed", client_address, exc_info=LOG.isEnabledFor(logging.DEBUG))


class Handler(BaseHTTPRequestHandler):
    """What the demo's servers share: bounded waits, one write per answer, no access log."""

    timeout = 5  # seconds a silent client may hold a slot
    wbufsize = -1  # headers and body leave in one segment

    def answer(self, code: int, body: bytes, content_type: str = "application/json") -> None:
        """Send a complete answer."""
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        """Keep quiet; the metrics tell it all."""


def serve(server: BoundedServer, max_seconds: float) -> None:
    """Serve until SIGTERM, SIGINT or ``max_seconds``; leaves within a tenth of a second.

    PID 1 of a container ignores every signal without a handler, hence the explicit ones. SIGCHLD is ignored
    so that the kernel reaps what was exec'd into the container and orphaned onto us.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    stop.wait(max_seconds)
    server.shutdown()
    server.server_close()


def redis_visits(host: str, port: int) -> int:
    """Count one visit on redis and read the total back, over a connection of its own.

    Raises OSError when redis does not answer in time, ValueError when the answer is not redis'.
    """
    with socket.create_connection((host, port), timeout=REDIS_TIMEOUT) as link:
        link.sendall(b"INCR visits\r\nGET visits\r\n")  # redis' inline protocol
        answer = b""
        while answer.count(b"\r\n") < 3:  # noqa: PLR2004 - ":7", "$1" and "7", a line each
            chunk = link.recv(256)
            if not chunk or len(answer) > 1024:  # noqa: PLR2004 - bounds a peer that is not redis
                raise ValueError(f"redis sent {answer[:64]!r}")
            answer += chunk
    return int(answer.split(b"\r\n")[2])


def little_work() -> str:
    """Burn a fraction of a millisecond, so that a starved CPU shows in the latency."""
    return hashlib.pbkdf2_hmac("sha256", b"chaoskit", b"demo", 500).hex()


def make_handler(name: str, bed: str, visits: Callable[[], int] | None) -> type[Handler]:
    """Build the request handler of one replica; ``visits`` asks redis, None means there is none."""
    requests = Counter("http_requests_total", "Requests answered on /, by status code.", ("code",))
    durations = Histogram("http_request_duration_seconds", "Time to answer /, in seconds.")
    for code in ("200", "503"):
        requests.add(code, by=0)
    durations.preset()

    def front_page() -> tuple[int, dict[str, object]]:
        page: dict[str, object] = {"name": name, "bed": bed, "proof": little_work()[:8]}
        try:
            return 200, page if visits is None else {**page, "visits": visits()}
        except (OSError, ValueError) as trouble:
            return 503, {**page, "error": f"redis: {trouble}"}

    class Replica(Handler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self.answer(200, exposition(requests, durations), METRICS_TYPE)
            elif self.path == "/healthz":
                self.answer(200, json.dumps({"name": name, "bed": bed}).encode())
            elif self.path == "/":
                self.front()
            else:
                self.answer(404, b'{"error": "here are only /, /healthz and /metrics"}')

        def front(self) -> None:
            began = time.monotonic()
            code, page = front_page()
            durations.observe(time.monotonic() - began)
            requests.add(str(code))
            self.answer(code, json.dumps(page).encode())

    return Replica


def host_and_port(text: str) -> tuple[str, int]:
    """Parse ``host:port``; raises ValueError, which argparse turns into a usage message."""
    host, _, port = text.rpartition(":")
    if not host:
        raise ValueError(text)
    return host, int(port)


def server_arguments(description: str, max_seconds: float) -> argparse.ArgumentParser:
    """Build the parser of what every script of the bed takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--name", default="web-1", help="who answers")
    parser.add_argument("--bed", default="", help="the bed this process belongs to")
    parser.add_argument("--max-seconds", type=float, default=max_seconds, help="ends by itself after so many seconds")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run one replica."""
    parser = server_arguments("The demo's web service.", max_seconds=24 * 3600.0)
    parser.add_argument("--redis", type=host_and_port, metavar="HOST:PORT", help="count visits there")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    visits = (lambda: redis_visits(*args.redis)) if args.redis else None
    server = BoundedServer((args.host, args.port), make_handler(args.name, args.bed, visits))
    LOG.info("%s listens on %s:%d", args.name, args.host, args.port)
    serve(server, args.max_seconds)


if __name__ == "__main__":
    main()
