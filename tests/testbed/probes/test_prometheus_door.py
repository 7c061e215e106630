"""What may stand between the promql probe and Prometheus: logins, TLS, caches, redirects, and plain nonsense."""

import json
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from chaoskit.domain.checks import ProbeSpec
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.ports import Probe
from chaoskit.probes.build import build
from chaoskit.probes.prometheus_info import PrometheusInfo
from tests.patience import best_of_three
from tests.testbed.probes.conftest import Monitored
from tests.testbed.probes.parts import (
    HOST,
    Certificates,
    Reply,
    Seen,
    Server,
    black_hole,
    dripping,
    forward,
    raw_server,
    timely,
    wait_for,
)

TOKEN = "tok-3n-very-secret"


def probe(url: str, promql: str = "vector(1)", fresh_within: str = "15s", **connection: Any) -> Probe:
    prometheus = Prometheus.model_validate({"url": url, **connection})
    spec = ProbeSpec.model_validate({"promql": promql, "fresh_within": fresh_within})
    return build(spec, wants_number=True, prometheus=prometheus)


# --- logins -----------------------------------------------------------------------------------------------


def guarded(monitored: Monitored, wanted: str) -> Server:
    """A proxy that asks for a login and, as some do, repeats in its refusal what it was sent."""
    pass_on = forward(lambda: monitored.prometheus.port)

    def reply(seen: Seen) -> Reply:
        given = seen.headers.get("Authorization", "")
        return pass_on(seen) if given == wanted else Reply(json.dumps({"error": f"no: {given}"}).encode(), 401)

    return Server(reply)


def test_a_bearer_token_from_the_environment_opens_the_door(
    monitored: Monitored, monkeypatch: pytest.MonkeyPatch
) -> None:
    with guarded(monitored, f"Bearer {TOKEN}") as proxy:
        asks = probe(proxy.url, 'val{job="app"}', auth={"bearer": "env:PROM_TOKEN"})
        assert "PROM_TOKEN is not set; export it" in asks.sample().problem
        monkeypatch.setenv("PROM_TOKEN", TOKEN)
        assert asks.sample().values == (7.0,)
        monkeypatch.setenv("PROM_TOKEN", "wr0ng-but-secret")
        refused = asks.sample().problem
        assert "status 401: no: Bearer ***" in refused
        assert "wr0ng" not in refused
        monkeypatch.setenv("PROM_TOKEN", "two\nlines")
        assert "line break" in asks.sample().problem


