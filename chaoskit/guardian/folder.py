"""What a guardian and its deputy say to each other: small files in the deputy's container, moved by its engine.

Messages are numbered files that are put into ``in/``; the deputy's answer is one file, always there and always of one
size, so that it can be fetched at any moment. There is no end of file here: a silence is all that tells of a death.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

from chaoskit.guardian.wire import Closed

FOLDER = "/guardian"
"""Where the files are in the container of a deputy."""
INBOX, ANSWER = "in", "answer"
SILENCE = 300.0
"""Seconds after which the other side counts as gone for good."""
_LOOK_EVERY = 0.1
_BLOCK = 1024


def file_name(number: int) -> str:
    """The file of message ``number``; names sort as numbers do."""
    return f"{number:08d}"


def written(message: Mapping[str, object]) -> bytes:
    """A message or an answer as it lies in its file."""
    text = json.dumps(message)
    return text.ljust(-(-len(text) // _BLOCK) * _BLOCK).encode()


class FolderWire:
    """The deputy's side; it sends and receives as :class:`chaoskit.guardian.wire.Wire` does.

    What counts for long is left lying, so that a deputy that is started again hears it all once more.
    """

    def __init__(self, folder: Path, now: Callable[[], float], silence: float = SILENCE) -> None:
        self._folder = folder
        self._now = now
        self._silence = silence
        self._heard = now()
        self._read: set[str] = set()
        self._taken = 0

    def send(self, word: str, **more: object) -> None:
        """Answer ``word``, in place of the answer before. On a full disk there is none, which the other side sees."""
        fresh = self._folder / f"{ANSWER}.new"
        with suppress(OSError):
            fresh.write_bytes(written({"taken": self._taken, "word": word, **more}))
            fresh.replace(self._folder / ANSWER)

    def receive(self, timeout: float | None) -> Mapping[str, Any] | None:
        """The next message; None when there is none for ``timeout`` seconds.

        Who would wait for ever waits until the other side has been silent for too long. Raises Closed then.
        """
        deadline = inf if timeout is None else self._now() + timeout
        while (said := self._next()) is None:
            if self._now() >= deadline:
                return None
            if timeout is None and self._now() - self._heard >= self._silence:
                raise Closed
            time.sleep(_LOOK_EVERY)
        self._heard = self._now()
        return said

    def _next(self) -> Mapping[str, Any] | None:
        inbox = self._folder / INBOX
        for name in sorted(set(os.listdir(inbox)) - self._read):  # noqa: PTH208 names are all that is wanted
            with suppress(OSError, ValueError):  # it is still being written
                said: Mapping[str, Any] = json.loads((inbox / name).read_bytes())
                self._read.add(name)
                self._taken = max(self._taken, int(name))
                if said["word"] == "renew":
                    (inbox / name).unlink()
                return said
        return None
