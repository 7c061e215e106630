"""What pydantic found, said in our words: what is wrong, and what to write instead.

One sentence for every type of error (https://docs.pydantic.dev/latest/errors/validation_errors/) that the models of
an experiment, of the settings and of the faults can meet, and a sane one for the rest. Secrets are never shown.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from chaoskit.domain import quantities as values
from chaoskit.files.places import clipped, printable


class Refusal(NamedTuple):
    """One error as pydantic tells it, with what the file says there.

    ``written`` is a plain scalar as it stands there, ``example`` a line with the key rightly written (or empty),
    ``known`` the keys that are known beside it.
    """

    type: str
    key: str | int
    raw: Any
    written: str | None
    context: Mapping[str, Any]
    message: str
    example: str
    known: tuple[str, ...]


def sentence(refusal: Refusal) -> str:
    """The finished sentence for ``refusal``."""
    if refusal.raw is None and refusal.type not in _OF_KEYS:
        return "is empty" + _write(refusal)
    return _SENTENCES.get(refusal.type, _other)(refusal)


def noun(kind: str) -> str:
    """What an error of type ``kind`` says the value should have been; empty for errors that say something else."""
    return _NOUNS.get(kind.removesuffix("_type").removesuffix("_parsing"), "")


def knows(kind: str) -> bool:
    """Whether there is a sentence made for errors of type ``kind``."""
    return kind in _SENTENCES


def shown(value: Any, written: str | None = None) -> str:
    """A value as the file has it, short enough for a message."""
    return printable(written if written is not None and len(written) <= _LONGEST else values.shown(value))


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The one of ``known`` that ``word`` was probably meant for, in upper or lower case, or None."""
    known = known[:_MOST_COMPARED]
    lowered = {one.lower(): one for one in known}
    found = get_close_matches(word, known, n=1)
    found = found or [lowered[one] for one in get_close_matches(word.lower(), lowered, n=1)]
    return found[0] if found else None


def near(word: str, known: Sequence[str], if_none: str) -> str:
    """``did you mean ...?`` for a word that is nearly known, else ``if_none`` with all that are known."""
    if found := nearest(word, known):
        return f"did you mean {printable(found)}?"
    return f"{if_none} {', '.join(map(printable, known)) or 'none'}"


def wrong_kind(refusal: Refusal, wanted: str) -> str:
    """What is there, and ``wanted`` instead of it."""
    return f"must be {wanted}, not {shown(refusal.raw, refusal.written)}" + _write(refusal)


_LONGEST = 60
_MOST_COMPARED = 200
_NOUNS = {
    "int": "a whole number",
    "int_from_float": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "dict": "a mapping",
    "model": "a mapping",
    "mapping": "a mapping",
    "model_attributes": "a mapping",
    "tuple": "a list",
    "list": "a list",
    "set": "a list",
    "frozen_set": "a list",
}
_SECRET = frozenset({"bearer", "password"})
_FORMS = {
    "url": "begin it with http:// or https://, without spaces, user and password (those go into auth)",
    "runbook": "begin it with http:// or https://, without spaces, user and password",
    "bearer": "secrets are never written out; say where it is, as env:NAME or file:PATH",
    "password": "secrets are never written out; say where it is, as env:NAME or file:PATH",
    "host": "begin it with unix://, tcp:// or ssh://",
    "docker_host": "begin it with unix://, tcp:// or ssh://",
    "require_label": "write a label as key or key=value",
}
_SLUG_FORM = "use lower-case letters and digits, in words joined by - _ or ."


def _write(refusal: Refusal) -> str:
    return f"; write for example {refusal.example}" if refusal.example else ""


def _missing(refusal: Refusal) -> str:
    return "is missing" + _write(refusal)


def _extra(refusal: Refusal) -> str:
    hint = near(str(refusal.key), refusal.known, "known are") if refusal.known else "remove it"
    return f"is not a key that is known here; {hint}"


def _wrong_kind(refusal: Refusal) -> str:
    wanted = noun(refusal.type)
    if refusal.key in _SECRET:
        return f"must be {wanted}; {_FORMS[str(refusal.key)]}" + _write(refusal)
    if wanted == "text" and refusal.written is not None:
        return f'must be text; put it in quotes: "{refusal.written}"'
    return wrong_kind(refusal, wanted)


