"""The whole matrix, as a command: ``python -m tests.testbed.crash.soak [--workers N] [--case NAME ...] [--every N]``.

Prints what is wrong as it is found, and a table at the end; ends with 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from tests.testbed.crash.cases import MAKERS, kind_of, missing_kinds
from tests.testbed.crash.dying import Came
from tests.testbed.crash.matrix import WORKERS, engine_trouble, hall, possible_cases

HEAD = (
    "kind",
    "cases",
    "cells",
    "not reached",
    "residue",
    "wrong",
    "late",
    "(a) guardian: median / max",
    "(b) rollback: median / max",
    "command: median / max",
)
UNREACHED_SHARE = 0.1
"""How many of the cells may miss: a run that ends before the n-th time of an effect comes."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--case", action="append", choices=sorted(MAKERS))
    parser.add_argument("--every", type=int, default=1, help="try every N-th cell only")
    args = parser.parse_args()
    if missing := missing_kinds():
        say(f"no case for {', '.join(missing)}: add one to tests/testbed/crash/cases.py")
        return 1
    if trouble := engine_trouble():
        say(f"without containers: {trouble}")
    came = soak(args.case or possible_cases(), args.workers, args.every)
    late = [f"LATE   {one.cell}: {what}" for one in came for what in one.late]
    say(*late, "", *table(came))
    unreached = sum(not one.burnt for one in came)
    return 1 if late or any(one.wrong for one in came) or unreached > UNREACHED_SHARE * len(came) else 0


def soak(cases: Sequence[str], workers: int, every: int) -> list[Came]:
    """What came of all cells of ``cases``, or of every ``every``-th."""
    with hall(workers) as it:
        cells = [cell for found in it.traces(cases).values() for cell in found][::every]
        say(f"{len(cells)} cells of {len(cases)} cases, {workers} at once")
        begin, count, at_first = time.monotonic(), 0, engine_trouble()

        def tell(came: Came) -> None:
            nonlocal count
            count += 1
            for what in came.wrong:
                say(f"WRONG  {came.cell}: {what}")
            if came.wrong and at_first != (trouble := engine_trouble()):
                raise SystemExit(f"the engine went away: {trouble}")
            if count % 100 == 0:
                say(f"{count} of {len(cells)} after {(time.monotonic() - begin) / 60:.0f} min")

        return it.tries(cells, tell)


def table(came: Sequence[Came]) -> list[str]:
    """One line of Markdown for each kind, and one for all."""
    kinds = sorted({kind_of(one.cell.case) for one in came})
    by_kind = {kind: [one for one in came if kind_of(one.cell.case) == kind] for kind in kinds}
    rows = [HEAD, ("---",) * len(HEAD), *(row(kind, found) for kind, found in by_kind.items()), row("all", came)]
    return [f"| {' | '.join(cells)} |" for cells in rows]


def row(name: str, came: Sequence[Came]) -> tuple[str, ...]:
    burnt = [one for one in came if one.burnt]
    alone, both = ([one for one in burnt if one.cell.both is both] for both in (False, True))
    return (
        name,
        str(len({one.cell.case for one in came})),
        str(len(came)),
        str(len(came) - len(burnt)),
        str(sum(one.residue for one in came)),
        str(sum(bool(one.wrong) for one in came)),
        str(sum(bool(one.late) for one in came)),
        figures(alone, lambda one: one.clean),
        figures(both, lambda one: one.clean),
        figures(both, lambda one: one.took),
    )


def figures(came: Sequence[Came], what: Callable[[Came], float]) -> str:
    """Median and maximum in seconds; times that are zero, for there was nothing to undo, are left out."""
    times = [what(one) for one in came if what(one) > 0]
    return f"{statistics.median(times):.2f} / {max(times):.2f} s" if times else "none"


def say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
