"""No input, of whatever kind, gets anything out of the loader but an experiment or an InvalidExperiment."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chaoskit.domain.errors import InvalidExperiment
from chaoskit.domain.experiment import Experiment
from chaoskit.files.loader import LoadedExperiment, load, load_text
from chaoskit.files.yaml import parse
from tests.unit.files.kinds import GOOD, KINDS

FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
VARIABLES = st.dictionaries(st.sampled_from(["A", "B", "HOME"]), st.text(max_size=10), max_size=3)
MARKS = st.sampled_from(
    ["\n", "  ", "\t",
     ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "!t ", "|", ">", "'", '"', "#", "---\n", "? ", "<<: ",
     "${A}", "${", "$${", ".nan", ".inf", "~", "null", "true", "1e999", "0", "60s", "30%", "%YAML 1.2\n",
     "\0", "\ufeff",
     "\u2028", "é", "💥", "\\", "\x85"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def outcome(read: Callable[[], LoadedExperiment]) -> tuple[Experiment | None, tuple[str, ...]]:
    """What came of reading: an experiment, or the problems of an InvalidExperiment. Anything else fails the test."""
    try:
        loaded = read()
    except InvalidExperiment as error:
        return None, error.problems
    assert [fault.kind for fault in loaded.faults] == [step.kind for step in loaded.experiment.faults]
    return loaded.experiment, ()


def feed(text: str, variables: Mapping[str, str] | None = None) -> Experiment | None:
    experiment, problems = outcome(lambda: load_text(text, name="f", variables=variables, registry=KINDS))
    assert bool(problems) == (experiment is None)
    assert [line for line in problems if not line.startswith("f:") or not line.isprintable()] == []
    return experiment


@FUZZ
@given(st.binary(max_size=300))
@example(b"\xff\xfe")
@example(b"\x00")
def test_bytes_of_any_kind(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "f"
        file.write_bytes(data)
        experiment, problems = outcome(lambda: load(str(file), variables={}, registry=KINDS))
        assert bool(problems) == (experiment is None)


@FUZZ
@given(st.text(max_size=200) | st.lists(MARKS, max_size=60).map("".join), VARIABLES)
@example("\ud800", {})
@example("a: ${A}", {"A": "\ud800"})
def test_text_of_any_kind(text: str, variables: dict[str, str]) -> None:
    feed(text, variables)


@FUZZ
@given(st.data(), VARIABLES)
def test_a_good_file_with_parts_replaced(data: st.DataObject, variables: dict[str, str]) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(MARKS | st.text(max_size=8)) + text[end:]
    feed(text, variables)


@FUZZ
@given(st.data())
def test_a_good_file_with_its_lines_in_disorder(data: st.DataObject) -> None:
    lines = data.draw(st.permutations(GOOD.splitlines(keepends=True)))
    feed("".join(lines[: data.draw(st.integers(0, len(lines)))]))


def planted(draw: st.DrawFn) -> dict[str, Any]:
    """The good experiment as data, with anything at all planted somewhere in it."""
    document: Any = parse(GOOD, {}).data
    around: Any = {"": document}
    key: Any = ""
    while draw(st.booleans()) and around[key]:
        inner = around[key]
        if not isinstance(inner, dict | list):
            break
        around, key = inner, draw(st.sampled_from(list(inner) if isinstance(inner, dict) else range(len(inner))))
    around[key] = draw(JSON)
    return document if isinstance(document, dict) else {}


@FUZZ
@given(st.composite(planted)())
def test_structured_data_of_any_kind_anywhere_in_a_good_file(document: dict[str, Any]) -> None:
    feed(json.dumps(document))


@FUZZ
@given(JSON)
def test_the_data_of_any_json_text_is_what_json_says(value: object) -> None:
    text = json.dumps({"key": value}, allow_nan=False) if _is_finite(value) else '{"key": .nan}'
    document = parse(text, None)
    if not document.problems:
        assert document.data == {"key": value}


def _is_finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@FUZZ
@given(st.composite(planted)())
def test_what_is_accepted_survives_json(document: dict[str, Any]) -> None:
    accepted = feed(json.dumps(document))
    if accepted is not None:
        assert Experiment.model_validate_json(accepted.model_dump_json(by_alias=True)) == accepted
