r"""One scalar of a file: ``${VARIABLES}`` are filled in first, then plain (unquoted) text gets its type.

Types follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), decimal numbers only: so
``no``, ``on``, ``0o7``, ``1:30``, ``007`` and dates stay text. What a variable holds never becomes structure.
"""

import math
import re
from collections.abc import Mapping

from chaoskit.files.characters import find_unsafe

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MOST_DIGITS = 18
_VARIABLE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}$]*))?\})?")
MOST_FILLED_IN = 1 << 20
"""The most characters that the variables of one file may bring in."""


def typed(text: str) -> str | int | float | bool | None:
    """The value of plain ``text``. Raises ValueError for NaN, infinity, and numbers too large to hold exactly."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        if len(text.lstrip("+-")) > _MOST_DIGITS:
            raise ValueError(f"is a number of more than {_MOST_DIGITS} digits; put it in quotes if it is meant as text")
        return int(text)
    if _FLOAT.fullmatch(text):
        return _finite(float(text))
    if _NOT_FINITE.fullmatch(text):
        return _finite(math.inf)
    return text


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("is not a finite number; write for example 0.99, or put it in quotes if it is meant as text")
    return number


def substitute(text: str, variables: Mapping[str, str], room: int = MOST_FILLED_IN) -> tuple[str, tuple[str, ...]]:
    """``text`` with its variables filled in, and what is wrong with them in finished sentences.

    ``${NAME}`` is the variable, ``${NAME:-text}`` has a default for when it is unset or empty, ``$${`` is a plain
    ``${``, and a ``$`` without a brace means nothing. Variables may bring in up to ``room`` characters.
    """
    wrong: dict[str, None] = {}  # in order, each once

    def value(match: re.Match[str]) -> str:
        nonlocal room
        if match.group() == "$${":
            return "${"
        name, default = match.groups()
        found = variables.get(name) if name else None
        if found is None and default is None:
            wrong[_unset(name, variables) if name else _MALFORMED] = None
        filled = found or default or ""
        room -= len(filled)
        return filled if room >= 0 else ""

    filled_in = _VARIABLE.sub(value, text)
    return filled_in, tuple(wrong) if room >= 0 else (_TOO_LONG,)


_TOO_LONG = f"grows too long; variables may bring {MOST_FILLED_IN} characters into a file at most"
_MALFORMED = "${ begins a variable; write ${NAME} or ${NAME:-default}, or $${ for a plain ${"


def _unset(name: str, variables: Mapping[str, str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(variables), n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"variable {name} is not set; {hint}export it, give --set {name}=..., or write ${{{name}:-default}}"


def unsafe(text: str) -> str:
    """What is wrong with the characters of ``text``, in a finished sentence; empty when nothing is."""
    found = find_unsafe(text)
    return f"holds the character {found[1]}; only printable text, tabs and line breaks are accepted" if found else ""
