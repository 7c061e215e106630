"""What a key of a model accepts, in words: its kind of value, its limits and its default."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from chaoskit.domain.quantities import (
    DURATION_PATTERN,
    PERCENT_PATTERN,
    SIZE_PATTERN,
    Quantity,
    format_duration,
)
from chaoskit.domain.texts import HttpUrl, SecretRef, Slug
from docs._generate.markdown import code, listed, written

Schema = Mapping[str, Any]
Named = Callable[[str], str]
"""How a model is called, by its name in the code."""


def _pattern_of(kind: Any) -> str:
    return str(TypeAdapter(kind).json_schema()["pattern"])


_TEXTS: Mapping[str, str] = {
    DURATION_PATTERN: "duration",
    PERCENT_PATTERN: "percentage",
    SIZE_PATTERN: "size",
    _pattern_of(Slug): "slug",
    _pattern_of(HttpUrl): "URL",
    _pattern_of(SecretRef): "reference to a secret",
}
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


def kind_of(field: FieldInfo, named: Named) -> str:
    """The kind of value with its limits, for example ``duration, more than 0s``."""
    limits = _limits(field)
    kind = _kind(schema_of(field), named)
    return f"{kind}, {limits}" if limits else kind


def default_of(field: FieldInfo) -> str:
    """The default as it would stand in a file; nothing when there is none worth a word."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", (), {}) or hasattr(value, "model_dump"):
        return ""
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    return code(written(adapter.dump_python(value, mode="json")))


def schema_of(field: FieldInfo) -> Schema:
    """The JSON Schema of one field."""
    return TypeAdapter(field.rebuild_annotation()).json_schema(by_alias=True)


def _kind(part: Schema, named: Named) -> str:
    if "title" in part and "properties" in part:
        return named(part["title"])
    if "$ref" in part:
        return named(part["$ref"].rpartition("/")[2])
    if alternatives := part.get("anyOf"):
        words = dict.fromkeys(_kind(one, named) for one in alternatives if one.get("type") != "null")
        return "number or text with a unit" if _is_quantity(part) else listed(list(words), "or")
    if "const" in part or "enum" in part:
        return listed([code(str(one)) for one in part.get("enum", [part.get("const")])], "or")
    return _plain(part, named)


def _plain(part: Schema, named: Named) -> str:
    """Text, numbers, lists and mappings."""
    if part.get("type") == "array":
        least = ", not empty" if part.get("minItems") else ""
        return f"list of {_kind(part['items'], named).replace('whole number', 'whole numbers')}{least}"
    if part.get("type") == "object":
        inner: Schema = part.get("additionalProperties") or next(iter(part["patternProperties"].values()))
        return f"mapping of names to {_kind(inner, named)}"
    if "pattern" in part:
        return _TEXTS.get(part["pattern"], f"text that matches {code(part['pattern'])}")
    return _WORDS.get(str(part.get("type")), "anything")


def _is_quantity(part: Schema) -> bool:
    return part.get("description") == Quantity.model_json_schema().get("description")


# --- limits ---------------------------------------------------------------------------------------------------


def _limits(field: FieldInfo) -> str:
    """``100ms to 1m``, ``at least 1``, ``more than 0s``; what JSON Schema cannot say of a duration among it."""
    found = [*field.metadata, *_metadata(field.annotation)]
    shown = format_duration if _has_durations(schema_of(field)) else lambda number: f"{number:g}"
    low = next((shown(float(str(one.ge))) for one in found if isinstance(one, Ge)), "")
    high = next((shown(float(str(one.le))) for one in found if isinstance(one, Le)), "")
    above = next((shown(float(str(one.gt))) for one in found if isinstance(one, Gt)), "")
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else f"more than {above}" if above else ""


def _metadata(annotation: Any) -> Iterator[Any]:
    """What the parts of an annotation carry; a limit may stand inside of ``... | None``."""
    for argument in get_args(annotation):
        yield from argument.metadata if isinstance(argument, FieldInfo) else [argument]
        yield from _metadata(argument)


def _has_durations(part: Schema) -> bool:
    alternatives: Sequence[Schema] = part.get("anyOf", [part])
    return any(one.get("pattern") == DURATION_PATTERN for one in alternatives)
