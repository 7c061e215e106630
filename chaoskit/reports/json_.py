"""The machine-readable report: the whole record with its judgement, under a published JSON Schema.

Its fields are documented in docs/reference/report.md. Within one schema version fields are added, never changed.
"""

import json
from typing import Any, Literal

from pydantic import Field

from chaoskit.domain.history import RunRecord
from chaoskit.domain.quantities import Value
from chaoskit.domain.verdict import Judgement
from chaoskit.reports.clean import redacted


class Report(Value):
    """A judged run, as ``report.json`` holds it."""

    schema_version: Literal["chaoskit.report/1"] = Field(default="chaoskit.report/1", alias="schema")
    judgement: Judgement
    run: RunRecord


def render(record: RunRecord, judgement: Judgement) -> str:
    """The report of one run as JSON, in ASCII."""
    return json.dumps(document(record, judgement), indent=1, allow_nan=False) + "\n"


def document(record: RunRecord, judgement: Judgement) -> dict[str, Any]:
    """The report of one run as what :func:`render` writes: objects, arrays, strings, finite numbers.

    JSON has no infinity: the value of a reading is then the text ``Infinity`` (or ``-Infinity``, ``NaN``), any other
    number is null.
    """
    report = Report(judgement=redacted(judgement), run=redacted(record))
    # By way of text, because pydantic replaces what JSON cannot hold only when it writes text.
    found: dict[str, Any] = json.loads(report.model_dump_json(by_alias=True))
    return found


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``report.json``."""
    found = Report.model_json_schema(mode="serialization", by_alias=True)
    found["$defs"]["Reading"]["properties"]["value"]["anyOf"].append({"enum": ["Infinity", "-Infinity", "NaN"]})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
