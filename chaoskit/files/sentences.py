"""What pydantic found, said in our words: what is wrong, and what to write instead.

One sentence for every type of error (https://docs.pydantic.dev/latest/errors/validation_errors/) that the models of
an experiment, of the settings and of the faults can meet, and a sane one for the rest. Secrets are never shown.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from chaoskit.domain import quantities as values
from chaoskit.files.places import clipped, printable


class Finding(NamedTuple):
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


def sentence(finding: Finding) -> str:
    """The finished sentence for ``finding``."""
    if finding.raw is None and finding.type not in _OF_KEYS:
        return "is empty" + _write(finding)
    return _SENTENCES.get(finding.type, _other)(finding)


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


def wrong_kind(finding: Finding, wanted: str) -> str:
    """What is there, and ``wanted`` instead of it."""
    return f"must be {wanted}, not {shown(finding.raw, finding.written)}" + _write(finding)


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


def _write(finding: Finding) -> str:
    return f"; write for example {finding.example}" if finding.example else ""


def _missing(finding: Finding) -> str:
    return "is missing" + _write(finding)


def _extra(finding: Finding) -> str:
    hint = near(str(finding.key), finding.known, "known are") if finding.known else "remove it"
    return f"is not a key that is known here; {hint}"


def _wrong_kind(finding: Finding) -> str:
    wanted = noun(finding.type)
    if finding.key in _SECRET:
        return f"must be {wanted}; {_FORMS[str(finding.key)]}" + _write(finding)
    if wanted == "text" and finding.written is not None:
        return f'must be text; put it in quotes: "{finding.written}"'
    return wrong_kind(finding, wanted)


def _pattern(finding: Finding) -> str:
    key = str(finding.key)
    form = _FORMS.get(key, _SLUG_FORM if finding.context.get("pattern", "").startswith("^[a-z0-9]+") else "")
    hidden = key in _SECRET or "@" in str(finding.raw)
    what = "does not have the right form" if hidden else f"{shown(finding.raw)} does not have the right form"
    return what + (f"; {form}" if form else "") + _write(finding)


def _too_long(finding: Finding) -> str:
    limit = finding.context.get("max_length")
    return f"is {len(finding.raw)} characters long; write at most {limit}"


def _must_not_be_empty(finding: Finding) -> str:
    return "must not be empty" + _write(finding)


def _literal(finding: Finding) -> str:
    choices = tuple(str(finding.context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", "))
    if len(choices) == 1:
        return f"{shown(finding.raw, finding.written)} is not accepted; write {finding.key}: {choices[0]}"
    hint = near(str(finding.raw), choices, "write one of")
    return f"{shown(finding.raw, finding.written)} is not one of the choices; {hint}"


def _value_error(finding: Finding) -> str:
    return clipped(str(finding.context.get("error") or finding.message))


def _limit(words: str) -> Callable[[Finding], str]:
    def out_of_range(finding: Finding) -> str:
        limit = next((finding.context[key] for key in ("gt", "ge", "lt", "le") if key in finding.context), "")
        if isinstance(finding.raw, str) and isinstance(limit, int | float):
            limit = values.format_duration(limit) if finding.raw[-1:].isalpha() else limit
        return f"{shown(finding.raw, finding.written).strip(chr(39))} is out of range; write {words} {limit}"

    return out_of_range


def _not_finite(finding: Finding) -> str:
    return f"{shown(finding.raw, finding.written)} is not a finite number" + _write(finding)


def _not_text(_finding: Finding) -> str:
    return "holds characters that are not text; remove them"


def _other(finding: Finding) -> str:
    said = finding.message[:1].lower() + finding.message[1:].rstrip(".")
    return clipped(f"is not accepted: {said}") + _write(finding)


_OF_KEYS = frozenset({"missing", "extra_forbidden"})
_SENTENCES: Mapping[str, Callable[[Finding], str]] = {
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
    "string_too_short": _must_not_be_empty,
    "string_too_long": _too_long,
    "string_unicode": _not_text,
    "too_short": _must_not_be_empty,
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
