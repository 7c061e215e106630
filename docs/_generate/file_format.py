"""Every key of an experiment file, from the models that read it."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from chaoskit.domain.experiment import Experiment, FaultStep
from chaoskit.domain.quantities import Quantity
from chaoskit.files.fields import Known, keys_of
from docs._generate.markdown import anchor, code, prose, table
from docs._generate.values import default_of, kind_of

HEAD = ("Key", "Value", "Default", "Meaning", "Example")


class Place(NamedTuple):
    """Where in a file a mapping of fixed keys stands; the file itself has no path."""

    model: type[BaseModel]
    path: str


def keys() -> str:
    """A section for each mapping of fixed keys, from the outside to the inside."""
    found: dict[type[BaseModel], list[str]] = {}
    for place in _below(Place(Experiment, "")):
        found.setdefault(place.model, []).append(place.path)
    headings = {model.__name__: _heading(paths[0]) for model, paths in found.items()}
    return "\n\n".join(_section(model, paths, headings) for model, paths in found.items())


def _below(outer: Place) -> Iterator[Place]:
    """The mapping itself, then what is inside of it, nearest first."""
    waiting = [outer]
    while waiting:
        here = waiting.pop(0)
        yield here
        for key, known in keys_of(here.model).items():
            path = f"{here.path}.{key}" if here.path else key
            waiting += _models(known.field.annotation, path)


def _models(kind: Any, path: str) -> list[Place]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [] if kind is Quantity else [Place(kind, path)]
    arguments = get_args(kind)
    if get_origin(kind) is Annotated:
        return _models(arguments[0], path)
    if get_origin(kind) in {Union, UnionType}:
        return [place for argument in arguments for place in _models(argument, path)]
    if get_origin(kind) is tuple:
        return _models(arguments[0], f"{path}[]")
    return _models(arguments[1], f"{path}.NAME") if get_origin(kind) is dict else []


def _heading(path: str) -> str:
    return code(path) if path else "The file itself"


def _section(model: type[BaseModel], paths: list[str], headings: dict[str, str]) -> str:
    lines = [f"### {_heading(paths[0])}", "", prose(model.__doc__)]
    if len(paths) > 1:
        lines += ["", f"Also at {', '.join(map(code, paths[1:]))}."]
    if model is FaultStep:
        lines += ["", "The parameters of the kind stand beside these keys; see [faults](faults.md)."]

    def named(name: str) -> str:
        return f"[mapping](#{anchor(headings[name])})" if name in headings else "number or text with a unit"

    rows = [_row(key, known, kind_of(known.field, named)) for key, known in keys_of(model).items()]
    return "\n".join([*lines, "", table(HEAD, rows)])


def _row(key: str, known: Known, kind: str) -> list[str]:
    meaning = known.meaning
    return [code(key), kind, default_of(known.field), meaning.description, code(meaning.example)]
