"""``chaoskit status`` and ``rollback``: what an operator types when something is going on."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from chaoskit import cleanup
from chaoskit.cli.common import opened_store, print_json, settings_of, still_rolling_back
from chaoskit.cli.halting import file_document, file_line, halt_line
from chaoskit.cli.writer import Writer
from chaoskit.domain.errors import Exit, InvalidInput, StoreFailed
from chaoskit.engine.clock import RealClock
from chaoskit.engine.halt import Halt, stopped_by_signals
from chaoskit.engine.rollback import Undone
from chaoskit.guardian import places
from chaoskit.store.halt_file import look
from chaoskit.store.liveness import alive

if TYPE_CHECKING:
    from chaoskit.cleanup import Orphans
    from chaoskit.settings import Settings
    from chaoskit.store.store import Store


def status(args: argparse.Namespace) -> int:
    """Show live runs, halts and residue; exit 6 when a dead run left something behind."""
    settings = settings_of(args)
    halt_file = look(settings.halt_path())
    if halt_file is not None and not args.json:
        print(file_line(halt_file))  # before the store is opened: it may be why somebody made the file
    with opened_store(settings) as store:
        left = cleanup.orphans(store)
        now = RealClock().utc()
        in_force = {one.run for one in left if one.live}
        live = [run for run in store.runs(limit=200) if run.run in in_force or alive(run.runner, now)]
        halts = store.active_halts()
        guardians = list(places.sightings(store.path))
    if args.json:
        document = {
            "live": [run.model_dump(mode="json") for run in live],
            "halts": [halt.model_dump(mode="json") for halt in halts],
            "halt_file": file_document(halt_file),
            "residue": [_orphan_document(one) for one in left],
            "guardians": [{**one._asdict(), "log": str(one.log)} for one in guardians],
        }
        print_json(document)
        return _exit(left)
    for run in live:
        print(f"live     {run.run}  {run.experiment}  since {run.started_at:%Y-%m-%d %H:%M:%S} UTC")
    for guardian in guardians:
        print(_guardian_line(guardian))
    for halt in halts:
        print(halt_line(halt))
    for one in left:
        print("\n".join(_orphan_lines(one)))
    if not (live or halts or halt_file or left or any(one.alive for one in guardians)):
        print("nothing runs, no halt is in force, nothing is left behind")
    return _exit(left)


def _exit(left: "Sequence[Orphans]") -> Exit:
    return Exit.DIRTY if any(not one.live for one in left) else Exit.PASSED


def _guardian_line(one: places.Sighting) -> str:
    """What a guardian is doing, or did last: one that had to act keeps its log."""
    doing = f"pid {one.pid}, {one.state}" if one.alive else f"ended: {one.state}"
    beside = f"\n         {one.beside}" if one.beside else ""
    held = f"{one.injections} injection{'' if one.injections == 1 else 's'}"
    return f"guardian {one.run}  {doing}, {held}; log {one.log}{beside}"


def _orphan_document(one: "Orphans") -> dict[str, object]:
    injections = [{"n": i.n, "kind": i.kind, "target": i.ref.name, "by_hand": i.by_hand} for i in one.left]
    return {"run": one.run, "live": one.live, "injections": injections, "unreadable": list(one.unreadable)}


def _orphan_lines(one: "Orphans") -> list[str]:
    word = "in force" if one.live else "residue "
    hint = "" if one.live else f"; restore with `chaoskit rollback {one.run}`"
    lines = [f"{word} {one.run}  {i.kind} on {i.ref.name}{hint}" for i in one.left]
    return lines + [f"{word} {one.run}  {line}" for line in one.unreadable]


def rollback(args: argparse.Namespace) -> int:
    """Restore what dead runs left.

    Exit 6 when something could not be proven restored, 3 when a run that seems to be alive was left alone.
    """
    if args.accept is not None and not args.run:
        raise InvalidInput("--accept needs the RUN whose residue you vouch for; `chaoskit status` shows it")
    settings = settings_of(args)
    with opened_store(settings) as store:
        found = cleanup.orphans(store, store.resolve(args.run) if args.run else None)
        due = [one for one in found if args.force or not one.live]
        alone = [one.run for one in found if one not in due]
        if args.dry_run or args.accept is not None:
            with _saying(args) as say:
                say(*map(_alive_text, alone))
            return _show(args, due) if args.dry_run else _accept(args, due, store, settings)
        with stopped_by_signals(_rolling_back(), still_rolling_back), _saying(args) as say:
            say(*map(_alive_text, alone))
            restored = [cleanup.restore(one, store, settings, lambda undone: say(_undone_text(undone))) for one in due]
        # From here on Ctrl-C counts again, and must not take the place of what came of the rollback.
        with suppress(KeyboardInterrupt, StoreFailed):  # a failing store was told of, or leaves only a record open
            cleanup.close_dead_runs(store, settings)
    undone = [one for restoration in restored for one in restoration.undone]
    troubles = [restoration.trouble for restoration in restored if restoration.trouble]
    unreadable = [line for one in due for line in one.unreadable]
    with suppress(KeyboardInterrupt):
        _summarise(args, undone, unreadable, troubles, left_alone=len(alone))
    if unreadable or troubles or not all(one.restored for one in undone):
        return Exit.DIRTY
    return Exit.BLOCKED if alone else Exit.PASSED


def _summarise(
    args: argparse.Namespace, undone: list[Undone], unreadable: list[str], troubles: list[str], *, left_alone: int
) -> None:
    for trouble in troubles:
        print(f"chaoskit: {trouble}", file=sys.stderr)
    if args.json:
        documents = [_undone_document(one) for one in undone]
        print_json({"undone": documents, "unreadable": unreadable, "left_alone": left_alone})
        return
    for line in unreadable:
        print(f"NOT restored: {line}")
    if not (undone or unreadable or left_alone):
        print("nothing to restore")


def _accept(args: argparse.Namespace, due: "list[Orphans]", store: "Store", settings: "Settings") -> int:
    for one in due:
        cleanup.accept(one, store, settings, args.accept)
    if args.json:
        print_json({"accepted": [one.run for one in due]})
    else:
        for one in due:
            print(f"accepted what run {one.run} left open on {len(one.left)} target(s); its verdict stays")
    if not due and not args.json:
        print("nothing to accept")
    return Exit.PASSED


def _rolling_back() -> Halt:
    """A halt that is engaged from the start: every signal only says that the rollback goes on."""
    halt = Halt()
    halt.engage("rolling back")
    return halt


@contextmanager
def _saying(args: argparse.Namespace) -> "Iterator[Callable[..., None]]":
    """Says texts at once, none with --json; a reader that sleeps or is gone holds up nothing."""
    writer = Writer(sys.stdout)

    def say(*texts: str) -> None:
        with suppress(OSError, ValueError):
            for text in texts if not args.json else ():
                writer.line(text)

    try:
        yield say
    finally:
        writer.close()


def _alive_text(run: str) -> str:
    return f"run {run} is alive; stop it with `chaoskit halt {run}`, or use --force"


def _undone_text(one: Undone) -> str:
    what = f"{one.intended.run}  {one.intended.kind} on {one.intended.ref.name}"
    if one.restored:
        return f"restored {what}: {one.note}"
    return "\n    ".join((f"NOT restored {what}: {'; '.join(one.residue)}\n  run by hand:", *one.intended.by_hand))


def _undone_document(one: Undone) -> dict[str, object]:
    return {
        "run": one.intended.run,
        "n": one.intended.n,
        "kind": one.intended.kind,
        "target": one.intended.ref.name,
        "restored": one.restored,
        "note": one.note,
        "residue": list(one.residue),
        "by_hand": list(one.intended.by_hand),
    }


def _show(args: argparse.Namespace, due: "list[Orphans]") -> int:
    from chaoskit.app import revive

    lines = [(one.run, i.kind, i.ref.name, list(revive(i).undo())) for one in due for i in one.left]
    if args.json:
        print_json([{"run": run, "kind": kind, "target": name, "undo": undo} for run, kind, name, undo in lines])
    for run, kind, name, undo in [] if args.json else lines:
        print(f"would restore {run}  {kind} on {name}", *undo, sep="\n    ")
    if not lines and not args.json:
        print("nothing to restore")
    return Exit.PASSED
