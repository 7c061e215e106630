"""Whatever the SDK raises, an error of our tree leaves the seam, and it says what to do."""

import inspect
import socket
import ssl
from types import ModuleType

import docker.errors
import pytest
import requests
import urllib3.exceptions

from chaoskit.domain.errors import (
    AccessDenied,
    TargetError,
    TargetGone,
    TargetTimeout,
    Unreachable,
    VersionMismatch,
)
from chaoskit.targets.docker_errors import FAILURES, translate, translated

HOST = "unix:///var/run/docker.sock"


def exceptions_of(module: ModuleType) -> list[type[Exception]]:
    return [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Exception) and not issubclass(kind, Warning)
    ]


ALL = sorted({*exceptions_of(docker.errors), *exceptions_of(requests.exceptions)}, key=lambda kind: kind.__name__)


def some(kind: type[Exception]) -> Exception:
    """An instance with no more inside than the class allows."""
    try:
        return kind("broken")
    except TypeError:
        return kind.__new__(kind)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_exception_of_the_sdk_is_caught_and_translated(kind: type[Exception]) -> None:
    error = some(kind)
    assert isinstance(error, FAILURES)
    translation = translate(error, HOST, "pause web-1")
    assert isinstance(translation, TargetError)
    assert HOST in str(translation)


@pytest.mark.parametrize("error", [OSError("odd"), urllib3.exceptions.ProtocolError("cut"), ConnectionResetError()])
def test_what_lies_below_the_sdk_is_translated_too(error: Exception) -> None:
    assert isinstance(translate(error, HOST, "pause web-1"), Unreachable)


def caused(cause: BaseException) -> Exception:
    """As the SDK wraps it: three layers above the cause."""
    wrapped = docker.errors.DockerException("Error while fetching server API version: …")
    wrapped.__context__ = requests.ConnectionError("Connection aborted.")
    wrapped.__context__.__context__ = cause
    return wrapped


@pytest.mark.parametrize(
    ("cause", "kind", "advice"),
    [
        (FileNotFoundError(2, "No such file"), Unreachable, "start it, or set DOCKER_HOST"),
        (ConnectionRefusedError(111, "refused"), Unreachable, "start it, or set DOCKER_HOST"),
        (PermissionError(13, "Permission denied"), AccessDenied, "group docker"),
        (ConnectionResetError(104, "Connection reset by peer"), Unreachable, "broke"),
        (socket.gaierror(-2, "Name or service not known"), Unreachable, "check its spelling"),
        (ssl.SSLError(1, "wrong version number"), Unreachable, "DOCKER_CERT_PATH"),
        (TimeoutError("timed out"), TargetTimeout, "whether it did is unknown"),
        (requests.ReadTimeout(), TargetTimeout, "whether it did is unknown"),
        (requests.ConnectTimeout(), Unreachable, "check the address"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_cause_at_the_bottom_decides(cause: Exception, kind: type[TargetError], advice: str) -> None:
    translation = translate(caused(cause), HOST, "pause web-1")
    assert type(translation) is kind
    assert advice in str(translation)


def answered(status: int, explanation: str) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = status
    return docker.errors.APIError("…", response=response, explanation=explanation)


@pytest.mark.parametrize(
    ("status", "explanation", "kind"),
    [
        (404, "No such container: 3192c3b7c7e5", TargetGone),
        (404, 'no container with name or ID "web" found', TargetGone),
        (404, "network front not found", TargetError),
        (404, "No such exec instance", TargetError),
        (409, "Container web-1 is already paused", TargetError),
        (500, "Container web-1 is not paused", TargetError),
        (400, "client version 1.99 is too new. Maximum supported API version is 1.41", VersionMismatch),
        (400, "client version 1.24 is too old. Minimum supported API version is 1.44", VersionMismatch),
        (400, "bad parameter", TargetError),
        (401, "unauthorized", AccessDenied),
        (403, "<html><body><h1>403 Forbidden</h1>", AccessDenied),
        (403, "authorization denied by plugin opa", AccessDenied),
        (403, "Address already in use", TargetError),
    ],
)
def test_an_answer_of_the_engine_is_told_by_its_meaning(status: int, explanation: str, kind: type[TargetError]) -> None:
    translation = translate(answered(status, explanation), HOST, "connect web-1 to front")
    assert type(translation) is kind
    assert HOST in str(translation)


def test_only_a_missing_container_is_a_target_that_is_gone() -> None:
    """Reporting a missing network as a missing target would end an intention that is not undone."""
    assert not isinstance(translate(answered(404, "network abc not found"), HOST, "connect"), TargetGone)


@pytest.mark.parametrize(
    ("complaint", "kind", "advice"),
    [
        ("Host key verification failed.", AccessDenied, "compare the key"),
        ("ops@docker-3: Permission denied (publickey).", AccessDenied, "ssh-agent"),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            AccessDenied,
            "group docker",
        ),
        ("ssh: Could not resolve hostname docker-3: Name or service not known", Unreachable, "spelling"),
        ("ssh: connect to host docker-3 port 22: Connection refused", Unreachable, "sshd runs"),
        ("ssh: connect to host docker-3 port 22: Connection timed out", Unreachable, "in time"),
        ("bash: line 1: docker: command not found", Unreachable, "install Docker"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", Unreachable, "start it"),
    ],
)
def test_what_ssh_says_is_told_with_advice(complaint: str, kind: type[TargetError], advice: str) -> None:
    translation = translate(caused(ConnectionResetError()), "ssh://docker-3", "list containers", complaint)
    assert type(translation) is kind
    assert advice in str(translation)


def test_an_answer_counts_more_than_what_ssh_said_before() -> None:
    translation = translate(
        answered(404, "No such container: x"), "ssh://docker-3", "pause web-1", "Connection refused"
    )
    assert type(translation) is TargetGone


def test_a_chatty_ssh_does_not_hide_a_timeout() -> None:
    assert type(translate(requests.ReadTimeout(), "ssh://docker-3", "pause web-1", "Welcome!")) is TargetTimeout


def test_errors_of_our_own_pass_the_seam_unchanged() -> None:
    own = TargetGone("gone")
    with pytest.raises(TargetGone) as caught, translated(HOST, "look"):
        raise own
    assert caught.value is own


def test_defects_of_our_own_are_not_disguised() -> None:
    with pytest.raises(KeyError), translated(HOST, "look"):
        raise KeyError("State")
