"""What stands for a secret: one list of words for files that are refused and reports that hide."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chaoskit.domain.checks import HttpProbe, ProbeSpec
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.secrecy import check_argv, check_body, check_url, is_reference, names_secret
from chaoskit.faults.process_kill import ProcessKill
from chaoskit.reports.clean import redact

SECRET = "s3cr3t-7f3a"
NAMES = [
    "Authorization", "authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "apikey", "api_key",
    "X-Vault-Token", "PRIVATE-TOKEN", "X-Auth-Token", "X-Auth", "DD-APPLICATION-KEY", "Ocp-Apim-Subscription-Key",
    "X-Amz-Signature", "X-Session-Id", "X-Jwt-Assertion", "client_secret", "X-Password", "X-Credential",
]  # fmt: skip
OTHERS = [
    "Accept", "Content-Type", "Host", "User-Agent", "X-Tenant", "X-Author", "X-Authors", "Authority", "Keep-Alive",
    "Keywords", "Cassandra-Keyspace", "Idempotency-Key", "Sec-WebSocket-Key", "Origin", "Range", "If-None-Match",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_header_that_sounds_like_a_secret_must_say_where_it_is(name: str) -> None:
    assert names_secret(name)
    with pytest.raises(ValidationError, match=f"{name} holds a secret.*{name}: env:NAME or {name}: file:PATH") as why:
        HttpProbe(url="http://web/", headers={name: SECRET})
    assert SECRET not in why.value.errors()[0]["msg"]
    for reference in ("env:THE_TOKEN", "file:/run/secrets/the token"):
        assert HttpProbe(url="http://web/", headers={name: reference}).headers == {name: reference}


@pytest.mark.parametrize("name", OTHERS)
def test_other_headers_are_written_out(name: str) -> None:
    assert not names_secret(name)
    assert HttpProbe(url="http://web/", headers={name: "x"}).headers == {name: "x"}


@pytest.mark.parametrize("text", ["env:", "env:9X", "env:A B", "file:", "abc", "", "ENV:X", " env:X", "env:X\nY"])
def test_what_is_no_reference_hides_no_secret(text: str) -> None:
    assert not is_reference(text)
    with pytest.raises(ValidationError):
        HttpProbe(url="http://web/", headers={"X-Token": text})


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"url": f"http://web/?api_key={SECRET}"}, r"the URL holds a secret \(api_key\)"),
        ({"url": f"http://web/x?a=1&access_token={SECRET}#top"}, r"the URL holds a secret \(access_token\)"),
        ({"url": f"http://web/?sig={SECRET}"}, r"the URL holds a secret \(sig\)"),
        ({"body": f"user=ada&password={SECRET}"}, r"the body holds a secret \(password\)"),
        ({"body": f'{{"client_secret": "{SECRET}"}}'}, r"the body holds a secret \(client_secret\)"),
        ({"body": f"api-key: {SECRET}"}, r"the body holds a secret \(api-key\)"),
    ],
)
def test_urls_and_bodies_hold_no_secret(spec: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what) as why:
        HttpProbe.model_validate({"url": "http://web/", **spec})
    assert SECRET not in why.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    "spec",
    [
        {"url": "http://web/tokens?page=2&design=flat&q=a%20b"},
        {"url": "http://web/?token=&x=1"},
        {"body": "user=ada&page=2"},
        {"body": '{"key": "a", "query": "{ authors { name } }"}'},
        {"body": '{"password": ""}'},
        {"body": "file:/run/secrets/login.json"},
        {"body": "env:LOGIN"},
    ],
)
def test_other_urls_and_bodies_may_be_written_out(spec: dict[str, Any]) -> None:
    HttpProbe.model_validate({"url": "http://web/", **spec})


def test_the_address_of_prometheus_holds_no_secret_either() -> None:
    with pytest.raises(ValidationError, match=r"the URL holds a secret \(token\)"):
        Prometheus(url=f"https://prometheus.example/?token={SECRET}")


COMMANDS = {
    "--password": ["mysqladmin", f"--password={SECRET}", "ping"],
    "--access-token": ["probe", "--access-token", SECRET],
    "-token": ["consul", f"-token={SECRET}", "members"],
    "--requirepass": ["redis-server", "--requirepass", SECRET],
    "-a": ["/usr/bin/redis-cli", "-a", SECRET, "ping"],
    "-u": ["curl", f"-uada:{SECRET}", "http://web/"],
    "X-Vault-Token": ["curl", "-H", f"X-Vault-Token: {SECRET}", "http://web/"],
    "Authorization": ["curl", "-H", f"Authorization: Bearer {SECRET}", "http://web/"],
    "api_key": ["curl", f"http://web/?api_key={SECRET}"],
    "PGPASSWORD": ["sh", "-c", f"PGPASSWORD={SECRET} psql"],
    "a login in a URL": ["psql", f"postgresql://ada:{SECRET}@db/shop"],
}


@pytest.mark.parametrize("where", COMMANDS)
def test_command_lines_hold_no_secret(where: str) -> None:
    words = COMMANDS[where]
    for build in (
        lambda: ProbeSpec.model_validate({"command": {"run": words}}),
        lambda: ProcessKill.model_validate({"restart": words}),
    ):
        with pytest.raises(ValidationError, match=re.escape(f"the command line holds a secret ({where})")) as why:
            build()
        assert SECRET not in why.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    "words",
    [
        ["psql", "--no-password", "shop"],
        ["probe", "--password-file", "/run/secrets/x", "--token-file=/run/t"],
        ["probe", "--password"],
        ["probe", "--token", "--verbose"],
        ["probe", "--token="],
        ["redis-cli", "ping", "-a"],
        ["docker", "run", "-u", "1000:1000", "alpine"],
        ["curl", "-H", "Accept: text/plain", "http://web/?page=1"],
        ["ssh", "ops@web", "systemctl", "is-active", "nginx"],
        ["setpriv", "--reuid=33", "--regid=33", "--groups=4,33", "--", "/usr/sbin/nginx", "-g", "daemon off;"],
    ],
)
def test_other_command_lines_may_be_written_out(words: list[str]) -> None:
    assert check_argv(words) == words


PIECES = st.text("-_abcdeknopstuwxyEKTY:=/@?& ", max_size=60)


@given(PIECES, st.lists(PIECES, max_size=4))
def test_a_check_returns_what_it_was_given_or_says_what_is_wrong(text: str, words: list[str]) -> None:
    refusal = r"\A(the URL|the command line) holds a (secret|password)"
    with suppress_refusal(refusal):
        assert check_url(text) == text
    with suppress_refusal(refusal):
        assert check_argv([text, *words]) == [text, *words]


@contextmanager
def suppress_refusal(words: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if not re.match(words, str(error)):
            raise


@pytest.mark.parametrize(
    "text", ["a-" * 50_000, "a" * 100_000, "?token" * 20_000, "://" + "a:" * 40_000, "x-key" * 9_999]
)
def test_long_texts_cost_little_time(text: str) -> None:
    start = time.process_time()
    names_secret(text)
    redact(text)
    for check in (check_url, check_body):
        with suppress_refusal(""):
            check(text)
    with suppress_refusal(""):
        check_argv([text, text])
    assert time.process_time() - start < 2
