"""``python -m chaoskit``."""

from chaoskit.cli import entry

entry()
