import json
import math
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from chaoskit.domain import (
    checks,
    connection,
    detection,
    experiment,
    history,
    plan,
    ports,
    quantities,
    readings,
    results,
    selection,
    targeting,
)
from chaoskit.domain.history import RunRecord
from chaoskit.domain.verdict import Judgement
from chaoskit.reports.json_ import Report, document, render, schema
from tests.unit.reports import factory

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "report.md"
CHECKER = jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker())
DOCUMENTED: list[type[BaseModel]] = [
    Report,
    Judgement,
    results.CheckResult,
    detection.DetectionResult,
    RunRecord,
    history.Runner,
    history.PhaseSpan,
    readings.Reading,
    history.InjectionRecord,
    ports.Effect,
    history.Abort,
    history.Recovery,
    history.Event,
    plan.Plan,
    plan.PlannedGroup,
    ports.TargetRef,
    selection.Excluded,
    plan.PlannedInjection,
    selection.Radius,
    plan.AbortLatency,
]


@pytest.mark.parametrize("name", factory.ALL)
def test_every_report_satisfies_its_published_schema(name: str) -> None:
    CHECKER.validate(json.loads(render(*factory.judged(factory.ALL[name]()))))


def test_the_schema_itself_is_valid_and_refuses_what_is_none_of_it() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    good = document(*factory.judged(factory.passed()))
    assert [*good] == ["schema", "judgement", "run"]
    assert good["schema"] == "chaoskit.report/1"
    for broken in ({**good, "schema": "chaoskit.report/2"}, {**good, "more": 1}, {"run": good["run"]}):
        assert not CHECKER.is_valid(broken)


@pytest.mark.parametrize("name", factory.ALL)
def test_the_record_and_the_judgement_read_back_equal(name: str) -> None:
    record, judgement = factory.judged(factory.ALL[name]())
    found = json.loads(render(record, judgement))
    assert RunRecord.model_validate(found["run"]) == record
    assert Judgement.model_validate(found["judgement"]) == judgement


def test_infinity_is_spelled_out_so_that_the_file_is_strict_json() -> None:
    endless = factory.series("p95 latency", lambda _: ("deviated", math.inf))
    text = render(*factory.judged(factory.record(readings=endless)))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads(text, parse_constant=refuse)
    CHECKER.validate(found)
    assert found["run"]["readings"][0]["value"] == "Infinity"
    assert RunRecord.model_validate(found["run"]).readings[0].value == math.inf


def test_secrets_in_free_text_are_hidden() -> None:
    record = factory.record(text="# postgresql://ada:hunter22@db/runs", errors=("Authorization: Bearer abcdef123456",))
    text = render(*factory.judged(record))
    assert "hunter22" not in text
    assert "abcdef123456" not in text


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_text_reads_back_as_it_was(poison: str) -> None:
    record = factory.record(errors=(f"x{poison}",), readings=(), events=())
    text = render(*factory.judged(record))
    assert text.isascii()
    assert (
        json.loads(text)["run"]["errors"] == json.loads(json.dumps(document(*factory.judged(record))))["run"]["errors"]
    )


def documented() -> dict[str, list[tuple[str, str]]]:
    """The field tables of the page, by heading: name and type of each row."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for part in re.split(r"^##+ ", DOCS.read_text(), flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| `([^`]+)` \| ([^|]+?) \| \S", part, flags=re.MULTILINE)
        tables[part.splitlines()[0].strip().strip("`")] = rows
    return tables


def fields(model: type[BaseModel]) -> list[tuple[str, str]]:
    """Name and type of each field of ``model``, as the page has to write them."""
    found = schema()
    own: dict[str, Any] = found if model is Report else found["$defs"][model.__name__]
    return [(name, shown(field)) for name, field in own["properties"].items()]


def shown(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(shown(one) for one in field["anyOf"]))
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if name in {model.__name__ for model in DOCUMENTED} else name
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {shown(field['items'])}"
    if field.get("type") == "object":
        return f"object of {shown(field['additionalProperties'])}"
    return "time" if field.get("format") == "date-time" else str(field["type"])


@pytest.mark.parametrize("model", DOCUMENTED, ids=lambda model: model.__name__)
def test_the_page_documents_exactly_the_fields_there_are(model: type[BaseModel]) -> None:
    assert documented()[model.__name__] == fields(model)


def test_every_model_of_the_report_is_documented_here_or_with_the_file_format() -> None:
    of_the_file = {
        name
        for module in (experiment, checks, connection, targeting, quantities)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseModel)
    }
    named = {model.__name__ for model in DOCUMENTED} | of_the_file | {"Verdict", "JsonValue"}
    assert set(schema()["$defs"]) <= named
