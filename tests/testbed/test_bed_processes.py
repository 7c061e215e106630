"""The scripts of the bed as real processes, and the helpers that start and end them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psutil
import pytest
import requests

from chaoskit.demo import processes
from chaoskit.demo.bed import BedUnavailable
from chaoskit.demo.load import Felt, Load, ask, drive, new_felt
from chaoskit.demo.local_parts import SCRIPTS, free_ports
from chaoskit.demo.processes import Child
from chaoskit.demo.service import BoundedServer, make_handler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def redis() -> Iterator[socket.socket]:
    """A listening socket in the place of redis; what it says is up to the test."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(5)
        yield listening


def start_service(log: Path, *arguments: str) -> tuple[str, psutil.Process]:
    """Start the service as users do, by its file alone; returns its URL and process when it answers."""
    (port,) = free_ports(1)
    argv = (sys.executable, "-I", str(SCRIPTS / "service.py"), "--port", str(port), "--max-seconds", "60", *arguments)
    child = processes.spawn(argv, log)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 5
    while ask(f"{url}/healthz", timeout=0.5) != "200":
        assert time.monotonic() < deadline, processes.tail(log)
        time.sleep(0.02)
    return url, psutil.Process(child.pid)


def wait_for_line(log: Path, line: str) -> None:
    deadline = time.monotonic() + 5
    while line not in processes.tail(log):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_service_leaves_within_a_third_of_a_second(log: Path, number: signal.Signals) -> None:
    _, process = start_service(log)
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(5) == 0
    assert time.monotonic() - began < 0.3


def test_the_service_counts_what_it_answers(log: Path) -> None:
    url, process = start_service(log, "--name", "web-9", "--bed", "b")
    try:
        assert requests.get(f"{url}/", timeout=2).json()["name"] == "web-9"
        page = requests.get(f"{url}/metrics", timeout=2)
        assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert 'http_requests_total{code="200"} 1\n' in page.text
        assert "http_request_duration_seconds_count 1\n" in page.text
        assert requests.get(f"{url}/elsewhere", timeout=2).status_code == 404
    finally:
        processes.stop([process])


def test_visits_are_counted_on_redis(log: Path, redis: socket.socket) -> None:
    url, process = start_service(log, "--redis", f"127.0.0.1:{redis.getsockname()[1]}")
    try:
        answer = _ask_while(redis, url, b":8\r\n$1\r\n8\r\n")
        assert answer == ("200", b"INCR visits\r\nGET visits\r\n")
    finally:
        processes.stop([process])


def _ask_while(redis: socket.socket, url: str, reply: bytes) -> tuple[str, bytes]:
    """Ask the service while this thread plays redis; returns the status and what redis got."""
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(ask, f"{url}/")
        link, _ = redis.accept()
        with link:
            link.settimeout(2)
            got = link.recv(256)
            link.sendall(reply)
        return status.result(timeout=5), got


@pytest.mark.parametrize("reply", [b"-ERR broken\r\n-ERR broken\r\n", b"HTTP/1.1 400\r\n\r\n\r\n", b""])
def test_a_redis_that_talks_nonsense_or_nothing_is_a_503(log: Path, redis: socket.socket, reply: bytes) -> None:
    url, process = start_service(log, "--redis", f"127.0.0.1:{redis.getsockname()[1]}")
    try:
        assert _ask_while(redis, url, reply)[0] == "503"
    finally:
        processes.stop([process])


def test_without_its_redis_the_service_says_503_but_stays_healthy(log: Path) -> None:
    (nobody,) = free_ports(1)
    url, process = start_service(log, "--redis", f"127.0.0.1:{nobody}")
    try:
        assert requests.get(f"{url}/", timeout=2).status_code == 503
        assert requests.get(f"{url}/healthz", timeout=2).status_code == 200
        assert 'http_requests_total{code="503"} 1\n' in requests.get(f"{url}/metrics", timeout=2).text
    finally:
        processes.stop([process])


