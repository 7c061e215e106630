"""The dead-man timer as shell text, put together from the files in ``shell/``.

It runs in dash, busybox ash and bash, with sleep, mkdir, cat, mv, rm and /proc alone. How it works is told in
``shell/common.sh``.
"""

from pathlib import Path


def _text(*names: str) -> str:
    folder = Path(__file__).with_name("shell")
    return "\n".join((folder / f"{name}.sh").read_text(encoding="utf-8") for name in names)


LOOP = _text("common", "loop")
"""What detaches itself and waits; its file is in the timer's folder."""

ARM = _text("common", "control", "arm")
RENEW = _text("common", "control", "renew")
DISARM = _text("common", "control", "disarm")
LIST = _text("common", "control", "list")
"""What is run on a target, and ends at once; its positional parameters are the tag and what the file says."""
