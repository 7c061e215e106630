"""What can be typed. Imports nothing but argparse; a command's own module is imported when it is chosen."""

import argparse
import gc
import importlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

from chaoskit import __version__

EPILOG = """\
exit codes: 0 passed, 1 failed, 2 usage or invalid file, 3 blocked, 4 aborted, 5 inconclusive, 6 dirty, 7 error
"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed command line, with ``handler`` bound to the command. Exits with status 2 on bad usage."""
    return build_parser(argv[0] if argv else None).parse_args(argv)


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The whole parser, or, where ``only`` is a command, what that one needs.

    The reference page of the command line is generated from the whole.
    """
    parser = argparse.ArgumentParser(
        prog="chaoskit",
        description="Run chaos experiments: inject faults into targets, watch Prometheus, roll back, judge, report.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"chaoskit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    adders = (_run, _plan, _validate, _schema, _faults, _status, _halt, _rollback, _sweep, _history, _report, _doctor)
    by_name = {add.__name__.removeprefix("_"): add for add in adders}
    for add in [by_name[only]] if only in by_name else adders:
        add(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 argparse gives it no public name


def _command(commands: Commands, name: str, handler: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    common = command.add_argument_group("common options")
    common.add_argument("--config", metavar="FILE", help="settings file (default: ./chaoskit.toml, then the user's)")
    common.add_argument(
        "--store", metavar="FILE", help="database of runs and journal (default: the user's state folder)"
    )
    common.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    common.add_argument("-v", "--verbose", action="store_true", help="say more, tracebacks of defects included")
    command.set_defaults(handler=_lazy(handler))
    return command


def _lazy(path: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = path.partition(":")

    def handle(args: argparse.Namespace) -> int:
        command = getattr(importlib.import_module(f"chaoskit.cli.{module}"), function)
        gc.enable()
        code: int = command(args)
        return code

    return handle


def _set_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value for ${NAME} in the file; repeatable; the recorded command has only the NAME",
    )


def _run(commands: Commands) -> None:
    command = _command(commands, "run", "running:run", "run an experiment: inject, watch, roll back, judge, report")
    command.add_argument("file", nargs="?", metavar="FILE", help="the experiment (- for standard input)")
    command.add_argument("--plan", metavar="PLAN", help="run exactly this plan; refused when reality drifted from it")
    command.add_argument("--seed", help="seed of the random choice of targets (default: random, and reported)")
    command.add_argument("--reports", metavar="DIR", help="folder for reports (default: ./chaoskit-reports)")
    command.add_argument("--plain", action="store_true", help="plain lines even on a terminal")
    _set_option(command)


def _plan(commands: Commands) -> None:
    command = _command(commands, "plan", "running:plan", "show exactly what a run would do; touch nothing")
    command.add_argument("file", metavar="FILE", help="the experiment (- for standard input)")
    command.add_argument("--out", metavar="PLAN", help="also write the plan to this file, for run --plan")
    command.add_argument("--seed", help="seed of the random choice of targets (default: random, and in the plan)")
    _set_option(command)


def _validate(commands: Commands) -> None:
    command = _command(commands, "validate", "checking:validate", "check experiment files and show every problem")
    command.add_argument("files", nargs="+", metavar="FILE", help="experiments to check")
    _set_option(command)


def _schema(commands: Commands) -> None:
    _command(commands, "schema", "checking:schema", "print the JSON Schema of experiment files, for editors")


def _faults(commands: Commands) -> None:
    command = _command(commands, "faults", "checking:faults", "list the kinds of faults, or explain one")
    command.add_argument("kind", nargs="?", metavar="KIND", help="a kind, for example instance.kill")


def _status(commands: Commands) -> None:
    _command(commands, "status", "operating:status", "show live runs, halts in force, and residue of dead runs")


def _halt(commands: Commands) -> None:
    command = _command(commands, "halt", "halting:halt", "stop a run, or all runs and new starts, from anywhere")
    command.add_argument("run", nargs="?", metavar="RUN", help="the run to stop")
    command.add_argument("--all", action="store_true", help="stop every run and block new starts until released")
    command.add_argument("--reason", default="", help="why; shown to everybody who is stopped by it")
    command.add_argument("--release", action="store_true", help="lift the halt")
    command.add_argument("--list", action="store_true", help="show every halt there ever was, and who released it")


def _rollback(commands: Commands) -> None:
    command = _command(commands, "rollback", "operating:rollback", "restore what outlived a runner that died")
    command.add_argument("run", nargs="?", metavar="RUN", help="only this run (default: every dead run)")
    command.add_argument("--dry-run", action="store_true", help="only show what would be undone")
    command.add_argument(
        "--accept",
        metavar="REASON",
        help="do not undo: end what RUN left open on your word, the target being gone, say",
    )
    command.add_argument("--force", action="store_true", help="also undo runs whose runner seems to be alive")
    command.add_argument("--reports", metavar="DIR", help="folder for reports (default: ./chaoskit-reports)")


def _sweep(commands: Commands) -> None:
    command = _command(commands, "sweep", "sweeping:sweep", "find and remove what chaoskit left, without any journal")
    command.add_argument(
        "--engine",
        action="append",
        default=[],
        metavar="HOST",
        help="a Docker engine to search, as in DOCKER_HOST; repeatable (default: the configured one)",
    )
    command.add_argument("--dry-run", action="store_true", help="only show what would be removed")


def _history(commands: Commands) -> None:
    command = _command(commands, "history", "looking_back:history", "list the runs in the store, newest first")
    command.add_argument("--experiment", metavar="NAME", help="only runs of this experiment")
    command.add_argument("--limit", type=_positive, default=20, metavar="N", help="at most N runs (default: 20)")


def _report(commands: Commands) -> None:
    command = _command(commands, "report", "looking_back:report", "judge a stored run again and render its report")
    command.add_argument("run", metavar="RUN", help="a run id, its unique beginning, or `last`")
    command.add_argument(
        "--format",
        choices=["files", "html", "markdown", "json", "junit", "text"],
        default="files",
        help="what to render",
    )
    command.add_argument("--out", metavar="FILE", help="write to this file instead of standard output")
    command.add_argument("--reports", metavar="DIR", help="folder for --format files (default: ./chaoskit-reports)")


def _doctor(commands: Commands) -> None:
    _command(commands, "doctor", "doctoring:doctor", "check what chaoskit needs on this machine, and say how to get it")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count; write 1 or more")
    return int(text)
