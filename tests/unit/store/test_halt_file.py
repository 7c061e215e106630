import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.store.halt_file import HaltFile, how_to_make, how_to_remove, look, make_room


def there(path: Path) -> HaltFile:
    found = look(path)
    assert found is not None
    return found


@pytest.mark.parametrize("where", ["halt", "no/such/folder/halt"])
def test_what_is_not_there_halts_nothing(tmp_path: Path, where: str) -> None:
    assert look(tmp_path / where) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no reason given"),
        (b"\nsecond line", "no reason given"),
        (b" \t \n", "no reason given"),
        (b"incident 42\ncall ada\n", "incident 42"),
        (b"incident 42\r\n", "incident 42"),
        (b"a\x1b[31mb\x00c\x07", "a[31mbc"),
        (b"a\xffb", "a\N{REPLACEMENT CHARACTER}b"),
        ("zu laut: übung\n".encode(), "zu laut: übung"),
        (b"x" * 10_000_000, "x" * 200),
    ],
)
def test_its_first_line_is_the_reason_as_far_as_it_can_be_shown(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "halt"
    path.write_bytes(content)
    assert there(path).reason == reason
    assert there(path).told == f"{reason} (halt file {path})"


def test_whoever_made_it_and_when_is_told(tmp_path: Path) -> None:
    path = tmp_path / "halt"
    path.touch()
    os.utime(path, (0, 1_700_000_000))
    assert there(path).who == path.owner()
    assert there(path).at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_a_file_of_an_odd_time_is_a_halt_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "halt"
    path.touch()
    seen = path.stat()
    far = os.stat_result((*seen[:8], 10**15, seen[9]), {"st_mtime": 1e15})
    assert HaltFile(path, "", far).at is None


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "dangling link", "loop"])
def test_whatever_is_there_is_a_halt_and_nothing_of_it_is_read(tmp_path: Path, kind: str) -> None:
    path, secret = tmp_path / "halt", tmp_path / "secret"
    secret.write_text("hunter2")
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link": secret, "dangling link": tmp_path / "gone", "loop": path}[kind])
    assert there(path).reason == "no reason given"


def test_what_cannot_be_looked_at_is_a_halt(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = there(tmp_path / "file" / "halt")
    assert found.reason == "whether it is there cannot be told: Not a directory"
    assert (found.who, found.at) == ("unknown", None)
    assert there(tmp_path / ("x" * 5000)).reason == "whether it is there cannot be told: File name too long"


def test_the_commands_that_make_and_remove_it_work_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "it's here"
    for _ in range(2):  # without its folder, and with it
        assert os.system(how_to_make(path)) == 0
        assert look(path) is not None
        assert os.system(how_to_remove(path)) == 0
        assert look(path) is None


def test_room_for_it_is_made_where_that_is_possible(tmp_path: Path) -> None:
    make_room(tmp_path / "state" / "chaoskit" / "halt")
    assert (tmp_path / "state" / "chaoskit").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    make_room(tmp_path / "file" / "folder" / "halt")
