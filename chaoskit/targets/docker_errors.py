"""One seam: whatever the Docker SDK, requests or ssh report becomes an error of our tree, with advice."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import JSONDecodeError

import docker.errors
import requests
import urllib3.exceptions

from chaoskit.domain.errors import AccessDenied, TargetError, TargetGone, TargetTimeout, Unreachable, VersionMismatch

FAILURES: tuple[type[Exception], ...] = (
    docker.errors.DockerException,
    docker.errors.StreamParseError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    JSONDecodeError,
    OSError,
)
"""Everything the SDK and what it stands on may raise for trouble outside this program."""

_NOT_FOUND, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 404, 400, 401, 403
_GONE = re.compile(r"no (such )?container", re.IGNORECASE)
_VERSION = re.compile(r"client version \S+ is too (new|old)", re.IGNORECASE)
_REFUSED_TO_US = re.compile(r"authorization denied|administrative rules|<html", re.IGNORECASE)

_SSH_COMPLAINTS: tuple[tuple[str, type[TargetError], str], ...] = (
    (
        r"host key verification failed|remote host identification",
        AccessDenied,
        "its host key is not trusted; connect once by hand with ssh and compare the key, then try again",
    ),
    (
        r"docker(-| )?daemon socket|docker\.sock.*permission|permission.*docker\.sock",
        AccessDenied,
        "the remote user may not use Docker there; add it to the group docker, or log in as another user",
    ),
    (
        r"permission denied|too many authentication failures|no supported authentication",
        AccessDenied,
        "ssh could not log in without a prompt; load the key into ssh-agent, or name it in ~/.ssh/config",
    ),
    (
        r"dial-stdio|docker: (command )?not found|no such file.*docker$",
        Unreachable,
        "the docker command is missing or too old there; install Docker 18.09 or newer on that host",
    ),
    (r"cannot connect to the docker daemon", Unreachable, "ssh works, but no engine runs there; start it"),
    (r"could not resolve|name or service not known", Unreachable, "the host name is unknown; check its spelling"),
    (r"timed out", Unreachable, "the host did not answer in time; check the address and the network"),
    (r"refused|no route|unreachable|closed by remote", Unreachable, "check the address, the port and that sshd runs"),
)


@contextmanager
def translated(host: str, doing: str, complaint: Callable[[], str] = str) -> Iterator[None]:
    """Run the body; failures of the SDK leave it as errors of our tree.

    ``doing`` is a verb phrase (``pause web-1``); ``complaint`` gives what ssh printed, if ssh is in the path.
    Raises TargetError.
    """
    try:
        yield
    except FAILURES as error:
        raise translate(error, host, doing, complaint()) from error


def translate(error: Exception, host: str, doing: str, complaint: str = "") -> TargetError:
    """The error of our tree for ``error``, met while ``doing`` something at the engine ``host``. Total."""
    if isinstance(error, docker.errors.APIError):
        return _answered(error, host, doing)
    if isinstance(error, docker.errors.InvalidVersion):
        return VersionMismatch(f"the Docker engine at {host} and this client do not match: {error}; {_VERSION_ADVICE}")
    if isinstance(error, docker.errors.TLSParameterError):
        return AccessDenied(
            f"TLS for the Docker engine at {host} is not usable: {_first_line(error)}; "
            "check that DOCKER_CERT_PATH holds ca.pem, cert.pem and key.pem"
        )
    return _ssh_failed(complaint, host) or _unanswered(error, host, doing)


_VERSION_ADVICE = "unset DOCKER_API_VERSION, or upgrade the older side"


def _answered(error: docker.errors.APIError, host: str, doing: str) -> TargetError:
    """The engine answered, with an error."""
    status = error.response.status_code if error.response is not None else 0
    said = _first_line(error.explanation or error)
    if status == _NOT_FOUND and _GONE.search(said):
        return TargetGone(f"cannot {doing}: the container no longer exists on the Docker engine at {host}")
    if status == _BAD_REQUEST and _VERSION.search(said):
        return VersionMismatch(f"the Docker engine at {host} says: {said}; {_VERSION_ADVICE}")
    if status == _UNAUTHORIZED or (status == _FORBIDDEN and _REFUSED_TO_US.search(said)):
        return AccessDenied(
            f"the Docker engine at {host} does not let us {doing}: {said}; "
            "ask its administrator for access, or use another docker host"
        )
    return TargetError(f"the Docker engine at {host} could not {doing}: {said} (HTTP {status})")


def _ssh_failed(complaint: str, host: str) -> TargetError | None:
    for pattern, kind, advice in _SSH_COMPLAINTS:
        if re.search(pattern, complaint, re.IGNORECASE):
            return kind(f"no Docker engine can be reached at {host}: ssh says {complaint!r}; {advice}")
    return None


def _unanswered(error: Exception, host: str, doing: str) -> TargetError:
    """No answer at all: the cause at the bottom of the chain tells why."""
    causes = tuple(_chain(error))

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if caused_by(PermissionError):
        return AccessDenied(
            f"no permission to use the Docker engine at {host}; "
            "run as a user in the group docker, or as root, or set DOCKER_HOST to an engine you may use"
        )
    if caused_by(FileNotFoundError, ConnectionRefusedError, IsADirectoryError):
        return Unreachable(
            f"no Docker engine answers at {host}; start it, or set DOCKER_HOST "
            "(`docker context ls` shows where your docker command finds it)"
        )
    if caused_by(socket.gaierror):
        return Unreachable(f"the host of the Docker engine {host} has no address; check its spelling")
    if caused_by(ssl.SSLError) and not caused_by(TimeoutError):
        return Unreachable(
            f"TLS to the Docker engine at {host} failed: {_first_line(causes[-1])}; check the port, "
            "DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"
        )
    if caused_by(requests.ConnectTimeout):
        return Unreachable(f"no answer from the Docker engine at {host}; check the address and the network")
    if caused_by(TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError):
        return TargetTimeout(
            f"the Docker engine at {host} did not answer in time when asked to {doing}; whether it did is unknown"
        )
    if caused_by(ConnectionError):
        return Unreachable(f"the connection to the Docker engine at {host} broke: {_first_line(causes[-1])}")
    return _odd(error, host, doing)


def _odd(error: Exception, host: str, doing: str) -> TargetError:
    if isinstance(error, requests.ConnectionError | urllib3.exceptions.HTTPError | OSError) and not isinstance(
        error, requests.exceptions.InvalidJSONError | requests.exceptions.InvalidURL
    ):
        return Unreachable(f"the connection to the Docker engine at {host} broke: {_first_line(error)}")
    if "bind address" in str(error):
        return Unreachable(
            f"{host!r} is not the address of a Docker engine; "
            "write for example unix:///var/run/docker.sock, tcp://docker-3:2376 or ssh://ops@docker-3"
        )
    return TargetError(f"what answers at {host} when asked to {doing} is no Docker engine: {_first_line(error)}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: object = error
    # What urllib3 keeps as the reason is mostly an exception, but text in those of TLS.
    while isinstance(cause, BaseException) and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__ or getattr(cause, "reason", None)


def _first_line(said: object) -> str:
    return next(iter(str(said).strip().splitlines()), "no message")
