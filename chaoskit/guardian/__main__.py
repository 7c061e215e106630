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


def _guard(wire: Wire, orders: Mapping[str, Any]) -> int:
    run = str(orders["run"])
    place = places.place_of(Path(orders["store"]), run) if orders["store"] else None
    if place is not None and not places.hold(sys.stderr.fileno()):
        serve.log(f"run {run} has a guardian already")
        return 1

    def load() -> serve.Duty:
        from chaoskit.guardian.undoing import Undoing

        return Undoing.ordered(orders)

    def note(state: places.State, injections: int) -> None:
        if place is not None:
            places.note(place, run, state, injections)

    busy = serve.Serving(wire, float(orders["lease"]), load, RealClock().now, note).serve()
    if place is not None and not busy:
        places.clear(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