def test_a_full_server_hangs_up_on_the_next_and_serves_again_later() -> None:
    server = BoundedServer(("127.0.0.1", 0), make_handler("w", "b", None), limit=1)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/healthz"
    try:
        with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=2):
            time.sleep(0.1)
            assert ask(url) == "000"
        deadline = time.monotonic() + 3
        while ask(url) != "200":
            assert time.monotonic() < deadline
    finally:
        server.shutdown()
        server.server_close()


def test_a_child_goes_on_in_a_session_of_its_own_and_writes_its_log(log: Path) -> None:
    child = processes.spawn((sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"), log)
    wait_for_line(log, "here")
    process = processes.running(child)
    assert process is not None
    assert os.getsid(child.pid) == child.pid
    processes.stop([process])
    assert processes.running(child) is None


def test_a_recycled_pid_is_never_taken_for_our_child() -> None:
    mine = psutil.Process()
    assert processes.running(Child(mine.pid, mine.create_time())) is not None
    assert processes.running(Child(mine.pid, mine.create_time() - 5)) is None


def test_a_frozen_child_and_one_that_ignores_sigterm_are_ended_too(log: Path) -> None:
    frozen = processes.spawn((sys.executable, "-c", "import time; time.sleep(60)"), log)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    stubborn = processes.spawn((sys.executable, "-c", deaf), log)
    wait_for_line(log, "deaf")
    os.kill(frozen.pid, signal.SIGSTOP)
    processes.stop([psutil.Process(frozen.pid), psutil.Process(stubborn.pid)])
    assert processes.running(frozen) is None
    assert processes.running(stubborn) is None


def test_a_command_that_takes_too_long_is_ended_with_its_children(log: Path) -> None:
    began = time.monotonic()
    with pytest.raises(BedUnavailable, match="more than 0 s"):
        processes.run(["sh", "-c", "sleep 61 & echo $!; wait"], log, timeout=0.3)
    assert time.monotonic() - began < 3
    grandchild = int(log.read_text().split()[0])
    deadline = time.monotonic() + 3
    while psutil.pid_exists(grandchild) and psutil.Process(grandchild).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_command_that_fails_tells_its_last_lines(log: Path) -> None:
    with pytest.raises(BedUnavailable, match=r"(?s)ended with 3.*no such mirror"):
        processes.run(["sh", "-c", "echo no such mirror; exit 3"], log, timeout=5)


def test_a_program_that_does_not_exist_is_named(log: Path) -> None:
    with pytest.raises(BedUnavailable, match="no-such-program"):
        processes.spawn(("no-such-program",), log)
    with pytest.raises(BedUnavailable, match="no-such-program"):
        processes.run(["no-such-program"], log, timeout=1)


def recorded(felt: Felt) -> dict[str, int]:
    lines = (line for line in felt.requests.lines() if not line.startswith("#"))
    return {line.split('code="')[1][:3]: int(line.rsplit(" ", 1)[1]) for line in lines}


def test_load_keeps_its_rate_whatever_the_service_does(redis: socket.socket) -> None:
    """The socket accepts and never answers: users behind two stuck ones get nothing, and that is counted."""
    felt = new_felt(["mute"])
    load = Load("mute", f"http://127.0.0.1:{redis.getsockname()[1]}/", rate=50, workers=2)
    began = time.monotonic()
    drive(load, felt, threading.Event(), max_seconds=1.0)
    assert 0.9 < time.monotonic() - began < 1.5
    assert recorded(felt) == {"000": 48, "200": 0, "503": 0}


def test_load_on_nobody_counts_every_request_as_unanswered() -> None:
    (nobody,) = free_ports(1)
    felt = new_felt(["gone"])
    drive(Load("gone", f"http://127.0.0.1:{nobody}/", rate=50, workers=4), felt, threading.Event(), max_seconds=0.4)
    deadline = time.monotonic() + 2
    while recorded(felt)["000"] < 20:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert recorded(felt) == {"000": 20, "200": 0, "503": 0}


def test_load_stops_at_once_when_told_to() -> None:
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    drive(Load("x", "http://127.0.0.1:1/", rate=1, workers=1), new_felt(["x"]), stop, max_seconds=60)
    assert time.monotonic() - began < 0.5
