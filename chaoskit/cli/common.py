"""What several commands need: settings, the store, variables, and JSON output."""

import argparse
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chaoskit.domain.errors import InvalidInput

if TYPE_CHECKING:
    from chaoskit.settings import Settings
    from chaoskit.store.store import Store


def settings_of(args: argparse.Namespace) -> "Settings":
    """The settings of the file and the environment, with what the command line overrides."""
    from chaoskit.settings import load_settings

    settings = load_settings(args.config, os.environ)
    overrides: dict[str, Path] = {}
    if args.store:
        overrides["store"] = Path(args.store)
    if getattr(args, "reports", None):
        overrides["reports"] = Path(args.reports)
    settings = settings.model_copy(update=overrides)
    level = "INFO" if args.verbose else settings.log_level.upper()
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
    return settings


@contextmanager
def opened_store(settings: "Settings") -> Iterator["Store"]:
    """The store, closed at the end. Raises StoreFailed."""
    from chaoskit.store.store import Store

    store = Store(settings.store_path())
    try:
        yield store
    finally:
        store.close()


def variables_of(args: argparse.Namespace) -> dict[str, str]:
    """The environment, and over it every ``--set NAME=VALUE``. Raises InvalidInput."""
    variables = dict(os.environ)
    for given in args.set:
        name, equals, value = given.partition("=")
        if not equals or not name.isidentifier():
            raise InvalidInput(f"--set {given!r} is not an assignment; write for example --set NAME=value")
        variables[name] = value
    return variables


def print_json(document: object) -> None:
    """One JSON document on standard output."""
    import json

    print(json.dumps(document, indent=2, ensure_ascii=False))


def still_rolling_back(signal: str) -> None:
    """Say that a signal does not interrupt the rollback."""
    # Inside a signal handler: one unbuffered write, nothing that takes a lock.
    text = f"\n{signal} again: rollback is not interrupted; watch it with `chaoskit status` in another terminal\n"
    os.write(2, text.encode())
