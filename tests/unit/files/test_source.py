"""Reading a named file: every way it can go wrong, none of which hangs or reads on for ever."""

import io
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaoskit.domain.errors import InvalidExperiment, InvalidSettings
from chaoskit.files.source import LIMIT, check_characters, read_text


def refusal(path: Path | str) -> str:
    with pytest.raises(InvalidExperiment) as caught:
        read_text(str(path))
    return str(caught.value).replace(str(Path(path).parent), "DIR")


def test_a_file_is_read_and_its_byte_order_mark_left_out(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: caf\xc3\xa9\r\n\ttab \xf0\x9f\x92\xa5")
    assert read_text(str(file)) == "name: café\r\n\ttab 💥"


def test_a_missing_file_is_named_with_one_that_is_nearly_it(tmp_path: Path) -> None:
    (tmp_path / "replica-loss.yaml").touch()
    near = tmp_path / "replicaloss.yaml"
    assert refusal(near) == "DIR/replicaloss.yaml: does not exist; did you mean DIR/replica-loss.yaml?"
    assert refusal(tmp_path / "x.yaml") == "DIR/x.yaml: does not exist; check the path"
    assert refusal(tmp_path / "no" / "x.yaml") == "DIR/x.yaml: does not exist; check the path"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).endswith(f"{tmp_path.name}: is a directory; name a file in it")


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert refusal(tmp_path / "a" / "b.yaml") == "DIR/b.yaml: cannot be read: Not a directory; check the path"


def test_a_name_no_file_can_have_is_refused(tmp_path: Path) -> None:
    assert "cannot be read: File name too long" in refusal(tmp_path / ("x" * 300))
    assert "a\\x00b: cannot be read: embedded null byte" in refusal("a\0b")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything, so root becomes nobody for a moment."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_file_of_others_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.touch(mode=0o000)
    with as_nobody():
        assert refusal(file) == "DIR/a.yaml: may not be read by this user; check its permissions (ls -l)"


def test_pipes_sockets_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert refusal(pipe) == "DIR/pipe: is not an ordinary file; pipe its text in and write - as the file name"
    assert "/zero: is not an ordinary file" in refusal("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert "DIR/socket: cannot be read: " in refusal(tmp_path / "socket")


def test_text_up_to_the_limit_is_read_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"x" * LIMIT)
    assert len(read_text(str(file))) == LIMIT
    file.write_bytes(b"x" * (LIMIT + 1))
    assert refusal(file) == "DIR/a.yaml: is larger than 1 MiB; an experiment file is a page or two"


def test_an_endless_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "sparse.yaml"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    assert "is larger than 1 MiB" in refusal(file)


def test_what_is_not_utf_8_is_refused_with_its_line_and_byte(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"a: 1\nb: caf\xe9\n")
    assert refusal(file) == "DIR/a.yaml:2: is not UTF-8 (byte 11 is 0xe9); save the file as UTF-8"
    file.write_bytes("a: 1".encode("utf-16"))
    assert refusal(file) == "DIR/a.yaml:1: is not UTF-8 (it looks like UTF-16); save the file as UTF-8"


@pytest.mark.parametrize(
    ("character", "name"),
    [("\0", "U+0000"), ("\x1b", "U+001B"), ("\x85", "U+0085"), ("\u2028", "U+2028"), ("\u202e", "U+202E")],
)
def test_characters_that_hide_what_a_file_says_are_refused(character: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(f"a: 1\nbé: {character}x\n".encode())
    assert refusal(file) == f"DIR/a.yaml:2:5: holds the character {name}, which hides what the file says; remove it"


def test_a_lone_surrogate_in_text_given_directly_is_refused() -> None:
    with pytest.raises(InvalidExperiment, match=r"<text>:1:4: holds the character U\+D800"):
        check_characters("a: \ud800", "<text>", InvalidExperiment)


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: 1")))
    assert read_text("-") == "a: 1"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * (LIMIT + 5))))
    with pytest.raises(InvalidExperiment, match="<stdin>: is larger than 1 MiB"):
        read_text("-")


def test_without_standard_input_a_dash_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InvalidExperiment, match="<stdin>: is closed; name a file"):
        read_text("-")


def test_a_reader_of_settings_gets_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="does not exist"):
        read_text(str(tmp_path / "chaoskit.toml"), InvalidSettings)


def test_a_name_with_control_characters_cannot_steer_the_terminal(tmp_path: Path) -> None:
    assert refusal(tmp_path / "\x1b[31mred") == "DIR/\\x1b[31mred: does not exist; check the path"
