"""Commands inside a container, with a bound that holds; the SDK's own ``exec_run`` waits for ever."""

import struct
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from chaoskit.domain.capabilities import shown
from chaoskit.domain.errors import TargetTimeout
from chaoskit.domain.ports import Completed
from chaoskit.targets.docker_engine import Engine

_HEADER = struct.Struct(">BxxxL")
_STDERR = 2
_MOST = 1 << 20
"""Bytes kept of what a command prints; the rest is read and dropped."""


class Started(NamedTuple):
    """A command that was started: the engine's id of it, and the connection that carries its output."""

    id: str
    stream: Any


def run_bounded(engine: Engine, container: str, name: str, argv: Sequence[str], timeout: float) -> Completed:
    """Run ``argv`` in the container and wait at most ``timeout`` seconds for its end.

    A command that cannot be started ends with status 126 or 127, as in a shell. Raises TargetError; after a
    TargetTimeout the command may still be running.
    """
    deadline = time.monotonic() + timeout
    doing = f"run `{shown(argv)}` in {name}"
    with engine.doing(doing):
        started = _start(engine, container, argv)
        try:
            stdout, stderr = _output(started.stream, deadline)
        except TimeoutError:
            raise TargetTimeout(f"cannot {doing} within {timeout:g}s; it may still be running there") from None
        finally:
            _hang_up(started.stream)
        status = engine.api.exec_inspect(started.id)["ExitCode"]
    return Completed(-1 if status is None else status, stdout, stderr)


def _start(engine: Engine, container: str, argv: Sequence[str]) -> Started:
    created = str(engine.api.exec_create(container, list(argv))["Id"])
    return Started(created, engine.api.exec_start(created, socket=True))


def _socket(stream: Any) -> Any:
    """The socket under the stream of a plain connection; that of TLS is the socket itself."""
    return getattr(stream, "_sock", stream)


def _hang_up(stream: Any) -> None:
    # Closing the stream alone leaves the connection open until the collector finds it.
    socket = _socket(stream)
    for part in (getattr(stream, "_response", None), stream, socket):
        if part is not None:
            part.close()


def _output(stream: Any, deadline: float) -> tuple[str, str]:
    """Everything printed, by stream: frames of a header (stream number, length) and that many bytes."""
    printed = {False: bytearray(), True: bytearray()}
    while header := _exactly(stream, _HEADER.size, deadline):
        number, length = _HEADER.unpack(header)
        piece = _exactly(stream, length, deadline)
        kept = printed[number == _STDERR]
        kept += piece[: _MOST - len(kept)]
    return printed[False].decode(errors="replace"), printed[True].decode(errors="replace")


def _exactly(stream: Any, size: int, deadline: float) -> bytes:
    """``size`` bytes, or nothing at the end of the stream. Raises TimeoutError."""
    received = bytearray()
    while len(received) < size:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        _socket(stream).settimeout(remaining)
        piece = stream.read(size - len(received))
        if not piece:
            return b""
        received += piece
    return bytes(received)
