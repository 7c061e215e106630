"""The command line: parse, call the application, give the exit code. No rules live here.

Start-up is kept cheap on purpose: nothing but the parser is imported until a command is known.
"""

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from chaoskit import __version__

ABORTED, ERROR = 4, 7


QUICK = {"validate", "schema", "faults", "--version", "-V"}
"""Commands that hold nothing open: no store, no connection, no thread."""


def entry() -> NoReturn:
    """The installed command. A quick one ends without taking the interpreter apart, which would take a tenth of it."""
    from chaoskit.cli.output import settled, steady

    outlet, command = steady(), "".join(sys.argv[1:2])
    try:
        code = main()
    except SystemExit as end:  # argparse ends this way, after --help and for wrong usage
        code = end.code if isinstance(end.code, int) else ERROR
    code = settled(code, command, outlet)
    if command in QUICK:
        sys.stderr.flush()
        os._exit(code)
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the code is known, and ending takes but a moment
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is a documented contract (docs/reference/exit-codes.md)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        print(f"chaoskit {__version__}")
        return 0
    _start_cheaply()
    from chaoskit.cli.parser import parse

    args = parse(arguments)
    try:
        code = args.handler(args)
    except KeyboardInterrupt:
        print("chaoskit: stopped by Ctrl-C; nothing was started", file=sys.stderr)
        return ABORTED
    except Exception as error:  # noqa: BLE001 the last line of defence: a person gets a sentence, never a traceback
        return _explain(error, verbose=args.verbose)
    return int(code)


def _start_cheaply() -> None:
    """Spare start-up what only long-lived programs profit from; together an eighth of `chaoskit validate`.

    Imports make no garbage worth collecting; the collector is switched on again when the command is loaded. Models
    here need no pydantic plugins, and looking for them means reading the metadata of every installed package.
    """
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _explain(error: Exception, *, verbose: bool) -> int:
    from chaoskit.domain.errors import ChaoskitError

    if verbose:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, ChaoskitError):
        for line in str(error).splitlines():
            print(f"chaoskit: {line}", file=sys.stderr)
        return int(error.exit_code)
    print(f"chaoskit: a defect of chaoskit: {type(error).__name__}: {error}", file=sys.stderr)
    print("chaoskit: run it again with --verbose and report what it prints", file=sys.stderr)
    return ERROR
