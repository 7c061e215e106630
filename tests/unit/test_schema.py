"""The JSON Schema, held against files by an independent validator."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chaoskit import registry
from chaoskit.files.loader import load
from chaoskit.files.schema import schema
from chaoskit.files.yaml import parse

ROOT = Path(__file__).parents[2]
GOOD = sorted((ROOT / "tests/data/experiments/good").glob("*.yaml"))
SHIPPED = sorted((ROOT / "experiments").glob("*.yaml"))
EVERYTHING = ROOT / "tests/data/experiments/good/everything.yaml"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    document = schema()
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def data_of(path: Path) -> dict[str, Any]:
    data = parse(path.read_text(), None).data
    assert data is not None
    return data


def test_there_are_files_to_hold_the_schema_against() -> None:
    assert len(GOOD) >= 2
    assert SHIPPED


@pytest.mark.parametrize("path", [*GOOD, *SHIPPED], ids=lambda path: path.stem)
def test_the_schema_and_chaoskit_both_accept_a_good_file(
    path: Path, validator: jsonschema.Draft202012Validator
) -> None:
    load(str(path), variables={})
    assert [error.message for error in validator.iter_errors(data_of(path))] == []


def test_the_document_is_plain_json_that_names_itself_by_a_urn() -> None:
    document = schema()
    assert json.loads(json.dumps(document)) == document
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == "urn:chaoskit:schema:experiment:v1"
    assert document["title"] == "chaoskit experiment"


def test_every_mapping_of_fixed_keys_is_closed_and_every_key_explained() -> None:
    document = schema()
    closed = {name: part for name, part in document["$defs"].items() if "properties" in part} | {"": document}
    assert [name for name, part in closed.items() if part.get("additionalProperties") is not False] == []
    unexplained = [
        f"{name}.{key}"
        for name, part in closed.items()
        for key, inner in part["properties"].items()
        if not inner.get("description") and name not in registry.kinds()
    ]
    assert unexplained == []


def test_every_kind_of_fault_has_its_own_step_with_its_parameters() -> None:
    document = schema()
    items = document["properties"]["faults"]["items"]
    assert items["properties"]["kind"]["enum"] == list(registry.kinds())
    for kind in registry.kinds():
        step = document["$defs"][kind]
        assert step["properties"]["kind"]["const"] == kind
        assert step["properties"]["duration"]["description"]
        assert registry.fault(kind).model_fields.keys() < step["properties"].keys()


def test_defaults_and_examples_are_valid_where_they_stand(validator: jsonschema.Draft202012Validator) -> None:
    document = schema()
    for name, part in {**document["$defs"], "": document}.items():
        for key, inner in part.get("properties", {}).items():
            for value in [*inner.get("examples", []), *([inner["default"]] if "default" in inner else [])]:
                errors = list(validator.evolve(schema={**inner, "$defs": document["$defs"]}).iter_errors(value))
                assert not errors, (name, key, value)


VARYING: list[tuple[tuple[str | int, ...], str]] = [
    (("name",), "${NAME}"),
    (("prometheus", "url"), "http://${HOST}:9090"),
    (("prometheus", "url"), "${URL:-http://127.0.0.1:9090}"),
    (("prometheus", "tls", "verify"), "${VERIFY}"),
    (("targets", "db.main", "local", "port"), "${PORT}"),
    (("steady_state", 0, "at_least"), "${BOUND}"),
    (("steady_state", 3, "http", "status"), "${STATUS}"),
    (("faults", 0, "pick"), "${PICK}"),
    (("faults", 0, "duration"), "${SECONDS}s"),
    (("blast_radius", "max_targets"), "${MOST:-1}"),
]


@pytest.mark.parametrize(("path", "value"), VARYING, ids=str)
def test_a_variable_may_stand_for_a_value_of_any_type(
    path: tuple[str | int, ...], value: str, validator: jsonschema.Draft202012Validator
) -> None:
    data = copy.deepcopy(data_of(EVERYTHING))
    around(data, path)[path[-1]] = value
    assert [error.message for error in validator.iter_errors(data)] == []


BAD: list[tuple[tuple[str | int, ...], object]] = [
    (("apiVersion",), "chaoskit/v2"),
    (("kind",), "GameDay"),
    (("name",), "Not A Slug"),
    (("title",), ""),
    (("tags",), "tier-1"),
    (("runbook",), "wiki"),
    (("unknown",), 1),
    (("prometheus", "url"), "http://user:password@host"),
    (("prometheus", "auth", "bearer"), "hunter2"),
    (("prometheus", "timeout"), 5),
    (("targets",), {}),
    (("targets", "Web!"), {"local": {"port": 1}}),
    (("targets", "web", "dokcer"), {}),
    (("targets", "web", "local"), {"port": 1}),
    (("targets", "web", "docker", "labels", "app"), 1),
    (("targets", "db.main", "local", "port"), 0),
    (("steady_state",), []),
    (("steady_state", 0, "name"), None),
    (("steady_state", 0, "at_least"), "fast"),
    (("steady_state", 0, "tcp"), {"host": "a", "port": 1}),
    (("steady_state", 1, "reduce"), "average"),
    (("steady_state", 3, "http", "method"), "get"),
    (("steady_state", 3, "http", "status"), "ok"),
    (("steady_state", 3, "http", "within"), "1 s"),
    (("steady_state", 5, "command", "run"), "redis-cli ping"),
    (("expect", "recover_within"), "soon"),
    (("faults",), []),
    (("faults", 0, "kind"), "instance.kil"),
    (("faults", 0, "pick"), 0),
    (("faults", 0, "pick"), "most"),
    (("faults", 0, "duration"), 60),
    (("faults", 0, "grace"), "1s"),
    (("blast_radius", "max_percent"), 34),
    (("blast_radius", "max_percent_min"), 0),
    (("blast_radius", "max_targets"), 0),
    (("abort_when", 0, "below"), 1),
    (("abort_when", 3, "above"), "x"),
    (("sampling", "tick"), 1),
]
LEFT_OUT: list[tuple[str | int, ...]] = [
    ("apiVersion",),
    ("kind",),
    ("name",),
    ("title",),
    ("targets",),
    ("steady_state",),
    ("faults",),
    ("prometheus", "url"),
    ("targets", "web", "docker"),
    ("steady_state", 0, "name"),
    ("steady_state", 0, "promql"),
    ("steady_state", 0, "at_least"),
    ("faults", 0, "kind"),
    ("faults", 0, "target"),
    ("faults", 0, "duration"),
    ("abort_when", 0, "above"),
    ("abort_when", 3, "no_data_for"),
]


def around(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path[:-1]:
        data = data[part]
    return data


def refused_by_chaoskit(data: Any, folder: Path) -> bool:
    from chaoskit.domain.errors import InvalidExperiment

    file = folder / "bad.yaml"
    file.write_text(json.dumps(data))
    try:
        load(str(file), variables={})
    except InvalidExperiment:
        return True
    return False


@pytest.mark.parametrize(("path", "value"), BAD, ids=str)
def test_the_schema_and_chaoskit_both_refuse_a_bad_value(
    path: tuple[str | int, ...], value: object, validator: jsonschema.Draft202012Validator, tmp_path: Path
) -> None:
    data = copy.deepcopy(data_of(EVERYTHING))
    around(data, path)[path[-1]] = value
    assert not validator.is_valid(data)
    assert refused_by_chaoskit(data, tmp_path)


@pytest.mark.parametrize("path", LEFT_OUT, ids=str)
def test_the_schema_and_chaoskit_both_refuse_a_missing_key(
    path: tuple[str | int, ...], validator: jsonschema.Draft202012Validator, tmp_path: Path
) -> None:
    data = copy.deepcopy(data_of(EVERYTHING))
    del around(data, path)[path[-1]]
    assert not validator.is_valid(data)
    assert refused_by_chaoskit(data, tmp_path)
