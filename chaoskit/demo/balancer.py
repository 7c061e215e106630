"""A small HTTP balancer for the bed of local processes, where no haproxy is needed.

On the standard library alone, beside ``service.py``. Round robin; a replica that refuses, stays silent or
answers 5xx is passed over for the next one and left out for a second. GET only: a request that may be sent
twice.
"""

from __future__ import annotations

import http.client
import itertools
import json
import logging
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if __package__:
    from chaoskit.demo import service as bed
else:
    import service as bed  # type: ignore[import-not-found, no-redef] # run as a script, beside service.py

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EJECT_SECONDS = 1.0
NEXT_AFTER = 0.3  # seconds a replica may stay silent while there is another one to ask
GIVE_UP_AFTER = 1.8  # seconds for the last one to ask; under the users' own patience
SERVER_ERROR = 500


class Answer(NamedTuple):
    """What a replica said."""

    status: int
    body: bytes


class Pool:
    """The replicas behind one front, and which of them are left out for now; safe to use from threads."""

    def __init__(self, upstreams: Sequence[str], eject_seconds: float = EJECT_SECONDS) -> None:
        self._upstreams = tuple(upstreams)
        self._eject_seconds = eject_seconds
        self._turn = itertools.count()
        self._out_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def order(self, now: float) -> list[str]:
        """Say whom to ask, in order, at ``now`` (monotonic seconds): the ejected ones as a last resort."""
        with self._lock:
            first = next(self._turn) % len(self._upstreams)
            turn = self._upstreams[first:] + self._upstreams[:first]
            return sorted(turn, key=lambda upstream: self._out_until.get(upstream, now) > now)

    def eject(self, upstream: str, now: float) -> None:
        """Leave ``upstream`` out for a while."""
        with self._lock:
            self._out_until[upstream] = now + self._eject_seconds

    def ask(self, path: str, ask: Callable[[str, str, float], Answer | None]) -> Answer:
        """Ask replica after replica until one answers below 500; else hand on the last answer, or a 503."""
        order = self.order(time.monotonic())
        answer = None
        for position, upstream in enumerate(order, start=1):
            answer = ask(upstream, path, GIVE_UP_AFTER if position == len(order) else NEXT_AFTER)
            if answer is not None and answer.status < SERVER_ERROR:
                return answer
            self.eject(upstream, time.monotonic())
        return answer or Answer(503, b'{"error": "no replica answers"}')


def ask_upstream(upstream: str, path: str, timeout: float) -> Answer | None:
    """Send one GET to ``host:port``; None when no complete answer comes in ``timeout`` seconds."""
    link = http.client.HTTPConnection(upstream, timeout=timeout)
    try:
        link.request("GET", path)
        response = link.getresponse()
        return Answer(response.status, response.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        link.close()


def make_handler(pool: Pool) -> type[bed.Handler]:
    """Build the handler of one front."""

    class Front(bed.Handler):
        def do_GET(self) -> None:  # noqa: N802 - http.server looks the method up by this name
            self.answer(*pool.ask(self.path, ask_upstream))

    return Front


def parse_front(text: str) -> tuple[int, Pool]:
    """Parse ``PORT=host:port,host:port``; raises ValueError, which argparse turns into a usage message."""
    port, _, upstreams = text.partition("=")
    names = [upstream for upstream in upstreams.split(",") if upstream]
    if not names:
        raise ValueError(text)
    return int(port), Pool(names)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve every ``--front`` until told to stop; ``--port`` answers /healthz."""
    parser = bed.server_arguments("The demo's balancer.", max_seconds=24 * 3600.0)
    parser.add_argument(
        "--front", type=parse_front, action="append", required=True, metavar="PORT=HOST:PORT,...", help="repeatable"
    )
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    fronts = [bed.BoundedServer((args.host, port), make_handler(pool)) for port, pool in args.front]
    for front in fronts:
        threading.Thread(target=front.serve_forever, daemon=True).start()
    bed.serve(bed.BoundedServer((args.host, args.port), _own_handler(args.name, args.bed)), args.max_seconds)


def _own_handler(name: str, bed_id: str) -> type[bed.Handler]:
    class Own(bed.Handler):
        def do_GET(self) -> None:  # noqa: N802 - http.server looks the method up by this name
            self.answer(200, json.dumps({"name": name, "bed": bed_id}).encode())

    return Own


if __name__ == "__main__":
    main()
