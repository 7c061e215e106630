"""From pydantic's errors to problems of the file: real paths, our sentences, and none of the artefacts.

Left out are a list that is "too short" only because its items are wrong, the branches of a union one by one, and
(by :func:`without_consequences`) what follows from a misspelt key or from a value that could not be read.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from chaoskit.files.fields import Known, known_at
from chaoskit.files.places import Data, Path, Problem
from chaoskit.files.sentences import Refusal, nearest, noun, sentence, wrong_kind


def in_yaml(key: str, example: str) -> str:
    """How a key and its value are written in an experiment file."""
    return f"{key}: {example}"


class Scope(NamedTuple):
    """What was validated: the model, the data, where both stand in the file, and keys that others know there.

    ``assignment`` says how a key and an example are written in this kind of file.
    """

    model: type[BaseModel]
    data: Data
    base: Path = ()
    written: Mapping[Path, str] = {}
    also: Mapping[str, Known] = {}
    assignment: Callable[[str, str], str] = in_yaml


class _Error(NamedTuple):
    """An error at its real path, with the value there and the mapping around it.

    ``branch_of`` is where the path left the data for a branch of a union.
    """

    details: ErrorDetails
    path: Path
    raw: Any
    beside: Mapping[str, Any]
    branch_of: Path | None
    at_key: bool


def problems_of(error: ValidationError, scope: Scope) -> list[Problem]:
    """Every problem that ``error`` stands for, its paths from the top of the file."""
    errors = [_resolve(details, scope.data) for details in error.errors(include_url=False)]
    kept = [one for one in errors if not _is_artefact(one, errors)]
    plain = [one for one in kept if one.branch_of is None]
    unions: dict[Path, list[_Error]] = {}
    for one in kept:
        if one.branch_of is not None:
            unions.setdefault(one.branch_of, []).append(one)
    found = [_problem(one, scope) for one in plain]
    return found + [problem for group in unions.values() for problem in _union(group, scope)]


def _resolve(details: ErrorDetails, data: Data) -> _Error:
    """Walk the location through the data; what is not in the data is a label of pydantic's own."""
    here: Any = data
    around: Any = {}
    path: Path = ()
    branch_of: Path | None = None
    at_key = details["type"] == "extra_forbidden"
    for index, part in enumerate(details["loc"]):
        if _is_in(part, here):
            around, here, path = here, here[part], (*path, part)
        elif details["type"] == "missing" and index == len(details["loc"]) - 1:
            around, here, path = here, None, (*path, part)
        elif part == "[key]":
            here, at_key = path[-1] if path else "", True
        elif part != "parameters" and branch_of is None:
            branch_of = path
    return _Error(details, path, here, around if isinstance(around, dict) else {}, branch_of, at_key)


def _is_in(part: str | int, data: Any) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and 0 <= part < len(data)
    return isinstance(data, dict) and part in data


def _is_artefact(error: _Error, errors: Sequence[_Error]) -> bool:
    if error.details["type"] != "too_short" or not error.raw:
        return False
    depth = len(error.path)
    return any(len(one.path) > depth and one.path[:depth] == error.path for one in errors)


def without_consequences(problems: Sequence[Problem], unreadable: Sequence[Problem]) -> list[Problem]:
    """``problems`` without absent keys that are only misspelt, and what may be owed to ``unreadable`` values."""
    absent = {one.meant for one in problems if one.meant is not None}
    bad = {one.path for one in unreadable if one.path and not one.at_key}
    hidden = absent | {path[:end] for path in bad for end in range(1, len(path))}
    return [one for one in problems if one.path not in hidden and not _within(one.path, bad)]


def _within(path: Path, places: set[Path]) -> bool:
    return any(path[:end] in places for end in range(1, len(path) + 1))


def _problem(error: _Error, scope: Scope) -> Problem:
    refusal = _refusal(error, scope)
    path = (*scope.base, *error.path)
    near = nearest(str(refusal.key), refusal.known) if refusal.type == "extra_forbidden" else None
    meant = (*path[:-1], near) if near is not None and near not in error.beside else None
    return Problem(path, sentence(refusal), at_key=error.at_key, meant=meant)


def _refusal(error: _Error, scope: Scope) -> Refusal:
    key = error.path[-1] if error.path else ""
    known = {**known_at(scope.model, error.path[:-1]), **(scope.also if len(error.path) == 1 else {})}
    example = known[key].meaning.example if isinstance(key, str) and key in known else ""
    return Refusal(
        type=error.details["type"],
        key=key,
        raw=error.raw,
        written=scope.written.get((*scope.base, *error.path)),
        context=error.details.get("ctx", {}),
        message=error.details["msg"],
        example=scope.assignment(str(key), example) if example else "",
        known=tuple(known),
    )


def _union(group: list[_Error], scope: Scope) -> list[Problem]:
    """One problem for the branches of a union: of the branch that went deepest, or of all that want another kind."""
    deepest = max(len(one.path) for one in group)
    if deepest > len(group[0].branch_of or ()):
        return [_problem(one, scope) for one in group if len(one.path) == deepest]
    nouns = list(dict.fromkeys(noun(one.details["type"]) for one in group))
    if not all(nouns):
        return [_problem(next(one for one in group if not noun(one.details["type"])), scope)]
    refusal = _refusal(group[0], scope)
    text = wrong_kind(refusal, " or ".join(nouns))
    return [Problem((*scope.base, *group[0].path), text)]
