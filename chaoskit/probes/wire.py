"""Sockets that keep one deadline, however slowly the other side drips.

A timeout on a socket starts anew with every byte. So every read here is given only what is left of the whole
sample's time, and a name is looked up on a thread that is left behind when the resolver does not answer.
"""

import errno
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, Self

GRACE = 0.5
"""Seconds beyond its deadline that a sample may take on a busy machine, for the bound a probe states."""

_OURS = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EAFNOSUPPORT,
        errno.EINVAL,
    }
)
"""Errors of a connect that speak of the runner's machine, not of the system that was asked."""


class CannotAsk(Exception):
    """We could not ask, which says nothing about the system: its state is unknown."""


class NoAnswer(Exception):
    """We asked, and the system did not answer, or not properly."""


class Deadline:
    """The one moment by which a whole sample must be over."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._now = now
        self._begin = now()

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self._now() - self._begin

    def left(self) -> float:
        """Seconds that remain, always more than 0. Raises TimeoutError when there are none."""
        if (left := self.seconds - self.spent) <= 0:
            raise TimeoutError
        return left


class Address(NamedTuple):
    """Where one connect goes."""

    family: int
    place: tuple[Any, ...]


class BoundedSocket(socket.socket):
    """A TCP socket whose reads and writes never outlast ``deadline``."""

    deadline: Deadline

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        """Write, within what is left: for a plain socket the timeout counts for the whole call."""
        self.settimeout(self.deadline.left())
        super().sendall(*args, **kwargs)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Read, within what is left."""
        self.settimeout(self.deadline.left())
        return super().recv_into(*args, **kwargs)

    @classmethod
    def connected(cls, address: Address, seconds: float, deadline: Deadline) -> Self:
        """Connect to ``address`` within ``seconds``. Raises OSError."""
        sock = cls(address.family, socket.SOCK_STREAM)
        try:
            sock.deadline = deadline
            sock.settimeout(seconds)
            sock.connect(address.place)
        except BaseException:
            sock.close()
            raise
        return sock


class BoundedTlsSocket(ssl.SSLSocket):
    """The same over TLS, where the deadline is that of the plain socket underneath."""

    deadline: Deadline

    def send(self, *args: Any, **kwargs: Any) -> int:
        """Write a part, within what is left; ``sendall`` is made of these."""
        self.settimeout(self.deadline.left())
        return super().send(*args, **kwargs)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Read, within what is left."""
        self.settimeout(self.deadline.left())
        return super().recv_into(*args, **kwargs)


def connect(host: str, port: int, deadline: Deadline) -> BoundedSocket:
    """A connection to the first address of ``host`` that accepts. Raises OSError, CannotAsk.

    Addresses share what is left of the time evenly, so that one black hole does not eat the turn of the next.
    """
    addresses = resolve(host, port, deadline)
    failures: list[OSError] = []
    for index, address in enumerate(addresses):
        try:
            return BoundedSocket.connected(address, deadline.left() / (len(addresses) - index), deadline)
        except OSError as error:
            failures.append(error)
    # A refusal tells more about the system than the runner's own lack of, say, an IPv6 route.
    raise next((error for error in failures if error.errno not in _OURS), failures[0])


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """The addresses of ``host``. Raises CannotAsk when the name does not resolve, or not in time."""
    try:
        return _look_up(host, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # not a literal address, so it is a name
    except UnicodeError as error:
        raise CannotAsk(f"{host!r} is not a host name") from error
    try:
        return _in_time(lambda: _look_up(host, port, 0), deadline.left())
    except TimeoutError as error:
        raise CannotAsk(f"the name {host} was not resolved within {deadline.seconds:g}s") from error
    except (socket.gaierror, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a host name"
        raise CannotAsk(f"the name {host} does not resolve ({why})") from error


def _look_up(host: str, port: int, flags: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [Address(family, place) for family, _, _, _, place in found]


def _in_time(look_up: Callable[[], list[Address]], seconds: float) -> list[Address]:
    """``look_up()``, or TimeoutError after ``seconds``; nothing can interrupt the C library's resolver."""
    answers: SimpleQueue[list[Address] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(look_up())
        except Exception as error:  # noqa: BLE001 carried to the asking thread, which raises it
            answers.put(error)

    Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


@contextmanager
def asking(where: str, deadline: Deadline) -> Iterator[None]:
    """Turn what sockets and TLS raise into :class:`NoAnswer` or :class:`CannotAsk`, in one line about ``where``."""
    try:
        yield
    except TimeoutError as error:
        raise NoAnswer(f"{where}: no answer within {deadline.seconds:g}s") from error
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"{where}: the certificate is not trusted ({error.verify_message})") from error
    except ssl.SSLError as error:
        raise NoAnswer(f"{where}: TLS failed ({error.reason or 'no reason given'})") from error
    except OSError as error:
        why = (error.strerror or "the connection was closed").lower()
        if error.errno in _OURS:
            raise CannotAsk(f"{where}: this machine could not connect ({why})") from error
        raise NoAnswer(f"{where}: {why}") from error
