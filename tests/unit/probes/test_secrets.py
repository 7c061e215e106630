"""Secrets by reference: read when used, shown never."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from chaoskit.domain.connection import Auth
from chaoskit.domain.errors import InvalidInput
from chaoskit.probes.web import login, place
from chaoskit.secrets import redact, resolve


def test_a_secret_comes_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKEN", "abc")
    (tmp_path / "token").write_text("dëf\r\n")
    assert resolve("env:TOKEN").get_secret_value() == "abc"
    assert resolve(f"file:{tmp_path / 'token'}").get_secret_value() == "dëf"
    assert "abc" not in repr(resolve("env:TOKEN"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"s3cret\nmore", "a line break"),
        (b"s3cret\x00", "a control character"),
        (b"s3cret\xff", "not UTF-8"),
        (b"s3cret" * 20_000, "larger than 64 KiB"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_being_shown(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(InvalidInput, match=why) as raised:
        resolve(f"file:{tmp_path / 'token'}")
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ("env:NO_SUCH_TOKEN", "NO_SUCH_TOKEN is not set; export it before you start chaoskit"),
        ("file:/nowhere/token", r"cannot be read \(No such file or directory\)"),
        ("s3cret-token", "written as a reference, for example env:PROM_TOKEN"),
    ],
)
def test_a_missing_secret_says_what_to_do(ref: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as raised:
        resolve(ref)
    assert "s3cret-token" not in str(raised.value)


def test_longer_secrets_are_hidden_first_and_an_empty_one_hides_nothing() -> None:
    secrets = [SecretStr("ab"), SecretStr("abcd"), SecretStr("")]
    assert redact("x abcd ab", secrets) == "x *** ***"


def test_a_login_is_a_header_and_every_form_of_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "open sesame")
    known = login(Auth(username="ali", password="env:PASSWORD"))
    assert known.headers == {"Authorization": "Basic YWxpOm9wZW4gc2VzYW1l"}
    assert redact("open sesame YWxpOm9wZW4gc2VzYW1l", known.secrets) == "*** ***"
    assert login(None).headers == {}


def test_a_place_is_shown_without_its_query() -> None:
    assert place("https://web:8443/a/b?token=s3cret#x") == "https://web:8443/a/b"
