"""Finding the field of a model that a path of a file leads to, by the models' own annotations."""

import json
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chaoskit.domain.experiment import FaultStep
from chaoskit.files.meanings import Meaning, meaning
from chaoskit.files.places import Path


class Known(NamedTuple):
    """One key that a mapping of the file may have: the model that says so, and its field."""

    model: type[BaseModel]
    key: str
    field: FieldInfo

    @property
    def meaning(self) -> Meaning:
        """What the key means: from our table, or from the field itself when a third party brought it."""
        found = meaning(self.model.__name__, self.key)
        if found and self.model.__module__.startswith("chaoskit.domain."):
            return found
        examples = self.field.examples or _class_examples(self.model, self.key)
        return Meaning(_as_yaml(examples[0]) if examples else "", self.field.description or "")


def _class_examples(model: type[BaseModel], key: str) -> list[object]:
    """The values of ``key`` in the example parameters that every fault class carries."""
    return [example[key] for example in getattr(model, "examples", ()) if key in example]


def _as_yaml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)  # JSON is YAML on one line


def keys_of(model: type[BaseModel]) -> dict[str, Known]:
    """The keys of ``model`` as they are written in a file; parameters of a fault stand beside its other keys."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if model is FaultStep:
        del fields["parameters"]
    return {key: Known(model, key, field) for key, field in fields.items()}


def known_at(model: type[BaseModel], path: Path) -> Mapping[str, Known]:
    """The keys that the mapping at ``path`` may have; none when it is no mapping of fixed keys."""
    found: dict[str, Known] = {}
    for here in _reach(model, path):
        if _is_model(here):
            found.update(keys_of(here))
    return found


def _reach(model: type[BaseModel], path: Path) -> list[Any]:
    reached: list[Any] = [model]
    for part in path:
        reached = [kind for here in reached for inner in _step(here, part) for kind in _alternatives(inner)]
    return reached


def _step(kind: Any, part: str | int) -> Iterator[Any]:
    if _is_model(kind):
        if isinstance(part, str) and (known := keys_of(kind).get(part)):
            yield known.field.annotation
        return
    arguments = get_args(kind)
    if isinstance(part, int) and get_origin(kind) in {tuple, list}:
        yield from (argument for argument in arguments if argument is not Ellipsis)
    elif isinstance(part, str) and get_origin(kind) is dict:
        yield arguments[1]


def _alternatives(kind: Any) -> Iterator[Any]:
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif origin in {Union, UnionType}:
        for argument in get_args(kind):
            yield from _alternatives(argument)
    else:
        yield kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
