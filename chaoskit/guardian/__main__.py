"""``python -m chaoskit.guardian RUN``: started by the runner, never by a person."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaoskit.engine.clock import RealClock
from chaoskit.guardian import places, serve
from chaoskit.guardian.wire import Closed, Wire

ORDERED_WITHIN = 60.0


def main() -> int:
    """Guard the run that the other end of our standard input tells of."""
    serve.go_apart()
    wire = Wire(0, 1)
    try:
        orders = wire.receive(ORDERED_WITHIN)
        return 1 if orders is None else _guard(wire, orders)
    except Closed:
        return 0
    except Exception as error:
        serve.log(f"cannot guard: {type(error).__name__}: {error}")
        raise


class Notice:
    """What others may know of this guardian and of those beside it, always up to date on the disk."""

    def __init__(self, place: places.Place | None, run: str) -> None:
        self._place = place
        self._run = run
        self._beside = ""
        self.injections = 0
        self.state: places.State = "standing by"

    def serving(self, state: places.State, injections: int) -> None:
        """It has come to ``state``."""
        self.state, self.injections = state, injections
        self._write()

    def beside(self, told: str) -> None:
        """The ones beside engines are doing what is ``told``."""
        if told != self._beside:
            self._beside = told
            self._write()

    def _write(self) -> None:
        if self._place is not None:
            places.note(self._place, self._run, self.state, self.injections, self._beside)


def _guard(wire: Wire, orders: Mapping[str, Any]) -> int:
    run = str(orders["run"])
    place = places.place_of(Path(orders["store"]), run) if orders["store"] else None
    if place is not None and not places.hold(sys.stderr.fileno()):
        serve.log(f"run {run} has a guardian already")
        return 1

    def load() -> serve.Duty:
        from chaoskit.guardian.undoing import Undoing

        return Undoing.ordered(orders)

    notice = Notice(place, run)
    relay = None
    if orders.get("beside"):
        from chaoskit.guardian.relay import appointed

        relay = appointed(wire, orders, notice.beside)
    busy = serve.Serving(relay or wire, float(orders["lease"]), load, RealClock().now, notice.serving).serve()
    if relay is not None and notice.state != "gave up":
        if not relay.dismiss():
            serve.log(f"one beside an engine is left, which may be removed: {relay.told()}")
            busy = True
        notice.beside(relay.told())
    if place is not None and not busy:
        places.clear(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
