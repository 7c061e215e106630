"""What runner and guardian say to each other: one JSON object a line, over any two file descriptors."""

import json
import os
import select
from collections.abc import Mapping
from typing import Any, Protocol

from chaoskit.domain.errors import GuardianLost

SEND_WITHIN = 5.0
"""Seconds in which the other side must take what it is sent."""
_CHUNK = 65536


class Closed(Exception):
    """The other side has closed the connection: its process has ended."""


class Line(Protocol):
    """What one side uses of a connection."""

    def send(self, word: str, **more: object) -> None:
        """Say ``word``, with what belongs to it. Raises Closed, and GuardianLost when nobody takes it."""

    def receive(self, timeout: float | None) -> Mapping[str, Any] | None:
        """The next thing the other side says; None when it says nothing for ``timeout`` seconds. Raises Closed."""


class Wire:
    """One side of the connection. Both descriptors are ours from now on."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._received = b""
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)

    def send(self, word: str, **more: object) -> None:
        """Say ``word``, with what belongs to it. Raises Closed, and GuardianLost when nobody takes it."""
        rest = memoryview(json.dumps({"word": word, **more}).encode() + b"\n")
        try:
            while rest:
                if not select.select([], [self._write_fd], [], SEND_WITHIN)[1]:
                    raise GuardianLost(f"the guardian's connection took nothing for {SEND_WITHIN:g}s")
                rest = rest[os.write(self._write_fd, rest) :]
        except OSError as error:
            raise Closed from error

    def receive(self, timeout: float | None) -> Mapping[str, Any] | None:
        """The next thing the other side says; None when it says nothing for ``timeout`` seconds. Raises Closed."""
        while b"\n" not in self._received:
            if not select.select([self._read_fd], [], [], timeout)[0]:
                return None
            self._take()
        line, _, self._received = self._received.partition(b"\n")
        said: Mapping[str, Any] = json.loads(line)
        return said

    def close(self) -> None:
        """Let the other side know that nothing more will come."""
        for fd in {self._read_fd, self._write_fd}:
            os.close(fd)

    def _take(self) -> None:
        try:
            more = os.read(self._read_fd, _CHUNK)
        except OSError as error:
            raise Closed from error
        if not more:
            raise Closed
        self._received += more
