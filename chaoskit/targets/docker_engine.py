"""One Docker engine: where it is, how to talk to it, and how a person would."""

import math
import os
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import docker
from docker.tls import TLSConfig
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnectionPool
from docker.utils import kwargs_from_env

from chaoskit.domain.errors import VersionMismatch
from chaoskit.targets.docker_errors import translated
from chaoskit.targets.docker_ssh import SshBridge

_ANY_URL = "http+docker://localhost"
DEFAULT_HOST = "unix:///var/run/docker.sock"


def engine_host(selected: str | None, default: str | None, environ: Mapping[str, str]) -> str:
    """The address of the engine: the selector's, the configured one, ``DOCKER_HOST``, or the local socket."""
    host = selected or default or environ.get("DOCKER_HOST") or DEFAULT_HOST
    return DEFAULT_HOST if host == "unix://" else host


def command_of(host: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The docker command line as far as the connection goes; explicit, for contexts and DOCKER_HOST differ by shell."""
    command = ("docker", "--host", host)
    if host.startswith("tcp://") and (environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_CERT_PATH")):
        folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        verify = "--tlsverify" if environ.get("DOCKER_TLS_VERIFY") else "--tls"
        files = (("--tlscacert", "ca.pem"), ("--tlscert", "cert.pem"), ("--tlskey", "key.pem"))
        return (*command, verify, *(f"{option}={folder / name}" for option, name in files))
    return command


class _Client(docker.APIClient):
    """Trusts the authority of ``DOCKER_CERT_PATH`` even where ``REQUESTS_CA_BUNDLE`` names another one."""

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """The session's own authority counts as given with the request, which alone overrules the environment."""
        return super().merge_environment_settings(url, proxies, stream, self.verify if verify is None else verify, cert)


class _OneSocket(UnixHTTPAdapter):
    """Keeps connections for the next request; the SDK opens one for every URL, and behind ssh each takes a login."""

    def get_connection(self, url: bytes | str, proxies: object = None) -> UnixHTTPConnectionPool:  # noqa: ARG002
        """All URLs lead to the one engine, so they share one pool."""
        return super().get_connection(_ANY_URL)


class Engine:
    """A Docker engine that answered. Every request is bounded by ``timeout`` seconds; close it after use."""

    def __init__(self, host: str, timeout: float) -> None:
        """Connect, and ask the engine for its name. Raises TargetError."""
        self.host = host
        self.timeout = timeout
        self.command = command_of(host, os.environ)
        self._bridge = SshBridge(host, timeout) if host.startswith("ssh://") else None
        self._complaint: Callable[[], str] = self._bridge.complaint if self._bridge else str
        self._api: docker.APIClient | None = None
        try:
            with self.doing("tell its name"):
                self._api = self._connect()
                facts = self._api.info()
                self.name = str(facts.get("Name") or facts.get("ID") or host)
        except BaseException:
            self.close()
            raise

    @property
    def api(self) -> docker.APIClient:
        """The SDK's client; use it inside :meth:`doing`."""
        if self._api is None:
            raise AssertionError("an engine that did not answer is never handed out")
        return self._api

    @property
    def local(self) -> bool:
        """Whether its address is a socket of this machine, so that its processes may be ours too."""
        return self.host.startswith("unix://")

    def doing(self, what: str) -> AbstractContextManager[None]:
        """Around requests: their failures become errors of our tree. ``what`` is a verb phrase (``pause web-1``)."""
        return translated(self.host, what, self._complaint)

    def close(self) -> None:
        """Close every connection."""
        if self._api is not None:
            self._api.close()
        if self._bridge is not None:
            self._bridge.close()

    def _connect(self) -> docker.APIClient:
        if self._bridge is not None:
            return _over_socket(self._bridge.url, self.timeout)
        if self.local:
            _knock(self.host.removeprefix("unix://"), self.timeout)
            return _over_socket(self.host, self.timeout)
        tls = kwargs_from_env({**os.environ, "DOCKER_HOST": self.host}).get("tls", False)
        return _client(self.host, self.timeout, tls=tls)


def _client(url: str, timeout: float, *, tls: TLSConfig | bool = False) -> docker.APIClient:
    version = os.environ.get("DOCKER_API_VERSION") or "auto"
    if not re.fullmatch(r"auto|\d+\.\d+", version):
        raise VersionMismatch(f"DOCKER_API_VERSION is {version!r}, which is no version; unset it, or write 1.41 say")
    return _Client(base_url=url, version=version, timeout=math.ceil(timeout), tls=tls)


def _over_socket(url: str, timeout: float) -> docker.APIClient:
    api = _client(url, timeout)
    api.get_adapter(_ANY_URL).close()
    api.mount(_ANY_URL, _OneSocket(f"http+{url}", math.ceil(timeout)))
    return api


def _knock(path: str, timeout: float) -> None:
    """See that somebody listens at the socket; the SDK leaves its own socket open when nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.settimeout(timeout)
        knock.connect(path)
