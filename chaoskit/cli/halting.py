"""``chaoskit halt``: a person's stop, engaged, released and looked back on."""

import argparse
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from chaoskit.cli.common import opened_store, print_json, settings_of
from chaoskit.domain.errors import Exit, InvalidInput, StoreFailed
from chaoskit.engine.clock import RealClock
from chaoskit.files.places import printable
from chaoskit.store.halt_file import HaltFile, how_to_make, how_to_remove, look
from chaoskit.store.liveness import alive, me
from chaoskit.store.rows import ALL_RUNS

if TYPE_CHECKING:
    from pathlib import Path

    from chaoskit.store.rows import Halt
    from chaoskit.store.store import Store


def halt(args: argparse.Namespace) -> int:
    """Engage or release a halt, or list them all.

    Exit 3 when everything was released and the halt file is still there, 6 when the run is dead and left a fault in.
    """
    if [bool(args.run), args.all, args.list].count(True) != 1:
        raise InvalidInput(
            "write one of RUN, --all and --list, for example: chaoskit halt --all --reason 'incident 42'"
        )
    settings = settings_of(args)
    file = settings.halt_path()
    with opened_store(settings) as store:
        if args.list:
            return _list(args, store, file)
        if args.release:
            return _release(args, store, file)
        try:
            return _engage_all(args, store) if args.all else _engage(args, store)
        except StoreFailed as error:
            way_out = f"to stop every run on this machine without the store: {how_to_make(file)}"
            raise StoreFailed(f"{error}\nno halt was engaged; {way_out}") from error


def _engage_all(args: argparse.Namespace, store: "Store") -> Exit:
    store.engage(ALL_RUNS, args.reason, me().user, RealClock().utc())
    text = "halt engaged for all; new starts are blocked until `chaoskit halt --all --release`"
    return _say(args, {"halted": ALL_RUNS}, text, Exit.PASSED)


def _engage(args: argparse.Namespace, store: "Store") -> Exit:
    """Halt one run, also one that only seems dead: in doubt it is stopped. One that has ended needs no halt."""
    run, now = store.resolve(args.run), RealClock().utc()
    runner = store.runner_of(run)
    if not runner.ended:
        store.engage(run, args.reason, me().user, now)
    text = f"run {run} has ended: there is nothing to halt" if runner.ended else f"halt engaged for {run}"
    left = not alive(runner, now) and run in store.open_runs()
    if left:
        text += f"; it is dead and left a fault in: restore it with `chaoskit rollback {run}`"
    document = {"halted": None if runner.ended else run, "ended": runner.ended, "residue": left}
    return _say(args, document, text, Exit.DIRTY if left else Exit.PASSED)


def _release(args: argparse.Namespace, store: "Store", file: "Path") -> Exit:
    """Lift what is in the store. The halt file is not ours to remove: others may rely on it."""
    scope = ALL_RUNS if args.all else store.resolve(args.run)
    count = store.release(scope, me().user, RealClock().utc())
    text = f"released {count} halt(s) of {scope}" if count else f"no halt of {scope} was in force"
    there = look(file) if args.all else None
    if there is not None:
        text += f"\nstarts stay blocked: {there.told} is there; remove it with `{how_to_remove(file)}`"
    document = {"released": count, "scope": scope, "halt_file": file_document(there)}
    return _say(args, document, text, Exit.PASSED if there is None else Exit.BLOCKED)


def _list(args: argparse.Namespace, store: "Store", file: "Path") -> Exit:
    halts, there = store.all_halts(), look(file)
    lines = [f"{halt_line(one)}{_end(one)}" for one in halts] + ([file_line(there)] if there else [])
    document = {"halts": [one.model_dump(mode="json") for one in halts], "halt_file": file_document(there)}
    return _say(args, document, "\n".join(lines) or "there was never a halt", Exit.PASSED)


def _end(one: "Halt") -> str:
    if one.released_at is not None:
        return f"; released by {printable(one.released_by or '')} at {_time(one.released_at)}"
    return "; over, for the run has ended" if one.over else "; in force"


def halt_line(one: "Halt") -> str:
    """A halt in the store, as a line of text."""
    return f"halt     {one.scope}  by {printable(one.who)} at {_time(one.at)}: {printable(one.reason)}"


def file_line(there: HaltFile) -> str:
    """The halt file, as a line of text."""
    since = f" since {_time(there.at)}" if there.at else ""
    return f"halt     all  by {there.who}{since}: {there.told}; lift it with `{how_to_remove(there.path)}`"


def file_document(there: HaltFile | None) -> dict[str, object] | None:
    """The halt file for a JSON document; None when it is not there."""
    if there is None:
        return None
    at = there.at.isoformat() if there.at else None
    return {"path": str(there.path), "reason": there.reason, "who": there.who, "at": at}


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _say(args: argparse.Namespace, document: Mapping[str, object], text: str, code: Exit) -> Exit:
    if args.json:
        print_json(document)
    else:
        print(text)
    return code
