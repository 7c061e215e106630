"""The halt file: while there is something at its path, everything on this machine is halted, whatever the store does.

Anybody who may make a file there can stop every run, with nothing but a shell. In doubt it is there: what cannot be
looked at counts as a halt.
"""

import os
import shlex
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from chaoskit.store.rows import NO_REASON

MOST_BYTES = 1000
"""How much of the file is read: its first line is the reason, and the rest is nobody's business."""

LONGEST_REASON = 200
"""In characters."""


class HaltFile(NamedTuple):
    """A halt file that is there. ``seen`` is what the system says of it, None when it would not say."""

    path: Path
    reason: str
    seen: os.stat_result | None

    @property
    def told(self) -> str:
        """The reason and the path, for whoever is stopped by it."""
        return f"{self.reason} (halt file {self.path})"

    @property
    def refusal(self) -> str:
        """Why nothing may start, and what to do about it."""
        return f"a halt is in force: {self.told}; lift it with `{how_to_remove(self.path)}`"

    @property
    def who(self) -> str:
        """The account that owns it. May ask the network for the name, so a run that must stop never asks."""
        import pwd

        if self.seen is None:
            return "unknown"
        try:
            return pwd.getpwuid(self.seen.st_uid).pw_name
        except KeyError:
            return f"uid {self.seen.st_uid}"

    @property
    def at(self) -> datetime | None:
        """When it was last written, in UTC; None when that is not known."""
        with suppress(ValueError, OverflowError, OSError):  # a file may carry any number as its time
            return None if self.seen is None else datetime.fromtimestamp(self.seen.st_mtime, UTC)
        return None


def look(path: Path) -> HaltFile | None:
    """The halt file at ``path``, or None when there is nothing. Raises nothing, and waits for nobody."""
    try:
        seen = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return HaltFile(path, f"whether it is there cannot be told: {error.strerror}", None)
    return HaltFile(path, _reason(path) if stat.S_ISREG(seen.st_mode) else NO_REASON, seen)


def make_room(path: Path) -> None:
    """Make the folder of ``path``, so that one ``touch`` is enough when it counts; does what it can."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def how_to_make(path: Path) -> str:
    """The command that makes it."""
    touch = f"touch {shlex.quote(str(path))}"
    return touch if os.path.isdir(path.parent) else f"mkdir -p {shlex.quote(str(path.parent))} && {touch}"  # noqa: PTH112 Path.is_dir raises where we may not look


def how_to_remove(path: Path) -> str:
    """The command that removes it."""
    return f"rm {shlex.quote(str(path))}"


def _reason(path: Path) -> str:
    try:
        line = _beginning(path).partition(b"\n")[0].decode(errors="replace")
    except OSError as error:
        return f"the reason cannot be read: {error.strerror}"
    return "".join(char for char in line if char.isprintable()).strip()[:LONGEST_REASON] or NO_REASON


def _beginning(path: Path) -> bytes:
    # Somebody may have put a link there meanwhile, which could show the secrets of whoever runs chaoskit to whoever
    # may make links here; or a named pipe, whose opening would wait for its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, MOST_BYTES)
    finally:
        os.close(descriptor)
