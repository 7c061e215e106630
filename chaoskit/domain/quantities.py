"""Numbers with units, as people write them in an experiment file.

Durations are floats of seconds, sizes are ints of bytes, percentages are exact decimals: ``29%`` of 100 targets
is 29, which binary floating point would round down to 28.
"""

import math
import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,18})?"  # bounded, so that no text is too large to compute with exactly
_PLAIN = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_DURATION_PART = re.compile(rf"({_NUMBER})(us|ms|s|m|h|d)")
DURATION_PATTERN = rf"^(?:{_NUMBER}(?:us|ms|s|m|h|d))+$"
SIZE_PATTERN = rf"^{_NUMBER}(?:B|kB|MB|GB|KiB|MiB|GiB)$"
PERCENT_PATTERN = rf"^{_NUMBER}%$"
QUANTITY_PATTERN = rf"^(?:{_PLAIN}|(?:{_NUMBER}(?:us|ms|s|m|h|d))+|{_NUMBER}(?:B|kB|MB|GB|KiB|MiB|GiB|%))$"
LONGEST_SECONDS = 7 * 86400.0


class Value(BaseModel):
    """The root of every value of the domain: frozen, and strict about what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)


def parse_duration(text: Any) -> float:
    """Seconds in ``text`` such as ``300ms``, ``90s`` or ``1h30m``; at most seven days.

    Raises ValueError for a bare number, a sign, an unknown unit, or anything longer.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise ValueError(f"a duration needs a unit; write {shown(text)}s or {shown(text)}ms")
    if not isinstance(text, str) or not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{shown(text)} is not a duration; write for example 300ms, 90s, 5m or 1h30m")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    if seconds > LONGEST_SECONDS:
        raise ValueError(f"{text} is longer than the longest duration chaoskit accepts, 7d")
    return round(seconds, 6)


def format_duration(seconds: float) -> str:
    """The shortest exact way to write ``seconds`` so that :func:`parse_duration` reads the same value."""
    microseconds = round(seconds * 1e6)
    for unit, size in (("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000)):
        if microseconds and microseconds % size == 0:
            return f"{microseconds // size}{unit}"
    return f"{microseconds}us" if microseconds else "0s"


def parse_size(text: Any) -> int:
    """Bytes in ``text`` such as ``512MiB`` or ``2GB``, rounded down. Raises ValueError for anything else."""
    if not isinstance(text, str) or not re.fullmatch(SIZE_PATTERN, text):
        raise ValueError(f"{shown(text)} is not a size; write for example 512MiB or 2GB")
    unit = text.lstrip("0123456789.")
    parts, whole = Decimal(text.removesuffix(unit)).as_integer_ratio()
    return parts * _BYTES[unit] // whole


def format_size(size: int) -> str:
    """The shortest exact way to write ``size`` bytes."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def parse_percent(text: Any) -> Decimal:
    """The number before the sign in ``text`` such as ``34%``; more than 0, at most 100.

    Raises ValueError for a bare number, zero, or more than a hundred.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise ValueError(f"a percentage needs its sign; write {shown(text)}%")
    if not isinstance(text, str) or not re.fullmatch(PERCENT_PATTERN, text):
        raise ValueError(f"{shown(text)} is not a percentage; write for example 30%")
    percent = Decimal(text.removesuffix("%"))
    if not 0 < percent <= 100:  # noqa: PLR2004 a hundred percent is a hundred percent
        raise ValueError(f"{text} is out of range; write more than 0% and at most 100%")
    return percent


def format_percent(percent: Decimal) -> str:
    """``percent`` with its sign and without needless zeros."""
    return f"{percent.normalize():f}%"


def parse_quantity(raw: Any) -> dict[str, Any]:
    """The number and text of a bound: ``0.99``, ``300ms`` (seconds), ``34%`` (a ratio) or ``512MiB`` (bytes).

    Raises ValueError for booleans, NaN, infinity and unknown units.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(f"{shown(raw)} is not a number; write for example 0.99, 300ms, 5% or 512MiB")
    if isinstance(raw, int | float):
        return {"value": _finite(raw), "text": repr(raw)}
    if re.fullmatch(DURATION_PATTERN, raw):
        return {"value": parse_duration(raw), "text": raw, "unit": "s"}
    if re.fullmatch(SIZE_PATTERN, raw):
        return {"value": float(parse_size(raw)), "text": raw, "unit": "B"}
    if re.fullmatch(PERCENT_PATTERN, raw):
        return {"value": float(Decimal(raw.removesuffix("%")) / 100), "text": raw, "unit": "%"}
    if re.fullmatch(_PLAIN, raw):
        return {"value": _finite(raw), "text": raw}
    raise ValueError(f"{shown(raw)} is not a number; write for example 0.99, 300ms, 5% or 512MiB")


def _finite(raw: float | str) -> float:
    try:
        number = float(raw)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{shown(raw)} is not a finite number; write for example 0.99 or 300ms")
    return number


def shown(value: Any) -> str:
    """``value`` for a message: as a file would have it, on one line and not longer than a person can read."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else None
    text = text or (f"{value:g}" if isinstance(value, float) else repr(value))
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 a line of a message


class Quantity(Value):
    """A bound as written: its number in base units (seconds, bytes, ratio) and the text it came from."""

    value: float
    text: str
    unit: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_scalar(cls, raw: Any) -> Any:
        return parse_quantity(raw)

    @model_serializer
    def _as_written(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "anyOf": [{"type": "number"}, {"type": "string", "pattern": QUANTITY_PATTERN}],
            "description": "a number, or text with a unit: 300ms, 5%, 512MiB",
        }

    def __str__(self) -> str:
        return self.text


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["300ms", "90s", "1h30m"]}),
]
PositiveDuration = Annotated[Duration, Field(gt=0)]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN, "examples": ["512MiB"]}),
]
Percent = Annotated[
    Decimal,
    BeforeValidator(parse_percent),
    PlainSerializer(format_percent, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PERCENT_PATTERN, "examples": ["30%"]}),
]
