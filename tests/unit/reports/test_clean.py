import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.reports.clean import presentable, redact, redacted, visible
from tests.unit.reports.factory import experiment, record

WORD = st.text("abcdefghXYZ0123456789-_", min_size=12, max_size=30)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("postgresql://ada:s3cr3t@db/runs", "postgresql://***@db/runs"),
        ("redis://:s3cr3t@cache:6379/0", "redis://***@cache:6379/0"),
        ("http://ada:p@ss@host/", "http://***@host/"),
        ("https://ghp_abc123@github.example/x", "https://***@github.example/x"),
        ("GET http://web/?user=1&api_key=abc&x=2", "GET http://web/?user=1&api_key=***&x=2"),
        ("http://web/?access_token=abc#top", "http://web/?access_token=***#top"),
        ("sent Bearer eyJhbGciOi0.abc", "sent Bearer ***"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: ***"),
        ('headers: {"X-Api-Key": "abc", "Accept": "*"}', 'headers: {"X-Api-Key": "***", "Accept": "*"}'),
        ("X-Vault-Token: abc", "X-Vault-Token: ***"),
        ("curl -H 'PRIVATE-TOKEN: abc' http://web/", "curl -H 'PRIVATE-TOKEN: ***' http://web/"),
        ('{"client_secret": "abc", "x": 1}', '{"client_secret": "***", "x": 1}'),
        ("{apikey: abc, accept: x}", "{apikey: ***}"),
    ],
)
def test_what_looks_like_a_credential_is_hidden(said: str, shown: str) -> None:
    assert redact(said) == shown


@pytest.mark.parametrize(
    "said",
    [
        "docker://engine:2375/web-1@0a1b2c",
        "ssh://ops@docker-3",
        "http://prometheus:9090/api/v1/query?query=up",
        'sum(rate(http_requests_total{code!~"5.."}[15s]))',
        "bearer: env:PROM_TOKEN",
        "headers: {X-Vault-Token: env:VAULT_TOKEN}",
        '"X-Vault-Token":   "file:/run/secrets/vault token"',
        "auth: {bearer: env:PROM_TOKEN}",
        "shop-auth: connection refused",
        "unexpected token: )",
        "author: ada",
        "a basic check of the replica",
        "mail to ada@example.org: done",
    ],
)
def test_what_is_no_credential_stays_as_it_is(said: str) -> None:
    assert redact(said) == said


@settings(deadline=None, max_examples=25)
@given(user=WORD, password=WORD)
def test_no_password_of_a_url_survives_anywhere_in_a_record(user: str, password: str) -> None:
    leaked = record(
        readings=(),
        events=(),
        errors=(f"cannot reach mysql://{user}:{password}@db/x",),
        text=f"# http://{user}:{password}@p",
    )
    assert password not in redacted(leaked).model_dump_json()
    assert password not in presentable(leaked).model_dump_json()


def test_the_value_of_a_secret_header_is_hidden_whatever_it_looks_like() -> None:
    # No file may hold such a header; a record of another version might.
    headers = {"X-Auth-Token": "short", "Accept": "*/*", "X-Vault-Token": "env:VAULT_TOKEN"}
    asked = experiment(steady_state=[{"name": "page", "http": {"url": "http://web/"}}])
    (check,) = asked.steady_state
    assert check.http is not None
    kept = check.model_copy(update={"http": check.http.model_copy(update={"headers": headers})})
    shown = redacted(record(experiment=asked.model_copy(update={"steady_state": (kept,)}))).experiment.steady_state[0]
    assert shown.http is not None
    assert shown.http.headers == {**headers, "X-Auth-Token": "***"}


@given(st.text())
def test_redacting_twice_changes_nothing_more(said: str) -> None:
    assert redact(redact(said)) == redact(said)


@given(st.text())
def test_nothing_unseen_is_left_in_what_is_visible(said: str) -> None:
    left = {unicodedata.category(char) for char in visible(said) if char not in "\n\t"}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    assert not any(char in visible(said) for char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe")


def test_signs_stand_for_what_was_unseen() -> None:
    assert visible("\x1b[31mred\x00 \u202egpj.exe\r\nnext\tcell\x7f") == "␛[31mred␀ ⟨U+202E⟩gpj.exe\nnext\tcell␡"


def test_right_to_left_text_itself_is_untouched() -> None:
    assert visible("שירות التشغيل") == "שירות التشغيل"


def test_a_record_without_anything_to_hide_is_the_same_object() -> None:
    whole = record()
    assert redacted(whole) is whole
