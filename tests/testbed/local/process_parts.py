"""Real processes to break: a small HTTP server, alone or under a supervisor, and a neighbour nobody may touch."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from chaoskit.domain.ports import Target, TargetRef
from chaoskit.domain.targeting import LocalSelector
from chaoskit.targets.local import LocalSource

HOST = "127.0.0.1"
TOKEN = f"local-contract-{os.getpid()}"
SERVE = """
import http.server, os, pathlib, sys, time
port = pathlib.Path("port")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.getcwd()} {os.environ.get('GREETING', '')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", int(port.read_text()) if port.exists() else 0), Handler)
new = port.with_suffix(".new")
new.write_text(str(server.server_port))
new.replace(port)
server.timeout = 1
until = time.monotonic() + 120
while time.monotonic() < until:
    server.handle_request()
"""
COMMAND = (sys.executable, "serve.py", f"--bed={TOKEN}")
"""Relative on purpose: it only works in the folder of the original."""
SUPERVISE = (
    "import subprocess, sys, time\n"
    "for _ in range(100):\n"
    "    subprocess.run(sys.argv[1:], timeout=120)\n"
    "    time.sleep(0.2)\n"
)


class Alive(NamedTuple):
    """One process as /proc shows it, looked at without chaoskit."""

    pid: int
    state: str
    started: str


def look(pid: int) -> Alive | None:
    """The process of ``pid``; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # What sleeps now and runs in a moment has not changed.
    return None if fields[0] in "ZX" else Alive(pid, "T" if fields[0] == "T" else "R", fields[19])


def living_in(folder: Path) -> list[Alive]:
    """Every process whose working folder is ``folder``, by age."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and (entry / "cwd").readlink() == folder:
                found.append(look(int(entry.name)))
    return sorted((alive for alive in found if alive), key=lambda alive: int(alive.started))


def wait_for(holds: Callable[[], bool], within: float = 5.0) -> None:
    """Wait until ``holds``; fail when it takes longer."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within}s"
        time.sleep(0.02)


class ServerBed:
    """One HTTP server in a folder of its own, and a neighbour that runs the same program elsewhere."""

    def __init__(self, folder: Path, *, select_by: str, supervised: bool) -> None:
        self.folder = (folder / "bed").resolve()
        self._supervised = supervised
        self._neighbour = (folder / "neighbour").resolve()
        self._children = [self._start(self._neighbour, (sys.executable, "serve.py", "--neighbour"))]
        supervise = (sys.executable, "-c", SUPERVISE) if supervised else ()
        self._children.append(self._start(self.folder, (*supervise, *COMMAND)))
        for place in (self._neighbour, self.folder):
            wait_for((place / "port").exists)
        self._port = int((self.folder / "port").read_text())
        self.selector = (
            LocalSelector(port=self._port) if select_by == "port" else LocalSelector(cmdline=f"serve.py --bed={TOKEN}")
        )
        (self.ref,) = LocalSource(self.selector).discover()

    @staticmethod
    def _start(folder: Path, argv: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        folder.mkdir()
        (folder / "serve.py").write_text(SERVE)
        return subprocess.Popen(
            argv,
            cwd=folder,
            env={**os.environ, "GREETING": "s3cret greeting"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def server(self) -> Alive | None:
        """The process that serves now, or last."""
        return next(reversed(living_in(self.folder)), None)

    def open(self) -> AbstractContextManager[Target]:
        ref = TargetRef.model_validate_json(self.ref.model_dump_json())
        return LocalSource(self.selector).open(ref)

    def group(self) -> dict[str, object]:
        return {"local": self.selector.model_dump(exclude_none=True)}

    def answer(self) -> str:
        connection = HTTPConnection(HOST, self._port, timeout=0.3)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except (OSError, HTTPException):
            return ""
        finally:
            connection.close()

    def facts(self) -> object:
        return self.answer(), [alive.state for alive in living_in(self.folder)], self._port

    def trace(self) -> object:
        return self.facts(), living_in(self.folder), sorted(path.name for path in self.folder.iterdir())

    def serving(self) -> bool:
        return bool(self.answer())

    def bystanders(self) -> object:
        return living_in(self._neighbour)

    def stop(self) -> None:
        """End everything of the bed, its supervisor first, so that nobody starts it again."""
        for alive in living_in(self.folder):
            with suppress(ProcessLookupError):
                os.kill(alive.pid, signal.SIGKILL)
        wait_for(lambda: not living_in(self.folder))

    def remove(self) -> None:
        self.stop()
        (self.folder / "serve.py").unlink()

    def close(self) -> None:
        self.stop()
        for child in self._children:
            child.kill()
            child.wait(5)


@contextmanager
def server_bed(select_by: str = "port", *, supervised: bool = False) -> Iterator[ServerBed]:
    """A fresh bed, gone at the end."""
    with TemporaryDirectory() as folder:
        bed = ServerBed(Path(folder), select_by=select_by, supervised=supervised)
        try:
            yield bed
        finally:
            bed.close()
