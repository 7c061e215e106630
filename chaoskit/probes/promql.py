"""Which series a PromQL expression reads, found without evaluating it.

This is a scanner, not a parser: it tells selectors from everything else by the tokens around them, after the lexical
rules of the Prometheus documentation ("Querying basics"). What it misreads shows as a query that Prometheus refuses.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<string> "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` )
    | (?P<matchers> \{ (?: [^{}"'`] | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` )* \} )
    | (?P<window> \[ [^\]]* \] )
    | (?P<number> (?: 0[xX][0-9a-fA-F]+ | [0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)? | \.[0-9]+(?:[eE][+-]?[0-9]+)? )
        [a-z0-9]* )
    | (?P<word> [a-zA-Z_:][a-zA-Z0-9_:]* )
    | (?P<other> \S )
    """,
    re.VERBOSE | re.DOTALL,
)
_TAKES_LABELS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_OPERATORS = frozenset({"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan", "smoothed", "anchored"})
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


class Selector(NamedTuple):
    """One selector of an expression, without its window, ``offset`` or ``@``.

    ``window`` is how many seconds of samples it reads, the ranges of subqueries included; 0 for an instant selector.
    """

    text: str
    window: float = 0.0


class _Token(NamedTuple):
    kind: str
    text: str


def selectors(promql: str) -> tuple[Selector, ...]:
    """The distinct selectors of ``promql``, in the order they are written."""
    tokens = [token for token in _tokens(promql) if token.kind != "comment"]
    # A subquery reads its inner selectors over its own range as well. Which of them are inner takes a parser to
    # tell; to widen all of them only makes the freshness rule stricter.
    widened = sum(_seconds(t.text.split(":")[0]) for t in tokens if t.kind == "window" and ":" in t.text)
    return tuple(dict.fromkeys(Selector(text, window + widened) for text, window in _selected(tokens)))


def _tokens(promql: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(promql):
        yield _Token(match.lastgroup or "", match.group())


def _selected(tokens: list[_Token]) -> Iterator[tuple[str, float]]:
    end = _Token("end", "")
    at = 0
    while at < len(tokens):
        token, after = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else end
        at += 1
        if token.kind == "word" and token.text.lower() in _TAKES_LABELS:
            at = _past_labels(tokens, at)
            continue
        if not _begins_selector(token, after):
            continue
        text = token.text
        if token.kind == "word" and after.kind == "matchers":
            text, at = text + after.text, at + 1
        following = tokens[at] if at < len(tokens) else end
        plain_range = following.kind == "window" and ":" not in following.text
        yield text, _seconds(following.text) if plain_range else 0.0


def _begins_selector(token: _Token, after: _Token) -> bool:
    """Whether ``token`` is a metric name or a bare ``{...}``, and not a function, aggregation or operator."""
    if token.kind == "matchers":
        return True
    if token.kind != "word" or token.text.lower() in _OPERATORS:
        return False
    return after.text != "(" and after.text.lower() not in {"by", "without"}


def _past_labels(tokens: list[_Token], at: int) -> int:
    """The index after the parenthesised label list at ``at``, or ``at`` when there is none."""
    if at >= len(tokens) or tokens[at].text != "(":
        return at
    return next((i + 1 for i in range(at, len(tokens)) if tokens[i].text == ")"), len(tokens))


def _seconds(window: str) -> float:
    """The length of ``[1h30m]`` or ``[90]``; what cannot be read counts as endless, which is the stricter side."""
    text = window.strip("[] \t\n")
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return float(text)
    if not re.fullmatch(rf"(?:{_DURATION_PART.pattern})+", text):
        return float("inf")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
