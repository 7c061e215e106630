"""A second Docker engine that may be stopped and killed without anybody noticing, and a way to it that can break."""

import json
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, Literal, Self

import pytest

from tests.testbed.docker.docker_parts import ENDS_ON_TERM, busybox, image_tar
from tests.testbed.trouble.kit import seconds_until

IMAGE = "trouble"
SHARED = "/var/run/docker.sock"
"""The socket of the engine that all tests share, and that nobody may stop."""
PULSE = 0.02


class SecondEngine:
    """An engine of our own in network and mount namespaces of its own, so that no other one can be disturbed.

    ``options`` are dockerd's. Containers of it have no network.
    """

    def __init__(self, *options: str) -> None:
        if missing := _missing():
            pytest.skip(f"missing capability: {missing}")
        self._folder = Path(tempfile.mkdtemp(prefix="ck-engine-"))
        self._options = options
        self._home = subprocess.Popen(["unshare", "--net", "--mount", "--propagation", "private", "sleep", "600"])
        self._daemon: subprocess.Popen[bytes] | None = None
        self.host = f"unix://{self._folder}/socket"
        try:
            seconds_until(self._has_moved, "namespaces of its own")
            # An engine of the machine's own containerd would be a part of that one's.
            self._within("sh", "-c", "mkdir -p /run/containerd; mount -t tmpfs none /run/containerd")
            self.start()
            self._import()
        except BaseException:
            self.close()
            raise

    # --- its life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert self._has_moved(), "beside another engine, in its namespaces, it would disturb that one"
        data, run = (str(self._folder / name) for name in ("data", "run"))
        places = ["--data-root", data, "--exec-root", run, "--pidfile", f"{self._folder}/pid", "--host", self.host]
        network = ["--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [*self._enter, "dockerd", *places, *network, *self._options], stdout=log, stderr=log
            )
        seconds_until(self._answers, f"the second engine answers; {self._folder / 'log'}", every=0.1)

    def stop(self) -> None:
        """End it in order; unless it keeps its containers alive, it ends them too."""
        assert self._daemon is not None
        self._daemon.terminate()
        self._daemon.wait(60)

    def close(self) -> None:
        """Leave nothing behind."""
        try:
            if self._daemon is not None:
                if self._daemon.poll() is not None:
                    self.start()
                if made := self.docker("ps", "--all", "--quiet").split():
                    self.docker("rm", "--force", *made)
                self.stop()
        finally:
            self._home.kill()
            self._home.wait(10)
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what it does ----------------------------------------------------------------------------------

    def docker(self, *words: str) -> str:
        """What ``docker <words>`` prints, here."""
        done = self._ask(*words)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.decode().strip()

    def container(self, *options: str) -> str:
        """A running container; its full id. It has no network of its own and ends on SIGTERM."""
        script = ENDS_ON_TERM
        return self.docker("run", "--detach", "--network", "none", *options, IMAGE, "/bin/sh", "-c", script)

    def selector(self, container: str) -> dict[str, Any]:
        """How an experiment finds a container."""
        name = self.docker("inspect", "--format", "{{.Name}}", container).removeprefix("/")
        return {"docker": {"names": [name]}}

    def state(self, container: str) -> dict[str, Any]:
        """What it tells of a container's state."""
        facts: dict[str, Any] = json.loads(self.docker("inspect", container))[0]["State"]
        return facts

    # --- parts -----------------------------------------------------------------------------------------

    @property
    def _enter(self) -> list[str]:
        return ["nsenter", "--net", "--mount", "--target", str(self._home.pid)]

    def _has_moved(self) -> bool:
        ours, its = (Path(f"/proc/{who}/ns/net").readlink() for who in ("self", self._home.pid))
        assert self._home.poll() is None, "this machine gives no namespaces"
        return ours != its and Path(f"/proc/{self._home.pid}/comm").read_text().strip() == "sleep"

    def _within(self, *argv: str) -> None:
        subprocess.run([*self._enter, *argv], check=True, timeout=20)

    def _answers(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, (self._folder / "log").read_text()[-2000:]
        return self._ask("version").returncode == 0

    def _ask(self, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        plain = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
        argv = ["docker", "--host", self.host, *words]
        return subprocess.run(argv, env=plain, input=given, capture_output=True, timeout=60, check=False)

    def _import(self) -> None:
        binary = busybox()
        assert binary is not None
        done = self._ask("import", "-", IMAGE, given=image_tar(binary))
        assert done.returncode == 0, done.stderr


def _missing() -> str:
    tools = [tool for tool in ("dockerd", "docker", "unshare", "nsenter") if shutil.which(tool) is None]
    if os.geteuid() != 0 or busybox() is None or tools:
        return f"an engine of our own: root, a static busybox, {', '.join(tools) or 'dockerd'}"
    return ""


class Way:
    """A TCP port of loopback that leads to the engine at ``socket_path``, until it is frozen, closed or reset."""

    def __init__(self, socket_path: str) -> None:
        self._engine = socket_path
        self._state: Literal["open", "frozen", "closed", "reset"] = "open"
        self._listener = self._listen(0)
        self.port = int(self._listener.getsockname()[1])

    @property
    def host(self) -> str:
        """What stands in DOCKER_HOST."""
        return f"tcp://127.0.0.1:{self.port}"

    def freeze(self) -> None:
        """Take calls, and pass nothing on."""
        self._state = "frozen"

    def reset(self) -> None:
        """Every connection, present and future, is reset."""
        self._state = "reset"

    def close(self) -> None:
        """Nobody listens any more, and what is connected ends."""
        self._state = "closed"
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def mend(self) -> None:
        """Lead to the engine again."""
        self._state = "open"
        if self._listener.fileno() == -1:
            self._listener = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                Thread(target=self._carry, args=(listener.accept()[0],), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as far, suppress(OSError):
            far.connect(self._engine)
            other = {near: far, far: near}
            while self._state in {"open", "frozen"}:
                if self._state == "frozen":
                    time.sleep(PULSE)
                    continue
                for source in select.select(list(other), [], [], PULSE)[0]:
                    piece = source.recv(65536)
                    if not piece:
                        return
                    other[source].sendall(piece)
            if self._state == "reset":
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
