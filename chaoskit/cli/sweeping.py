"""``chaoskit sweep``: find and remove what carries chaoskit's tag, where no journal tells of it."""

import argparse

from chaoskit.cli.common import opened_store, print_json, settings_of
from chaoskit.domain.errors import Exit
from chaoskit.sweep import Swept
from chaoskit.sweep import sweep as search


def sweep(args: argparse.Namespace) -> int:
    """Sweep; exit 6 when something could not be removed, or a place could not be searched."""
    settings = settings_of(args)
    with opened_store(settings) as store:
        found = search(store, settings, args.engine, dry_run=args.dry_run)
    if args.json:
        print_json({"found": [_document(one) for one in found.swept], "unsearched": list(found.unsearched)})
    else:
        for one in found.swept:
            print(_line(one))
        for line in found.unsearched:
            print(f"NOT searched: {line}")
        if not (found.swept or found.unsearched):
            print("nothing carries chaoskit's tag")
    return Exit.PASSED if found.clean else Exit.DIRTY


def _line(one: Swept) -> str:
    word = {None: "left    ", True: "removed ", False: "NOT removed"}[one.removed]
    return f"{word} {one.trace.tag}  {one.trace.what} on {one.trace.where}: {one.told}"


def _document(one: Swept) -> dict[str, object]:
    trace = one.trace
    return {
        "where": trace.where,
        "tag": trace.tag,
        "run": trace.run,
        "what": trace.what,
        "at_work": trace.at_work,
        "removed": one.removed,
        "told": one.told,
    }
