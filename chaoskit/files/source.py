"""Reading the text of a file that a person named: bounded, never hanging, every failure explained."""

import os
import stat
import sys
from contextlib import suppress
from typing import TextIO

from chaoskit.domain.errors import InvalidExperiment, InvalidInput
from chaoskit.files.characters import find_unsafe
from chaoskit.files.places import Place, Problem, printable

LIMIT = 1 << 20
"""The most bytes a file may have: 1 MiB."""

STDIN = "-"
_BOM = "\ufeff"


def read_text(path: str, refusal: type[InvalidInput] = InvalidExperiment) -> str:
    """The text of the file at ``path``, or of standard input for ``-``; a byte order mark is left out.

    Raises ``refusal`` when the file cannot be read, is not an ordinary file, is longer than 1 MiB, is not UTF-8,
    or holds characters that have no place in text. At most 1 MiB and one byte are ever read.
    """
    name = shown_name(path)
    data = _read_stdin(refusal) if path == STDIN else _read_file(path, refusal)
    if len(data) > LIMIT:
        raise refusal(f"{name}: is larger than 1 MiB; an experiment file is a page or two")
    text = _decode(data, name, refusal).removeprefix(_BOM)
    check_characters(text, name, refusal)
    return text


def shown_name(path: str) -> str:
    """What messages call the file at ``path``."""
    return "<stdin>" if path == STDIN else printable(path)


def _read_stdin(refusal: type[InvalidInput]) -> bytes:
    # Python has no sys.stdin at all when it was started with a closed one.
    stdin: TextIO | None = sys.stdin
    if stdin is None:
        raise refusal("<stdin>: is closed; name a file")
    return stdin.buffer.read(LIMIT + 1)


def _read_file(path: str, refusal: type[InvalidInput]) -> bytes:
    try:
        return _read_ordinary(path, refusal)
    except FileNotFoundError:
        raise refusal(f"{printable(path)}: does not exist; {_nearby(path)}") from None
    except PermissionError:
        raise refusal(f"{printable(path)}: may not be read by this user; check its permissions (ls -l)") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise refusal(f"{printable(path)}: cannot be read: {why}; check the path") from None


def _read_ordinary(path: str, refusal: type[InvalidInput]) -> bytes:
    # Without O_NONBLOCK the open itself would wait for somebody to write into a named pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise refusal(f"{printable(path)}: is a directory; name a file in it")
        if not stat.S_ISREG(mode):
            raise refusal(f"{printable(path)}: is not an ordinary file; pipe its text in and write - as the file name")
        return _read_all(descriptor)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    parts: list[bytes] = []
    left = LIMIT + 1
    while left and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _nearby(path: str) -> str:
    folder, name = os.path.split(path)
    with suppress(OSError, ValueError):
        from difflib import get_close_matches

        if near := get_close_matches(name, os.listdir(folder or "."), n=1):  # noqa: PTH208 a name is all we need
            return f"did you mean {printable(os.path.join(folder, near[0]))}?"  # noqa: PTH118 keeps the path as written
    return "check the path"


def _decode(data: bytes, name: str, refusal: type[InvalidInput]) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        hint = "it looks like UTF-16" if utf16 else f"byte {error.start} is 0x{data[error.start]:02x}"
        raise refusal(f"{name}:{line}: is not UTF-8 ({hint}); save the file as UTF-8") from None


def check_characters(text: str, name: str, refusal: type[InvalidInput]) -> None:
    """Raise ``refusal`` when ``text`` holds a control character or another that hides what the file says."""
    if found := find_unsafe(text):
        offset, character = found
        line = text.count("\n", 0, offset) + 1
        column = offset - (text.rfind("\n", 0, offset) + 1) + 1
        what = f"holds the character {character}, which hides what the file says; remove it"
        raise refusal(Problem((), what, Place(line, column)).written(name))
