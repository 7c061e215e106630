"""``chaoskit run`` with a fuse in it: ``python -m tests.testbed.crash.fused ORDERS run FILE ...``.

ORDERS is JSON: ``point`` (or null: the run is left alone, and what it did is written to ``trace``), ``both``,
``note``. The guardian is started as ever, and has no fuse.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaoskit.cli import main as chaoskit
from chaoskit.drivers import DriverSources
from chaoskit.engine.recorder import Recorder
from chaoskit.guardian import link
from chaoskit.reports import write
from chaoskit.store.store import Store
from tests.testbed.crash.fuse import Fuse, Point, fused_source, wrap

STORE = ("claim", "append", "begin", "save", "extend", "heartbeat", "finish")
GUARDIAN = ("guard", "arm", "renew", "release", "disarm", "close")


def main(text: str, *argv: str) -> int:
    orders = json.loads(text)
    point = Point(*orders["point"]) if orders["point"] else None
    fuse = Fuse(point, both=orders["both"], note=Path(orders["note"]))
    lay(fuse)
    code = chaoskit(argv)
    if orders["trace"]:
        Path(orders["trace"]).write_text(json.dumps(fuse.seen))
    return code


def lay(fuse: Fuse) -> None:
    """Put the fuse into every effect of this process."""
    for name in STORE:
        wrap(fuse, Store, name, f"store.{name}")
    for name in GUARDIAN:
        wrap(fuse, link.Link, name, f"guardian.{name}")
    wrap(fuse, write, "write", "report.write")
    _lay_into_start(fuse, link._start)
    _lay_into_phases(fuse, Recorder.phase)
    _lay_into_end(fuse, Recorder.finish)
    _lay_into_sources(fuse, DriverSources._make)


def _lay_into_start(fuse: Fuse, plain: Callable[..., int]) -> None:
    def start(run: str, connection: int, log: int) -> int:
        def spawn() -> int:
            fuse.guardian = plain(run, connection, log)
            return fuse.guardian

        return fuse.around("guardian.start", spawn)

    link._start = start


def _lay_into_phases(fuse: Fuse, plain: Callable[..., None]) -> None:
    def phase(self: Recorder, name: str, lasting: float | None = None) -> None:
        def begin() -> None:
            plain(self, name, lasting)
            fuse.phase = name

        fuse.around(f"phase.{name}", begin)

    Recorder.phase = phase  # type: ignore[method-assign]  # put into the runner of this test alone


def _lay_into_end(fuse: Fuse, plain: Callable[..., Any]) -> None:
    def finish(self: Recorder) -> Any:
        fuse.phase = "end"
        return fuse.around("phase.end", lambda: plain(self))

    Recorder.finish = finish  # type: ignore[method-assign]  # put into the runner of this test alone


def _lay_into_sources(fuse: Fuse, plain: Callable[..., Any]) -> None:
    def make(self: DriverSources, spec: Any) -> Any:
        return fused_source(fuse, plain(self, spec))

    DriverSources._make = make  # type: ignore[method-assign]  # put into the runner of this test alone


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