def test_a_name_and_a_password_from_a_file_open_the_door(monitored: Monitored, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("pässword\n")
    basic = b64encode("reader:pässword".encode()).decode()
    auth = {"username": "reader", "password": f"file:{secret}"}
    with guarded(monitored, f"Basic {basic}") as proxy:
        asks = probe(proxy.url, auth=auth)
        assert asks.sample().values == (1.0,)
        secret.write_text("rotated")
        refused = asks.sample().problem
        assert "status 401" in refused
        assert "rotated" not in refused
        assert b64encode(b"reader:rotated").decode() not in refused
        assert "status 401" in PrometheusInfo(Prometheus.model_validate({"url": proxy.url, "auth": auth})).ready()


def test_a_redirect_is_told_and_not_followed_so_the_login_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROM_TOKEN", TOKEN)
    with Server(lambda _: Reply(b"{}")) as elsewhere:
        location = {"Location": f"{elsewhere.url}/api/v1/query?sig=hidden"}
        with Server(lambda _: Reply(b"", 302, location)) as door:
            problem = probe(door.url, auth={"bearer": "env:PROM_TOKEN"}).sample().problem
            assert f"redirects to {elsewhere.url}/api/v1/query, which is not followed" in problem
            assert "hidden" not in problem
        assert elsewhere.seen == []


def test_logins_and_proxies_of_the_environment_are_not_used(
    monitored: Monitored, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", f"http://{HOST}:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Server(forward(lambda: monitored.prometheus.port)) as door:
        assert probe(door.url).sample().values == (1.0,)
        assert all("Authorization" not in seen.headers for seen in door.seen)


# --- TLS --------------------------------------------------------------------------------------------------


def test_tls_is_verified_against_the_authority_that_is_given(monitored: Monitored, certificates: Certificates) -> None:
    with Server(forward(lambda: monitored.prometheus.port), certificates.context()) as door:
        assert "the certificate is not trusted" in probe(door.url).sample().problem
        assert probe(door.url, tls={"ca_file": certificates.ca}).sample().values == (1.0,)
        assert probe(door.url, tls={"verify": False}).sample().values == (1.0,)
        by_name = door.url.replace(HOST, "localhost")
        assert "localhost" in probe(by_name, tls={"ca_file": certificates.ca}).sample().problem
        missing = probe(door.url, tls={"ca_file": "/nowhere/ca.pem"}).sample().problem
        assert missing == "tls.ca_file /nowhere/ca.pem cannot be used (no such file or directory)"


def test_a_client_certificate_is_presented(monitored: Monitored, certificates: Certificates) -> None:
    with Server(forward(lambda: monitored.prometheus.port), certificates.context(ask_client=True)) as door:
        tls = {"ca_file": certificates.ca}
        assert probe(door.url, tls=tls).sample().problem
        tls |= {"cert_file": certificates.client, "key_file": certificates.client_key}
        assert probe(door.url, tls=tls).sample().values == (1.0,)
        tls |= {"key_file": certificates.server_key}
        assert "tls.cert_file" in probe(door.url, tls=tls).sample().problem


# --- nonsense, bounded ------------------------------------------------------------------------------------

HEADER = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "serve",
    [
        dripping(b"", b"", every=1),
        dripping(HEADER, b"X-More: 1\r\n", every=0.02),
        dripping(HEADER, b"x", every=0.05),
        dripping(HEADER + b"Content-Length: 100000\r\n\r\n", b" "),
        dripping(HEADER + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        dripping(HEADER + b"\r\n", b" "),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "headers", "one header", "body", "chunks", "body without end", "continue"],
)
def test_a_dripping_server_is_unknown_in_time(serve: Any) -> None:
    with raw_server(serve) as port:
        asks = probe(f"http://{HOST}:{port}", timeout="600ms")
        taken, _ = timely(asks)
        assert taken.problem
        assert taken.values == ()


def test_a_black_hole_is_unknown_in_time() -> None:
    with black_hole() as port:
        asks = probe(f"http://{HOST}:{port}", timeout="600ms")
        taken, took = timely(asks)
        assert "no answer within 0.6s" in taken.problem
        assert took > 0.5


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply(b" " * (5 << 20)), "larger than 4 MiB; aggregate the query"),
        (Reply(b"<html>hello</html>"), "not an answer of Prometheus"),
        (Reply(b"[" * 100_000), "not an answer of Prometheus"),
        (Reply(b'{"data": null}'), "not an answer of Prometheus"),
        (Reply(b'{"data": {"result": [{"metric": {}, "value": [1, "x"]}]}}'), "not an answer of Prometheus"),
        (Reply(b'{"data": {"result": {"metric": {}}}}'), "not an answer of Prometheus"),
        (Reply(b'{"data": {"result": [[], 4]}}'), "not an answer of Prometheus"),
        (Reply(b"no", 404), "check the path of prometheus.url"),
        (Reply(b"", 503), "status 503"),
        (
            Reply(b'{"data": {"result": []}, "warnings": ["store-2 did not answer"]}'),
            "may be incomplete: store-2 did not answer",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_answer_of_prometheus_is_unknown(reply: Reply, problem: str) -> None:
    with Server(lambda _: reply) as door:
        taken = probe(door.url).sample()
        assert problem in taken.problem
        assert (taken.values, taken.holds) == ((), None)
        assert PrometheusInfo(Prometheus(url=door.url)).version() is None


@pytest.mark.parametrize("url", ["http://[::1/x", "http://127.0.0.1:http/", "http://no-such-host.invalid:9090"])
def test_an_address_that_is_none_is_unknown(url: str) -> None:
    taken = probe(url).sample()
    assert taken.values == ()
    assert taken.problem
    assert PrometheusInfo(Prometheus(url=url)).ready()


def test_a_cache_in_front_of_prometheus_is_stale_once_it_has_stood_still(monitored: Monitored) -> None:
    for attempt in best_of_three():
        took = _seconds_until_a_cache_is_noticed(monitored)
        attempt.expect(took < 3.0, took)
        assert took > 1.5


def _seconds_until_a_cache_is_noticed(monitored: Monitored) -> float:
    pass_on, kept = forward(lambda: monitored.prometheus.port), dict[str, Reply]()

    def reply(seen: Seen) -> Reply:
        # The timeout changes with every request, which no cache would look at.
        key = seen.path.split("&timeout=")[0]
        return kept.setdefault(key, pass_on(seen))

    with Server(reply) as door:
        asks = probe(door.url, 'val{job="app"}', fresh_within="2s")
        begin = time.monotonic()
        assert asks.sample().values == (7.0,)
        wait_for(lambda: "is there a cache in front" in asks.sample().problem, 10)
        return time.monotonic() - begin


def test_the_lookback_is_sent_along_for_servers_that_honour_it(monitored: Monitored) -> None:
    with Server(forward(lambda: monitored.prometheus.port)) as door:
        probe(door.url, "up", fresh_within="7s").sample()
        assert "lookback_delta=7.000" in door.seen[0].path
        assert all("time=" not in seen.path.replace("timeout=", "") for seen in door.seen)


def test_a_refused_login_is_told_apart_from_a_missing_one(
    monitored: Monitored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROM_TOKEN", "wr0ng-but-secret")
    with Server(lambda _seen: Reply(b"", 401)) as proxy:
        assert "set prometheus.auth, for example" in probe(proxy.url).sample().problem
        assert "refuses this login; check" in probe(proxy.url, auth={"bearer": "env:PROM_TOKEN"}).sample().problem
