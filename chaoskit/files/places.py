"""Where something stands in a file, and how a problem at that place is written down."""

from collections.abc import Iterable
from typing import Any, NamedTuple

Path = tuple[str | int, ...]
"""The keys and list indexes that lead to a value from the top of the file."""

Data = dict[str, Any] | list[Any] | str | int | float | bool | None
"""A value of a file: what JSON can say."""

MOST_PROBLEMS = 200
_LONGEST_KEY = 60
_LONGEST_TEXT = 600


class Place(NamedTuple):
    """A line and a column, both counted from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """One thing that is wrong: a path, a finished sentence, and a place once it is known.

    ``at_key`` says that the key is wrong rather than its value, so that the key is pointed at. ``meant`` is the path of
    the absent key that a misspelt one was probably meant for.
    """

    path: Path
    text: str
    place: Place | None = None
    at_key: bool = False
    meant: Path | None = None

    def written(self, file: str) -> str:
        """One line for the terminal: ``file:line:column: path: what is wrong; what to write``."""
        where = f":{self.place.line}:{self.place.column}" if self.place else ""
        path = f"{dotted(self.path)}: " if self.path else ""
        return f"{printable(file)}{where}: {path}{clipped(self.text)}"


def dotted(path: Path) -> str:
    """``path`` as ``faults.0.duration``, safe to print."""
    return ".".join(str(part) if isinstance(part, int) else _key(part) for part in path)


def _key(key: str) -> str:
    shown = key if len(key) <= _LONGEST_KEY else key[: _LONGEST_KEY - 3] + "..."
    return printable(shown) or "''"


def printable(text: str) -> str:
    """``text`` on one line and without characters that could steer a terminal."""
    return text if text.isprintable() else repr(text)[1:-1]


def clipped(text: str) -> str:
    """``text`` on one line, its middle cut out when it is very long."""
    line = printable(text)
    half = _LONGEST_TEXT // 2
    return line if len(line) <= _LONGEST_TEXT else f"{line[:half]} ... {line[-half:]}"


def written(file: str, problems: Iterable[Problem]) -> tuple[str, ...]:
    """The problems of ``file`` as lines: in order of place, none twice, and not more than a person can read."""
    ordered = sorted(set(problems), key=lambda problem: (problem.place or Place(0, 0), dotted(problem.path)))
    lines = [problem.written(file) for problem in ordered[:MOST_PROBLEMS]]
    if more := len(ordered) - len(lines):
        lines.append(f"{printable(file)}: {more} more problems are not shown; mend these first")
    return tuple(dict.fromkeys(lines))
