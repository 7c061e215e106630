"""The JSON Schema (draft 2020-12) of an experiment file, made from the models; editors complete and check with it.

It describes a file as it is written: ``${VARIABLES}`` may stand for values, whatever their type. Each kind of fault
brings its parameters, which stand beside the other keys of its step.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

from chaoskit.domain.experiment import Experiment, FaultStep
from chaoskit.domain.ports import Fault
from chaoskit.domain.quantities import DURATION_PATTERN, PERCENT_PATTERN, format_duration
from chaoskit.files.fields import keys_of
from chaoskit.files.loader import FaultKinds, installed
from chaoskit.files.meanings import table
from chaoskit.files.yaml import parse

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:chaoskit:schema:experiment:v1"

Schema = dict[str, Any]

_PROBES = ("promql", "http", "tcp", "command")
_RULES: Mapping[str, Schema] = {
    "TargetSpec": {"oneOf": [{"required": ["docker"]}, {"required": ["local"]}]},
    "Check": {
        "oneOf": [{"required": [probe]} for probe in _PROBES],
        "if": {"required": ["promql"]},
        "then": {"anyOf": [{"required": [bound]} for bound in ("at_least", "at_most", "equals")]},
    },
    "AbortCondition": {
        "oneOf": [{"required": [key]} for key in (*_PROBES, "no_data_for")],
        "if": {"required": ["promql"]},
        "then": {"oneOf": [{"required": [bound]} for bound in ("above", "below")]},
    },
}
"""What the models check across keys, where JSON Schema can say it."""


def schema(registry: FaultKinds | None = None) -> Schema:
    """The schema of an experiment file with the faults of ``registry``, or of :mod:`chaoskit.registry`."""
    kinds = registry or installed()
    root = Experiment.model_json_schema(by_alias=True)
    definitions = root.pop("$defs")
    step = definitions.pop("FaultStep")
    definitions.pop("JsonValue", None)
    _explain({"Experiment": root, "FaultStep": step, **definitions})
    for name, rules in _RULES.items():
        definitions[name].update(rules)
    for kind in kinds.kinds():
        definitions.update(_fault_definitions(kind, kinds.find(kind), step))
    root["properties"]["faults"]["items"] = _any_fault(kinds.kinds())
    root["properties"]["targets"]["additionalProperties"] = False
    whole = {"$schema": DIALECT, "$id": ID, **root, "$defs": definitions}
    for part in _parts(whole):
        _tidy(part)
        _allow_variables(part)
    return {**whole, "title": "chaoskit experiment"}


# --- faults ---------------------------------------------------------------------------------------------------


def _fault_definitions(kind: str, fault: type[Fault] | None, step: Schema) -> dict[str, Schema]:
    """The definition of a step with a fault of ``kind``, and those that the fault's own parameters refer to."""
    if fault is None:
        return {}
    own = fault.model_json_schema(by_alias=True, ref_template=f"#/$defs/{kind}.{{model}}")
    inner = {f"{kind}.{name}": definition for name, definition in own.pop("$defs", {}).items()}
    common = {key: deepcopy(value) for key, value in step["properties"].items() if key in keys_of(FaultStep)}
    common["kind"] = {"const": kind, "description": _text(fault)}
    parameters = own.get("properties", {})
    for key, known in keys_of(fault).items():
        if description := known.meaning.description:
            parameters[key]["description"] = description
    definition = {
        "title": kind,
        "description": _text(fault),
        "type": "object",
        "properties": {**common, **parameters},
        "required": [*step["required"], *own.get("required", [])],
        "additionalProperties": False,
    }
    return {**inner, kind: definition}


def _any_fault(kinds: Sequence[str]) -> Schema:
    """A step of any kind: its kind decides which definition holds, so that editors complete the right parameters."""
    chosen = [
        {"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": {"$ref": f"#/$defs/{kind}"}}
        for kind in kinds
    ]
    properties = {"kind": {"enum": list(kinds), "description": "The kind of the fault."}}
    return {"type": "object", "required": ["kind"], "properties": properties, "allOf": chosen}


def _text(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").replace("``", "").split())


# --- words and examples -----------------------------------------------------------------------------------------


def _explain(definitions: Mapping[str, Schema]) -> None:
    """Put the meaning and an example on every key."""
    for model, meanings in table().items():
        for key, meaning in meanings.items():
            found = definitions[model]["properties"][key]
            found["description"] = meaning.description
            found["examples"] = [_value(meaning.example)]


def _value(example: str) -> Any:
    """What an example says, read as it would be in a file."""
    return (parse(f"value: {example}", None).data or {})["value"]


def _parts(schema: Schema) -> Iterator[Schema]:
    """``schema`` and every schema in it: what merely has the name of a keyword, such as a property, is none."""
    yield schema
    inner = [part for keyword in _OF_NAMES for part in schema.get(keyword, {}).values()]
    inner += [part for keyword in _LISTS for part in schema.get(keyword, ())]
    inner += [schema[keyword] for keyword in _ONE if isinstance(schema.get(keyword), dict)]
    for part in inner:
        yield from _parts(part)


_OF_NAMES = ("$defs", "properties", "patternProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONE = ("items", "additionalProperties", "propertyNames", "if", "then")


def _tidy(part: Schema) -> None:
    """Leave out what pydantic adds of its own accord, and write defaults as they would stand in a file."""
    if isinstance(part.get("title"), str) and "properties" not in part:
        del part["title"]
    if isinstance(part.get("description"), str):
        part["description"] = " ".join(part["description"].replace("``", "").split())
    default = part.get("default")
    if default is None or isinstance(default, dict):
        part.pop("default", None)
    elif part.get("pattern") == DURATION_PATTERN and isinstance(default, int | float):
        part["default"] = format_duration(default)
    elif part.get("pattern") == PERCENT_PATTERN:
        part["default"] = f"{str(default).removesuffix('%')}%"


_VARIABLE = r"\$\{"


def _allow_variables(part: Schema) -> None:
    """Let text with a variable stand where a number, a boolean or text of a certain form is asked for."""
    if part.get("type") in ("integer", "number", "boolean"):
        part["type"] = [part["type"], "string"]
        part["pattern"] = _VARIABLE  # judges text only
    elif part.get("type") == "string" and "pattern" in part:
        part["pattern"] += f"|{_VARIABLE}"
