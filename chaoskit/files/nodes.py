"""YAML text to a tree of nodes with places, by the parser's events and an explicit stack: depth costs no recursion.

Refused here: tags, several documents, undefined and recursive aliases, deep nesting, too many values, bad syntax.
"""

import re
from typing import NamedTuple, TypeAlias

import yaml

from chaoskit.files.places import Path, Place, Problem

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML without libyaml: slower, says the same
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]  # the two share what yaml.parse needs

_TAG_DIRECTIVE = re.compile(r"^%TAG", re.MULTILINE)  # libyaml needs time by the square of their number
DEEPEST = 40
MOST_VALUES = 20_000
TOO_MANY = f"is where the file passes {MOST_VALUES} values, each use of an alias counted; split the experiment"
TOO_DEEP = f"is nested deeper than {DEEPEST} levels; no part of an experiment is"


class Scalar(NamedTuple):
    """Text; ``plain`` when it stands without quotes, so that it may be a number, a boolean or null."""

    text: str
    plain: bool
    place: Place


class Sequence(NamedTuple):
    """A list."""

    items: "list[Node]"
    place: Place


class Mapping(NamedTuple):
    """Keys with their values, as written: keys may repeat, and may still be anything."""

    pairs: "list[tuple[Node, Node]]"
    place: Place


Node: TypeAlias = Scalar | Sequence | Mapping


class Fatal(Exception):
    """A problem after which the rest of the file cannot be understood."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


class _Open:
    """A collection whose end has not come yet, with the key that waits for its value."""

    __slots__ = ("key", "node")

    def __init__(self, node: Sequence | Mapping) -> None:
        self.node = node
        self.key: Node | None = None

    def add(self, child: Node) -> None:
        if isinstance(self.node, Sequence):
            self.node.items.append(child)
        elif self.key is None:
            self.key = child
        else:
            self.node.pairs.append((self.key, child))
            self.key = None

    def step(self) -> Path:
        """Where the next child stands in this collection."""
        if isinstance(self.node, Sequence):
            return (len(self.node.items),)
        return (self.key.text,) if isinstance(self.key, Scalar) else ()


class _Composer:
    def __init__(self) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._count = 0
        self._documents = 0

    def handle(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.NodeEvent):
            self._child(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._attach(self._open.pop().node)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise Fatal(Problem((), "begins a second document; keep one experiment in a file", _place(event)))

    def _child(self, event: yaml.NodeEvent) -> None:
        self._count += 1
        if self._count > MOST_VALUES:
            raise Fatal(Problem(self._path(), TOO_MANY, _place(event)))
        node = self._node(event)
        if isinstance(node, Scalar) or isinstance(event, yaml.AliasEvent):
            self._attach(node)
            return
        if len(self._open) == DEEPEST:
            raise Fatal(Problem(self._path(), TOO_DEEP, _place(event)))
        self._open.append(_Open(node))

    def _attach(self, node: Node) -> None:
        if self._open:
            self._open[-1].add(node)
        else:
            self.root = node

    def _node(self, event: yaml.NodeEvent) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        self._refuse_tag(event)
        node = _fresh(event)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _aliased(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor or ""
        node = self._anchors.get(name)
        if node is None:
            self._problem(event, f"*{name} stands for nothing; define it earlier in the file with &{name}")
        elif any(open_.node is node for open_ in self._open):
            self._problem(event, f"*{name} stands inside of what it stands for; write the value out")
        else:
            return node
        return Scalar("", plain=True, place=_place(event))

    def _refuse_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            shown = tag.replace("tag:yaml.org,2002:", "!!", 1)
            hint = "put text in quotes" if shown == "!!str" else "write the value without it"
            self._problem(event, f"tags such as {shown} are not accepted; {hint}")

    def _problem(self, event: yaml.Event, text: str) -> None:
        self.problems.append(Problem(self._path(), text, _place(event)))

    def _path(self) -> Path:
        return tuple(part for open_ in self._open for part in open_.step())


def _fresh(event: yaml.NodeEvent) -> Node:
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(event.value, not event.style, _place(event))
    return Sequence([], _place(event)) if isinstance(event, yaml.SequenceStartEvent) else Mapping([], _place(event))


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def compose(text: str) -> tuple[Node | None, list[Problem]]:
    """The tree of ``text`` (None when there is none) and what is wrong with it; problems never raise."""
    if directive := _TAG_DIRECTIVE.search(text):
        line = text.count("\n", 0, directive.start()) + 1
        return None, [Problem((), "%TAG directives are not accepted, nor are tags; remove the line", Place(line, 1))]
    composer = _Composer()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            composer.handle(event)
    except Fatal as fatal:
        return None, [*composer.problems, fatal.problem]
    except yaml.YAMLError as error:
        return None, [*composer.problems, _bad_syntax(error, text)]
    return composer.root, composer.problems


_HINTS = (
    ("escape", "write \\\\ for a backslash in double quotes, or use single quotes"),
    ("mapping values are not allowed", "put a value that holds a colon and a space in quotes; check the indentation"),
    ("quoted scalar", "close the quotes"),
    ("cannot start any token", "put a value that begins with a special character in quotes"),
    ("flow", "close every { and [, and separate what is in them by commas"),
    ("alias", "put a value that begins with * in quotes"),
    ("anchor", "put a value that begins with & in quotes"),
    ("tag", "put a value that begins with ! in quotes"),
    ("expected ':'", "write key: value"),
)
_TAB_HINT = "indent with spaces, never with tabs"
_OTHER_HINT = "check the indentation and the quotes, here and in the line above"


def _bad_syntax(error: yaml.YAMLError, text: str) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem((), "is not valid YAML; check it for characters that are not text", Place(1, 1))
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
    said = " ".join(part for part in (error.context, error.problem) if part)
    hint = next((hint for sign, hint in _HINTS if sign in said), _OTHER_HINT)
    since = f" that begins on line {error.context_mark.line + 1}" if error.context and error.context_mark else ""
    what = f"is not valid YAML: {error.problem} {error.context or ''}".rstrip() + since
    return Problem((), f"{what}; {_TAB_HINT if _tab_at(text, place) else hint}", place)


def _tab_at(text: str, place: Place) -> bool:
    lines = text.splitlines()
    return place.line <= len(lines) and lines[place.line - 1][place.column - 1 : place.column] == "\t"
