"""``chaoskit run`` and ``chaoskit plan``."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from chaoskit import app
from chaoskit.cli.common import opened_store, print_json, settings_of, still_rolling_back, variables_of
from chaoskit.domain.errors import Exit, InvalidInput
from chaoskit.domain.plan import Plan
from chaoskit.engine.clock import RealClock
from chaoskit.engine.halt import Halt, stopped_by_signals
from chaoskit.engine.recorder import Narrator
from chaoskit.files.source import read_text
from chaoskit.settings import Settings

Again = Callable[[str], None]


def run(args: argparse.Namespace) -> int:
    """Run an experiment; the exit code is the verdict's."""
    if bool(args.file) == bool(args.plan):
        raise InvalidInput(
            "write either an experiment FILE or --plan PLAN, for example: chaoskit run replica-loss.yaml"
        )
    settings = settings_of(args)
    promised = _read_plan(args.plan) if args.plan else None
    ready = app.prepare_plan(promised, settings, args.plan) if promised else _ready(args, settings)
    halt = Halt()
    run_id = app.new_run_id(RealClock().utc())
    origin = app.Origin(trigger=os.environ.get("CHAOSKIT_TRIGGER", "cli"), command=_command(args, ready))
    finished = None
    try:
        with (
            opened_store(settings) as store,
            _narrator(args, ready, run_id) as (narrator, again),
            stopped_by_signals(halt, again),
        ):
            finished = app.run(ready, run_id, store, settings, halt, narrator, origin, promised)
        _tell(args, finished)
    except (Exception, KeyboardInterrupt) as error:
        if finished is None:
            raise
        # The run is over and judged; what goes wrong while it is shown must not take the place of its verdict.
        why = "stopped by Ctrl-C" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        with suppress(KeyboardInterrupt):
            print(f"chaoskit: the result is not shown whole: {why}; see `chaoskit report {run_id}`", file=sys.stderr)
    return finished.judgement.exit_code


def _ready(args: argparse.Namespace, settings: Settings) -> app.Ready:
    return app.prepare_file(args.file, settings, variables_of(args), args.seed)


def _command(args: argparse.Namespace, ready: app.Ready) -> str:
    """The command that makes the same choices again, without the values of variables: those may be secret."""
    sets = [word for given in args.set for word in ("--set", f"{given.partition('=')[0]}=...")]
    return shlex.join(["chaoskit", "run", ready.brief.path, "--seed", ready.brief.seed, *sets])


@contextmanager
def _narrator(args: argparse.Namespace, ready: app.Ready, run_id: str) -> Iterator[tuple[Narrator, Again]]:
    """The live display on a terminal, plain lines elsewhere; on standard error when JSON owns standard output.

    With it comes what to do on a signal that comes while the run is already stopping.
    """
    experiment = ready.brief.experiment
    out = sys.stderr if args.json else sys.stdout
    if args.plain or not out.isatty() or os.environ.get("TERM") == "dumb":
        from chaoskit.cli.lines import Lines

        with Lines(experiment, run_id, out) as lines:
            yield lines, still_rolling_back
        return
    from chaoskit.cli.live import Live

    with Live(experiment, run_id, out) as live:
        yield live, live.again


def _tell(args: argparse.Namespace, finished: app.Finished) -> None:
    record, judgement, reports, trouble = finished
    for line in trouble.splitlines():
        print(f"chaoskit: {line}", file=sys.stderr)
    if args.json:
        from chaoskit.reports.json_ import document

        print_json({**document(record, judgement), "reports": {name: str(path) for name, path in reports.items()}})
        return
    from chaoskit.reports.text import summary

    print(f"\n{summary(record, judgement)}")
    if "html" in reports:
        print(f"report: {reports['html']}")


def plan(args: argparse.Namespace) -> int:
    """Show the plan; exit 3 when its own guards say no."""
    settings = settings_of(args)
    planned, current = app.plan(_ready(args, settings))
    if args.out:
        _write_plan(planned, Path(args.out))
    if args.json:
        readings = [reading.model_dump(mode="json") for reading in current]
        document = {"fingerprint": planned.fingerprint, "plan": planned.model_dump(mode="json", by_alias=True)}
        print_json({**document, "current": readings})
    else:
        from chaoskit.reports.text import plan_text

        print(plan_text(planned, current))
    return Exit.BLOCKED if planned.blocked else Exit.PASSED


def _write_plan(planned: Plan, path: Path) -> None:
    try:
        path.write_text(planned.model_dump_json(by_alias=True, indent=2) + "\n")
    except OSError as error:
        raise InvalidInput(f"{path}: the plan could not be written: {error.strerror}; choose another --out") from error


def _read_plan(path: str) -> Plan:
    try:
        return Plan.model_validate_json(read_text(path, InvalidInput))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise InvalidInput(
            f"{path}: is not a plan: {where}: {first['msg']}; make one with `chaoskit plan FILE --out {path}`"
        ) from error
