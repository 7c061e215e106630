"""``chaoskit history`` and ``chaoskit report``: stored runs, judged again at any time."""

import argparse
import importlib
from datetime import datetime
from pathlib import Path

from chaoskit.cli.common import opened_store, print_json, settings_of
from chaoskit.domain.errors import Exit, InvalidInput
from chaoskit.domain.history import RunRecord
from chaoskit.domain.verdict import Judgement, judge
from chaoskit.engine.clock import RealClock
from chaoskit.store.liveness import alive
from chaoskit.store.rows import RunSummary


def history(args: argparse.Namespace) -> int:
    """List stored runs, newest first."""
    with opened_store(settings_of(args)) as store:
        runs = store.runs(limit=args.limit, experiment=args.experiment)
    now = RealClock().utc()
    if args.json:
        print_json([{**run.model_dump(mode="json"), "live": alive(run.runner, now)} for run in runs])
        return Exit.PASSED
    for run in runs:
        print(_line(run, now))
    if not runs:
        print("no runs yet; start with `chaoskit run FILE`")
    return Exit.PASSED


def _line(run: RunSummary, now: datetime) -> str:
    live = alive(run.runner, now)
    word = run.verdict or ("live" if live else "died")
    took = "" if run.duration is None else f"{run.duration:.0f}s"
    residue = f"  residue: {run.outstanding}" if run.outstanding and not live else ""
    return f"{run.run}  {run.started_at:%Y-%m-%d %H:%M:%S}  {word:<12} {took:>6}  {run.experiment}{residue}"


def report(args: argparse.Namespace) -> int:
    """Judge a stored run again and render it; exits 0 when the report could be made, whatever the verdict."""
    settings = settings_of(args)
    with opened_store(settings) as store:
        record = store.load(store.resolve(args.run))
    judgement = judge(record)
    if args.format == "files" and not args.out:
        from chaoskit.reports.write import write

        paths = write(record, judgement, settings.reports)
        if args.json:
            print_json({name: str(path) for name, path in paths.items()})
        else:
            print(*paths.values(), sep="\n")
        return Exit.PASSED
    text = _render("html" if args.format == "files" else args.format, record, judgement)
    if args.out:
        _write(Path(args.out), text)
    else:
        print(text)
    return Exit.PASSED


_RENDERERS = {
    "html": "html:render",
    "markdown": "markdown:render",
    "json": "json_:render",
    "junit": "junit:render",
    "text": "text:summary",
}


def _render(kind: str, record: RunRecord, judgement: Judgement) -> str:
    module, _, function = _RENDERERS[kind].partition(":")
    text: str = getattr(importlib.import_module(f"chaoskit.reports.{module}"), function)(record, judgement)
    return text


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path}: could not be written: {error.strerror}; choose another --out") from error
