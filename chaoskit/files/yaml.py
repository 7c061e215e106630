"""YAML text to plain data with the place of every key and value, and every problem on the way.

What is accepted is YAML 1.2 without its traps: no tags, no merge keys (``<<``; alias whole values instead), one
document, text keys written once. Aliases are expanded within a budget of values, so that no alias bomb goes off.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from chaoskit.files.nodes import DEEPEST, MOST_VALUES, TOO_DEEP, TOO_MANY, Fatal, Node, Scalar, Sequence, compose
from chaoskit.files.nodes import Mapping as MappingNode
from chaoskit.files.places import Data, Path, Place, Problem, printable
from chaoskit.files.scalars import MOST_FILLED_IN, substitute, typed, unsafe

EMPTY = "holds no experiment; begin it with apiVersion: chaoskit/v1"
NOT_A_MAPPING = "is not a mapping; begin the file with apiVersion: chaoskit/v1 and more lines of the form key: value"


class Document(NamedTuple):
    """A file as plain data. ``data`` is None when nothing of it can be judged.

    ``values`` and ``keys`` are places by path; ``written`` is what stood at a path in plain scalars that are no text.
    """

    data: dict[str, Any] | None
    values: Mapping[Path, Place]
    keys: Mapping[Path, Place]
    written: Mapping[Path, str]
    problems: tuple[Problem, ...]

    def place(self, path: Path, *, at_key: bool = False) -> Place | None:
        """Where ``path`` stands, or the nearest thing above it that stands anywhere."""
        if at_key and path in self.keys:
            return self.keys[path]
        for end in range(len(path), -1, -1):
            if found := self.values.get(path[:end]):
                return found
        return None

    def located(self, problem: Problem) -> Problem:
        """``problem`` with its place filled in."""
        return problem if problem.place else problem._replace(place=self.place(problem.path, at_key=problem.at_key))


def parse(text: str, variables: Mapping[str, str] | None) -> Document:
    """The document in ``text``; never raises, for any text.

    ``${NAME}`` is filled in from ``variables``; with None, ``${`` means nothing and stays.
    """
    root, problems = compose(text)
    reader = _Reader(variables, problems)
    data: Data = None
    if root is None and not problems:
        problems.append(Problem((), EMPTY, Place(1, 1)))
    elif root is not None:
        try:
            data = reader.read(root)
        except Fatal as fatal:
            problems.append(fatal.problem)
    if not problems and not isinstance(data, dict):
        problems.append(Problem((), EMPTY if data is None else NOT_A_MAPPING, reader.values.get((), Place(1, 1))))
    judged = data if isinstance(data, dict) else None
    return Document(judged, reader.values, reader.keys, reader.written, tuple(problems))


class _Waiting(NamedTuple):
    """A node whose value is still to be put at ``into[at]``."""

    node: Node
    path: Path
    into: Any
    at: str | int


class _Reader:
    """Turns nodes into data with an explicit stack; what is wrong with a value leaves None in its place."""

    def __init__(self, variables: Mapping[str, str] | None, problems: list[Problem]) -> None:
        self.values: dict[Path, Place] = {}
        self.keys: dict[Path, Place] = {}
        self.written: dict[Path, str] = {}
        self._variables = variables
        self._problems = problems
        self._waiting: list[_Waiting] = []
        self._room = MOST_FILLED_IN

    def read(self, root: Node) -> Data:
        """The data of the tree. Raises Fatal when aliases make it too large or too deep."""
        top: list[Data] = [None]
        self._waiting = [_Waiting(root, (), top, 0)]
        while self._waiting:
            node, path, into, at = self._waiting.pop()
            self._guard(node, path)
            self.values[path] = node.place
            into[at] = self._value(node, path)
        return top[0]

    def _guard(self, node: Node, path: Path) -> None:
        if len(path) > DEEPEST:
            raise Fatal(Problem(path, TOO_DEEP, node.place))
        if len(self.values) >= MOST_VALUES:
            raise Fatal(Problem(path, TOO_MANY, node.place))

    def _value(self, node: Node, path: Path) -> Data:
        if isinstance(node, Scalar):
            return self._scalar(node, path)
        if isinstance(node, Sequence):
            items: list[Data] = [None] * len(node.items)
            self._waiting.extend(_Waiting(item, (*path, at), items, at) for at, item in enumerate(node.items))
            return items
        return self._mapping(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Data]:
        pairs: dict[str, Data] = {}
        for key, value in node.pairs:
            if wrong := _wrong_key(key) or self._varying_key(key):
                self._problems.append(Problem(path, wrong, key.place, at_key=True))
            elif isinstance(key, Scalar) and key.text not in pairs:
                pairs[key.text] = None  # holds the place of the key in the order of the file
                here = (*path, key.text)
                self.keys[here] = key.place
                self._waiting.append(_Waiting(value, here, pairs, key.text))
            elif isinstance(key, Scalar):
                here = (*path, key.text)
                first = self.keys[here].line
                text = f"is written twice in one mapping, first on line {first}; keep one"
                self._problems.append(Problem(here, text, key.place, at_key=True))
        return pairs

    def _filled_in(self, text: str) -> tuple[str, tuple[str, ...]]:
        if self._variables is None or "${" not in text:
            return text, ()
        filled_in, wrong = substitute(text, self._variables, self._room)
        self._room -= max(0, len(filled_in) - len(text))
        return filled_in, wrong

    def _varying_key(self, key: Node) -> str:
        varies = self._variables is not None and isinstance(key, Scalar) and "${" in key.text
        return "a key cannot come from a variable; only values can, write the key out" if varies else ""

    def _scalar(self, node: Scalar, path: Path) -> Data:
        text, wrong = self._filled_in(node.text)
        if bad := unsafe(text):
            wrong = (*wrong, bad)
        self._problems.extend(Problem(path, sentence, node.place) for sentence in wrong)
        if wrong or not node.plain:
            return None if wrong else text
        if node.text and not text:
            return ""  # an empty variable is empty text, not an absent value
        try:
            value = typed(text)
        except ValueError as error:
            self._problems.append(Problem(path, f"{text[:60]} {error}", node.place))
            return None
        if not isinstance(value, str):
            self.written[path] = text
        return value


def _wrong_key(key: Node) -> str:
    if not isinstance(key, Scalar):
        return "a key must be text, not a list or a mapping; write key: value"
    if wrong := unsafe(key.text):
        return f"a key {wrong}"
    if key.plain and key.text == "<<":
        return "merge keys (<<) are not accepted; write the keys out, or alias a whole value (key: *name)"
    return _wrong_type(key) if key.plain else ""


def _wrong_type(key: Scalar) -> str:
    if not key.text:
        return "a key is missing before the colon; write key: value"
    try:
        is_text = isinstance(typed(key.text), str)
    except ValueError:
        is_text = False
    return "" if is_text else f'a key must be text; put it in quotes: "{printable(key.text[:60])}"'
