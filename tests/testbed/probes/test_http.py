"""The http probe against real servers that answer, refuse, hang, drip and lie."""

import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chaoskit.domain.checks import ProbeSpec
from chaoskit.domain.ports import Probe
from chaoskit.probes.build import build
from tests.patience import best_of_three
from tests.testbed.probes.parts import (
    HOST,
    Certificates,
    Reply,
    Seen,
    Server,
    black_hole,
    closed_port,
    dripping,
    raw_server,
    timely,
    wait_for,
)


def probe(url: str, **spec: Any) -> Probe:
    parsed = ProbeSpec.model_validate({"http": {"url": url, "within": "1s", **spec}})
    return build(parsed, wants_number=False, prometheus=None)


def test_an_answer_in_time_holds_and_its_latency_is_the_number() -> None:
    def slowly(_: Seen) -> Reply:
        time.sleep(0.2)
        return Reply(b"fine")

    with Server(slowly) as server:
        begin = time.monotonic()
        taken = probe(server.url + "/healthz").sample()
        took = time.monotonic() - begin
        assert (taken.holds, taken.problem) == (True, "")
        assert len(taken.values) == 1
        assert 0.2 <= taken.values[0] <= took


def test_method_headers_body_and_login_are_sent_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE_TOKEN", "s3cret")
    with Server(lambda _: Reply(b"", 201)) as server:
        asks = probe(
            server.url + "/a%20b/ü?q=1%202&page=t",
            method="POST",
            status=[200, 201],
            headers={"X-Tenant": "chaos", "Content-Type": "application/json"},
            body='{"ü": 1}',
            auth={"bearer": "env:PAGE_TOKEN"},
        )
        assert asks.sample().holds is True
        (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/a%20b/%C3%BC?q=1%202&page=t")
    assert seen.body == '{"ü": 1}'.encode()
    assert seen.headers["X-Tenant"] == "chaos"
    assert seen.headers["Authorization"] == "Bearer s3cret"
    assert seen.headers["User-Agent"].startswith("chaoskit/")
    assert seen.headers["Host"] == f"{HOST}:{server.port}"


def test_headers_and_a_body_by_reference_are_read_anew_for_each_sample_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    body = tmp_path / "login.json"
    body.write_text('{\n  "password": "s3cret-one"\n}\n')
    monkeypatch.setenv("VAULT", "s3cret-one")
    with Server(lambda _: Reply(b"", 403)) as server:
        asks = probe(server.url, method="POST", headers={"X-Vault-Token": "env:VAULT"}, body=f"file:{body}")
        assert asks.sample().holds is False
        monkeypatch.setenv("VAULT", "s3cret-two")
        assert asks.sample().holds is False
        assert [seen.headers["X-Vault-Token"] for seen in server.seen] == ["s3cret-one", "s3cret-two"]
        assert {seen.body for seen in server.seen} == {b'{\n  "password": "s3cret-one"\n}'}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_every_method_is_asked_and_a_head_has_no_body(method: str) -> None:
    with Server(lambda _: Reply(b"hello")) as server:
        assert probe(server.url, method=method).sample().holds is True
        assert server.seen[0].method == method


def test_the_text_asked_for_must_be_in_the_body() -> None:
    with Server(lambda _: Reply("größe: ready".encode())) as server:
        assert probe(server.url, body_contains="größe").sample().holds is True
        taken = probe(server.url, body_contains="steady").sample()
        assert (taken.holds, taken.problem) == (False, f"{server.url}: the body does not hold the text asked for")


# --- the system said no -----------------------------------------------------------------------------------


def test_another_status_does_not_hold_and_a_redirect_is_just_its_status() -> None:
    with Server(lambda _: Reply(b"", 302, {"Location": "/login"})) as server:
        taken = probe(server.url + "/?ticket=hidden").sample()
        assert (taken.holds, taken.problem) == (False, f"{server.url}/: status 302, not 200")
        assert len(taken.values) == 1
        assert probe(server.url, status=302).sample().holds is True
        assert [seen.path for seen in server.seen] == ["/?ticket=hidden", "/"]


def test_a_closed_port_does_not_hold() -> None:
    taken = probe(f"http://{HOST}:{closed_port()}").sample()
    assert (taken.holds, taken.values) == (False, ())
    assert taken.problem.endswith(": connection refused")


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


HEADER = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("serve", "problem"),
    [
        (_reset, "connection reset by peer"),
        (lambda _: None, "the connection was closed without an answer"),
        (lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), "what came back is not HTTP (BadStatusLine)"),
        (lambda c: c.sendall(HEADER + b"Content-Length: 9\r\n\r\nhalf"), "closed in the middle of the answer"),
        (lambda c: c.sendall(HEADER + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"), "in the middle of the answer"),
        (lambda c: c.sendall(HEADER + b"A: b\r\n" * 200), "what came back is not HTTP (HTTPException)"),
        (dripping(b"", b"", every=1), "no answer within 0.5s"),
        (dripping(HEADER, b"X-More: 1\r\n", every=0.02), "no answer within 0.5s"),
        (dripping(HEADER + b"Content-Length: 100000\r\n\r\n", b" "), "no answer within 0.5s"),
        (dripping(HEADER + b"\r\n", b" "), "no answer within 0.5s"),
    ],
    ids=["reset", "hang up", "ssh", "short", "short chunk", "headers", "silence", "drip headers", "drip", "endless"],
)
def test_half_an_answer_does_not_hold_and_never_takes_longer_than_within(serve: Any, problem: str) -> None:
    with raw_server(serve) as port:
        asks = probe(f"http://{HOST}:{port}", within="500ms")
        taken, _ = timely(asks)
        assert taken.holds is False
        assert problem in taken.problem


def test_a_black_hole_does_not_hold_in_time() -> None:
    with black_hole() as port:
        asks = probe(f"http://{HOST}:{port}", within="500ms")
        taken, took = timely(asks)
        assert taken.holds is False
        assert took > 0.4


def test_a_frozen_server_does_not_hold_until_it_thaws() -> None:
    code = (
        "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler);"
        "print(s.server_port, flush=True); s.serve_forever()"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        asks = probe(f"http://{HOST}:{int(server.stdout.readline())}", within="500ms")
        assert asks.sample().holds is True
        server.send_signal(signal.SIGSTOP)
        assert "no answer within 0.5s" in asks.sample().problem
        server.send_signal(signal.SIGCONT)
        wait_for(lambda: asks.sample().holds is True, 5)
    finally:
        server.kill()
        server.wait(5)
        assert server.stdout is not None
        server.stdout.close()


def test_a_certificate_that_is_not_trusted_does_not_hold(certificates: Certificates) -> None:
    with Server(lambda _: Reply(b"ok"), certificates.context()) as server:
        taken = probe(server.url).sample()
        assert taken.holds is False
        assert "the certificate is not trusted" in taken.problem
        assert probe(server.url, tls={"ca_file": certificates.ca}).sample().holds is True
        assert probe(server.url, tls={"verify": False}).sample().holds is True


def test_a_plain_server_behind_https_and_a_dripping_handshake_do_not_hold() -> None:
    with raw_server(dripping(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x")) as port:
        taken = probe(f"https://{HOST}:{port}").sample()
        assert taken.holds is False
        assert "TLS failed" in taken.problem
    with raw_server(dripping(b"\x16\x03\x03\x40\x00", b"\x02")) as port:
        asks = probe(f"https://{HOST}:{port}", within="500ms")
        assert "no answer within 0.5s" in timely(asks)[0].problem


def test_the_first_address_of_a_name_need_not_answer() -> None:
    """``localhost`` may be ::1 first, where this server does not listen."""
    with Server(lambda _: Reply(b"ok")) as server:
        assert probe(f"http://localhost:{server.port}").sample().holds is True


# --- we could not ask -------------------------------------------------------------------------------------


def test_a_name_that_does_not_resolve_is_unknown() -> None:
    taken = probe("http://no-such-host.invalid/").sample()
    assert (taken.holds, taken.values) == (None, ())
    assert "the name no-such-host.invalid " in taken.problem


def test_a_resolver_that_never_answers_is_unknown_in_time(tmp_path: Path) -> None:
    """In a network of its own, whose only name server takes questions and keeps silent."""
    (tmp_path / "resolv.conf").write_text(f"nameserver {HOST}\n")
    script = tmp_path / "ask.py"
    script.write_text(
        "import socket, time\n"
        "from chaoskit.domain.checks import HttpProbe\n"
        "from chaoskit.probes.http import HttpRequestProbe\n"
        "silent = socket.socket(type=socket.SOCK_DGRAM); silent.bind(('127.0.0.1', 53))\n"
        "begin = time.monotonic()\n"
        "spec = HttpProbe.model_validate({'url': 'http://web.example/', 'within': '700ms'})\n"
        "taken = HttpRequestProbe(spec).sample()\n"
        "print(f'{time.monotonic() - begin:.3f}', taken.holds, taken.problem)\n"
    )
    inside = 'mount --bind "$1" /etc/resolv.conf && ip link set lo up && exec "$2" "$3"'
    argv = ["unshare", "--net", "--mount", "sh", "-c", inside, "sh", str(tmp_path / "resolv.conf")]
    for attempt in best_of_three():
        done = subprocess.run(
            [*argv, sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
        )
        if "unshare failed" in done.stderr or "permission denied" in done.stderr.lower():
            pytest.skip(f"missing capability: a network namespace of our own ({done.stderr.strip()})")
        took, holds, problem = done.stdout.split(" ", 2)
        attempt.expect(float(took) < 1.2, done)
        assert float(took) > 0.6
        assert holds == "None"
        assert problem.strip() == "the name web.example was not resolved within 0.7s"


def test_missing_secrets_and_files_are_unknown() -> None:
    with Server(lambda _: Reply(b"ok")) as server:
        assert probe(server.url, auth={"bearer": "env:NO_SUCH_TOKEN"}).sample().holds is None
        for spec in ({"headers": {"X-Token": "env:NO_SUCH_TOKEN"}}, {"body": "env:NO_SUCH_TOKEN", "method": "POST"}):
            taken = probe(server.url, **spec).sample()
            assert (taken.holds, "NO_SUCH_TOKEN is not set" in taken.problem) == (None, True)
        assert server.seen == []
    taken = probe("https://127.0.0.1:1/", tls={"ca_file": "/nowhere.pem"}).sample()
    assert (taken.holds, taken.problem) == (
        None,
        "tls.ca_file /nowhere.pem cannot be used (no such file or directory)",
    )


@pytest.mark.parametrize("url", ["http://[::1/x", "http://127.0.0.1:http/", "http://127.0.0.1:99999/", "http://%/"])
def test_an_address_that_is_none_is_unknown(url: str) -> None:
    taken = probe(url).sample()
    assert (taken.holds, taken.values) == (None, ())
    assert taken.problem


def test_a_header_that_cannot_be_sent_is_unknown_and_not_shown() -> None:
    with Server(lambda _: Reply(b"ok")) as server:
        taken = probe(server.url, headers={"X-Label": "hidden\r\nX-Injected: 1"}).sample()
    assert taken.holds is None
    assert "a header holds what cannot be sent" in taken.problem
    assert "hidden" not in taken.problem


def test_no_free_socket_is_unknown() -> None:
    with Server(lambda _: Reply(b"ok")) as server:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        os.close(lowest_free := os.dup(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            taken = probe(server.url).sample()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert taken.holds is None
    assert "this machine could not connect (too many open files)" in taken.problem


def test_a_body_too_large_to_search_is_unknown_but_its_status_and_time_still_hold() -> None:
    with Server(lambda _: Reply(b"x" * (3 << 20) + b"needle")) as server:
        assert probe(server.url).sample().holds is True
        taken = probe(server.url, body_contains="needle").sample()
    assert taken.holds is None
    assert "the first 1024 KiB of the body do not hold the text, and more was not read" in taken.problem