def _pattern(refusal: Refusal) -> str:
    key = str(refusal.key)
    form = _FORMS.get(key, _SLUG_FORM if refusal.context.get("pattern", "").startswith("^[a-z0-9]+") else "")
    hidden = key in _SECRET or "@" in str(refusal.raw)
    what = "does not have the right form" if hidden else f"{shown(refusal.raw)} does not have the right form"
    return what + (f"; {form}" if form else "") + _write(refusal)


def _too_long(refusal: Refusal) -> str:
    limit = refusal.context.get("max_length")
    return f"is {len(refusal.raw)} characters long; write at most {limit}"


def _too_short(refusal: Refusal) -> str:
    least = refusal.context.get("min_length")
    return (f"must hold at least {least}" if refusal.raw else "must not be empty") + _write(refusal)


def _too_many(refusal: Refusal) -> str:
    return f"must hold at most {refusal.context.get('max_length')}" + _write(refusal)


def _literal(refusal: Refusal) -> str:
    choices = tuple(str(refusal.context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", "))
    if len(choices) == 1:
        return f"{shown(refusal.raw, refusal.written)} is not accepted; write {refusal.key}: {choices[0]}"
    hint = near(str(refusal.raw), choices, "write one of")
    return f"{shown(refusal.raw, refusal.written)} is not one of the choices; {hint}"


def _value_error(refusal: Refusal) -> str:
    return clipped(str(refusal.context.get("error") or refusal.message))


def _limit(words: str) -> Callable[[Refusal], str]:
    def out_of_range(refusal: Refusal) -> str:
        limit = next((refusal.context[key] for key in ("gt", "ge", "lt", "le") if key in refusal.context), "")
        there = printable(refusal.raw) if isinstance(refusal.raw, str) else shown(refusal.raw, refusal.written)
        return f"{there} is out of range; write {words} {_in_unit_of(refusal.raw, limit)}"

    return out_of_range


def _in_unit_of(raw: Any, limit: Any) -> str:
    """``limit``, a number in base units, written as the value ``raw`` is: with a unit when that has one."""
    if not isinstance(raw, str) or not isinstance(limit, int | float):
        return str(limit)
    if raw.endswith("%"):
        return f"{limit}%"
    if raw.endswith("B"):
        return values.format_size(int(limit))
    return values.format_duration(limit) if raw[-1:].isalpha() else str(limit)


def _not_finite(refusal: Refusal) -> str:
    return f"{shown(refusal.raw, refusal.written)} is not a finite number" + _write(refusal)


def _not_text(_refusal: Refusal) -> str:
    return "holds characters that are not text; remove them"


def _other(refusal: Refusal) -> str:
    said = refusal.message[:1].lower() + refusal.message[1:].rstrip(".")
    return clipped(f"is not accepted: {said}") + _write(refusal)


_OF_KEYS = frozenset({"missing", "extra_forbidden"})
_SENTENCES: Mapping[str, Callable[[Refusal], str]] = {
    "missing": _missing,
    "extra_forbidden": _extra,
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "float_type", "float_parsing", "decimal_type", "decimal_parsing"),
        _wrong_kind,
    ),
    **dict.fromkeys(("bool_type", "bool_parsing", "string_type", "dict_type", "mapping_type"), _wrong_kind),
    **dict.fromkeys(("model_type", "model_attributes_type", "tuple_type", "list_type"), _wrong_kind),
    **dict.fromkeys(("set_type", "frozen_set_type", "path_type"), _wrong_kind),
    "string_pattern_mismatch": _pattern,
    "string_too_short": _too_short,
    "string_too_long": _too_long,
    "string_unicode": _not_text,
    "too_short": _too_short,
    "too_long": _too_many,
    "literal_error": _literal,
    "value_error": _value_error,
    "assertion_error": _value_error,
    "greater_than": _limit("more than"),
    "greater_than_equal": _limit("at least"),
    "less_than": _limit("less than"),
    "less_than_equal": _limit("at most"),
    "finite_number": _not_finite,
    "int_parsing_size": _not_finite,
}
