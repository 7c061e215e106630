"""Real servers to probe: exporters, Prometheus itself, a proxy with login and TLS, and servers that misbehave."""

import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple, Self

import psutil

from chaoskit.domain.ports import Probe, Sample
from tests.patience import best_of_three

HOST = "127.0.0.1"


class Reply(NamedTuple):
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = {}


class Seen(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Server:
    """An HTTP server on a free loopback port that answers with ``reply`` and remembers what it was asked."""

    def __init__(self, reply: Callable[[Seen], Reply], context: ssl.SSLContext | None = None) -> None:
        self.reply = reply
        self.seen: list[Seen] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen = Seen(self.command, self.path, dict(self.headers), body)
                outer.seen.append(seen)
                reply = outer.reply(seen)
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    with suppress(ConnectionError):
                        self.wfile.write(reply.body)

            do_GET = do_POST = do_HEAD = do_PUT = do_OPTIONS = _answer  # noqa: N815 names that the standard library asks for

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # clients that hang up, or that do not trust us, are what the tests are about

        self._http = Quiet((HOST, 0), Handler)
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.scheme = "http" if context is None else "https"
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"{self.scheme}://{HOST}:{self.port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server on a free loopback port; ``serve`` gets each connection. Gives the port."""
    with socket.create_server((HOST, 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    Thread(target=_serve_quietly, args=(serve, listener.accept()[0]), daemon=True).start()

        thread = Thread(target=accept, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _serve_quietly(serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.settimeout(10)
        connection.recv(65536)
        serve(connection)


def dripping(first: bytes, drop: bytes, every: float = 0.1, longest: float = 15.0) -> Callable[[socket.socket], None]:
    """Send ``first``, then ``drop`` again and again, so that no single read ever times out."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(first)
        end = time.monotonic() + longest
        while time.monotonic() < end:
            connection.sendall(drop)
            time.sleep(every)

    return serve


@contextmanager
def black_hole() -> Iterator[int]:
    """A port whose backlog is full: the kernel drops every further SYN. Gives the port."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        time.sleep(0.05)
        try:
            yield int(listener.getsockname()[1])
        finally:
            for filler in fillers:
                filler.close()


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


# --- Prometheus -------------------------------------------------------------------------------------------


class PrometheusServer:
    """A real Prometheus that scrapes ``jobs`` (name to ports) every second, on a free loopback port."""

    def __init__(self, folder: Path, jobs: Mapping[str, list[int]]) -> None:
        binary = shutil.which("prometheus")
        assert binary is not None
        self._argv = [
            binary,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={HOST}:0",
        ]
        self._folder = folder
        self.jobs = jobs
        self.start()

    def start(self) -> None:
        (self._folder / "prometheus.yml").write_text(_config(self.jobs))
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        self.port = _listening_port(self.process.pid)
        wait_for(self._is_ready, 15)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        """End it gently, so that what was scraped is kept."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def _is_ready(self) -> bool:
        connection = HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _config(jobs: Mapping[str, list[int]]) -> str:
    lines = ["global: {scrape_interval: 1s}", "scrape_configs:"] if jobs else ["global: {scrape_interval: 1s}"]
    for job, ports in jobs.items():
        targets = ", ".join(f'"{HOST}:{port}"' for port in ports)
        lines += [f"- job_name: {job}", f"  static_configs: [{{targets: [{targets}]}}]"]
    return "\n".join(lines) + "\n"


def _listening_port(pid: int) -> int:
    process = psutil.Process(pid)

    def port() -> int:
        found = [c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        return found[0] if found else 0

    wait_for(lambda: bool(port()), 15)
    return port()


def timely(asks: Probe) -> tuple[Sample, float]:
    """A sample that took no longer than the bound that its probe states, and the seconds it took."""
    for attempt in best_of_three():
        begin = time.monotonic()
        taken = asks.sample()
        took = time.monotonic() - begin
        attempt.expect(took < asks.bound, took)
    return taken, took


def wait_for(holds: Callable[[], bool], within: float) -> float:
    """Wait until ``holds``; gives the seconds it took."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < within, f"not within {within}s"
        time.sleep(0.05)
    return time.monotonic() - begin


def forward(port: Callable[[], int]) -> Callable[[Seen], Reply]:
    """Pass a request on to the server at ``port`` and its answer back."""

    def reply(seen: Seen) -> Reply:
        connection = HTTPConnection(HOST, port(), timeout=5)
        try:
            connection.request(seen.method, seen.path)
            response = connection.getresponse()
            return Reply(response.read(), response.status)
        finally:
            connection.close()

    return reply


# --- certificates -----------------------------------------------------------------------------------------


class Certificates(NamedTuple):
    """A certificate authority of our own, with what it signed for the server and for a client."""

    ca: str
    server: str
    server_key: str
    client: str
    client_key: str

    def context(self, *, ask_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.server_key)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context


def make_certificates(folder: Path) -> Certificates:
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    subject = ("-subj", "/CN=chaoskit test CA")
    _openssl("req", "-x509", *_KEY, "-keyout", ca_key, "-out", ca, "-days", "2", *subject)
    made = [ca]
    for name, extension in (("server", f"subjectAltName=IP:{HOST}"), ("client", "extendedKeyUsage=clientAuth")):
        cert, key, request, ext = (folder / f"{name}.{kind}" for kind in ("pem", "key", "csr", "ext"))
        ext.write_text(extension)
        _openssl("req", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        _openssl(
            *("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial"),
            *("-out", cert, "-days", "2", "-extfile", ext),
        )
        made += [cert, key]
    return Certificates(*map(str, made))


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)
