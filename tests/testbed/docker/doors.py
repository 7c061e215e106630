"""Other ways to the real engine, on loopback: a forwarded TCP port, an ssh server, and doors that do not open."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread

ENGINE_SOCKET = "/var/run/docker.sock"


def free_port() -> int:
    """A port of loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def listening() -> Iterator[tuple[str, int]]:
    """Somebody who takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield "127.0.0.1", silent.getsockname()[1]


@contextmanager
def forwarded_engine(tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The real engine behind a TCP port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as open_:
        accepting = Thread(target=_accept, args=(listener, open_, tls), daemon=True)
        accepting.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(2)


def _accept(listener: socket.socket, open_: ExitStack, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        if tls is not None:
            try:
                near = tls.wrap_socket(near, server_side=True)
            except OSError:
                near.close()
                continue
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        far.connect(ENGINE_SOCKET)
        open_.callback(near.close)
        open_.callback(far.close)
        for source, sink in ((near, far), (far, near)):
            Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


class Certificates:
    """An authority, a server of 127.0.0.1 and a client, as files named the way Docker wants them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority",
                 "-keyout", str(folder / "ca-key.pem"), "-out", str(folder / "ca.pem"))  # fmt: skip
        self._sign("server", "server.pem", "server-key.pem", "subjectAltName=IP:127.0.0.1")
        self._sign("client", "cert.pem", "key.pem", "extendedKeyUsage=clientAuth")

    def server(self) -> ssl.SSLContext:
        """Lets in only who has a certificate of the authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server-key.pem")
        context.load_verify_locations(self.folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _sign(self, name: str, certificate: str, key: str, extension: str) -> None:
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(extension)
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                 "-keyout", str(self.folder / key), "-out", str(request))  # fmt: skip
        _openssl("x509", "-req", "-in", str(request), "-days", "2", "-CA", str(self.folder / "ca.pem"),
                 "-CAkey", str(self.folder / "ca-key.pem"), "-CAcreateserial",
                 "-extfile", str(extensions), "-out", str(self.folder / certificate))  # fmt: skip


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], capture_output=True, check=True, timeout=60)


def sshd_missing() -> str:
    """What is missing for :func:`ssh_server`; empty when nothing is."""
    tools = {
        "/usr/sbin/sshd": "openssh-server",
        "/usr/bin/ssh": "openssh-client",
        "/usr/bin/ssh-keygen": "openssh-client",
    }
    absent = sorted({package for path, package in tools.items() if not Path(path).exists()})
    return f"Debian packages {', '.join(absent)}" if absent else ""


class SshServer:
    """An sshd of its own on loopback, and the settings that an ``ssh`` needs to log in there."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._daemon: subprocess.Popen[bytes] | None = None
        for key in ("host", "user"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
            subprocess.run(argv, check=True, timeout=20)
        shutil.copy(folder / "user.pub", folder / "authorized")
        self.trust()
        self._settings(folder / "user")

    def start(self) -> None:
        """Serve; returns when it answers."""
        Path("/run/sshd").mkdir(exist_ok=True)
        options = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self._folder / "host",
            "AuthorizedKeysFile": self._folder / "authorized",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PidFile": "none",
            "SetEnv": f"PATH={os.environ['PATH']}",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        argv = ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", *words]
        with (self._folder / "sshd.log").open("wb") as log:
            self._daemon = subprocess.Popen(argv, stderr=log)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        raise AssertionError((self._folder / "sshd.log").read_text())

    def stop(self) -> None:
        """Serve no more."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(10)

    def trust(self, key: str = "host") -> None:
        """Take ``key`` for the one of the host."""
        kind, blob, *_ = (self._folder / f"{key}.pub").read_text().split()
        (self._folder / "known").write_text(f"[127.0.0.1]:{self.port} {kind} {blob}\n")

    def forget_user(self) -> None:
        """Let nobody in."""
        (self._folder / "authorized").write_text("")

    def break_docker(self) -> None:
        """Let logins find no docker command there."""
        key = (self._folder / "user.pub").read_text()
        (self._folder / "authorized").write_text(f'command="no-such-docker" {key}')

    @property
    def path(self) -> str:
        """A PATH whose ``ssh`` is the real one, with the settings of this server as those of the user."""
        return f"{self._folder / 'bin'}:{os.environ['PATH']}"

    def _settings(self, identity: Path) -> None:
        config = self._folder / "config"
        config.write_text(
            f"Host Engine-1\n  HostName 127.0.0.1\n  Port {self.port}\n"
            f"Host *\n  IdentityFile {identity}\n  IdentitiesOnly yes\n  UserKnownHostsFile {self._folder / 'known'}\n"
            "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n"
        )
        wrapper = self._folder / "bin" / "ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F "{config}" "$@"\n')
        wrapper.chmod(0o755)


_DISCOVER = """
import sys, time
from chaoskit.domain.errors import TargetError
from chaoskit.domain.targeting import DockerSelector
from chaoskit.targets.docker import DockerSource
try:
    source = DockerSource(DockerSelector(names=("*",)), default_host=sys.argv[1])
    source.discover()
    print("found", flush=True)
    time.sleep(float(sys.argv[2]))
    source.close()
except TargetError as error:
    print(type(error).__name__, error)
"""


def discover_as_nobody(host: str, timeout: float = 60) -> str:
    """What a user without any rights is told by a source for ``host``."""
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    argv = [*nobody, sys.executable, "-c", _DISCOVER, host, "0"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, cwd="/")
    return done.stdout + done.stderr


@contextmanager
def open_and_wait(host: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has a source open for ``host``; killed afterwards. Temporary files go to ``folder``."""
    argv = [sys.executable, "-c", _DISCOVER, host, "60"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "found\n"
        yield process
        process.kill()
