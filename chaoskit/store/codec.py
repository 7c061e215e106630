"""Values to text and back, without loss.

ASCII JSON, so that whatever a target calls itself survives in any database: control characters and undecodable
bytes are escaped, infinities and NaN keep Python's spelling (strict JSON would turn them into null).
"""

import json
from collections.abc import Collection
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from chaoskit.domain.errors import StoreFailed
from chaoskit.domain.quantities import Value

T = TypeVar("T")


def to_text(value: Value, *, without: Collection[str] = ()) -> str:
    """``value`` as ASCII JSON, its fields named as in files, leaving out ``without``."""
    # No warnings: what does not fit its field is refused by proven_text, in words.
    dumped = value.model_dump(mode="json", by_alias=True, exclude=set(without), warnings=False)
    return json.dumps(dumped, separators=(",", ":"))


def from_text(kind: TypeAdapter[T], text: str, where: str) -> T:
    """The value that ``text`` holds. Raises StoreFailed naming ``where`` (a row, in words)."""
    try:
        parts = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreFailed(f"{where} cannot be read: {error}") from None
    return from_parts(kind, parts, where)


def from_parts(kind: TypeAdapter[T], parts: object, where: str) -> T:
    """The value of ``kind`` that has these parts. Raises StoreFailed naming ``where`` and the first wrong part."""
    try:
        return kind.validate_python(parts)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise StoreFailed(f"{where} cannot be read: {at or 'the whole'}: {first['msg']}") from None


def proven_text(kind: TypeAdapter[T], value: Value, where: str, *, without: Collection[str] = ()) -> str:
    """``value`` as text that was read back and came out the same: after a crash it is all there is.

    Raises StoreFailed when it does not, before anything is written.
    """
    text = to_text(value, without=without)
    again = from_text(kind, text, f"{where} must not be written, because it")
    if not isinstance(again, Value) or to_text(again, without=without) != text:
        raise StoreFailed(f"{where} must not be written, because it would read back as something else")
    return text


def plain(text: str) -> str:
    r"""``text`` fit for a text column of any database: undecodable bytes and NUL become ``\udc80``, ``\x00``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
