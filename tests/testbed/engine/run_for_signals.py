"""A program for the tests: runs the engine in real time over two machines that take a second each to be undone.

Says on standard output what happens, one word a line, as long as somebody reads it; at the end it writes what came of
it to the file that is its argument.
"""

import contextlib
import json
import os
import sys
import time
from pathlib import Path

from chaoskit.domain.journal import outstanding
from chaoskit.domain.verdict import judge
from chaoskit.engine.clock import RealClock
from chaoskit.engine.halt import stopped_by_signals
from chaoskit.engine.runner import execute
from tests.unit.engine.kit import World, experiment, lost, step

UNDO_SECONDS = 0.6


def say(line: str) -> None:
    """One write, so that lines of different threads never mix. Raises BrokenPipeError when nobody reads."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def say_if_heard(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        say(line)


def main(result: Path) -> None:
    plan = experiment(faults=[step(pick="all", duration="60s")], sampling={"tick": "100ms", "baseline": "0s"})
    world = World(plan, machines=2)

    def slowly() -> None:
        say_if_heard("reverting")
        time.sleep(UNDO_SECONDS)

    for machine in world.all:
        machine.before["drift"] = lambda: say_if_heard("observing")
        machine.before["revert"] = slowly
        machine.after["revert"] = lost(times=1)  # so that there is a second turn to be interrupted
    again: list[str] = []

    def tell(name: str) -> None:
        again.append(name)
        say(f"again {name}")  # raises when nobody reads, as a real display may

    with stopped_by_signals(world.halt, tell):
        record = execute(world.job(), world.desk(RealClock()))
    came_of_it = {
        "verdict": judge(record).verdict,
        "reason": world.halt.reason,
        "again": again,
        "faulty": world.faulty,
        "outstanding": len(outstanding(world.book.journal)),
        "ended": record.ended_at,
    }
    result.write_text(json.dumps(came_of_it))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
