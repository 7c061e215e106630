"""Our words for pydantic's errors: total over every kind of error that a file can meet."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit import registry
from chaoskit.domain.errors import InvalidExperiment
from chaoskit.domain.experiment import Experiment
from chaoskit.files.loader import load_text
from chaoskit.files.sentences import Refusal, knows, near, sentence
from chaoskit.files.yaml import parse

EVERYTHING = Path(__file__).parents[2] / "data/experiments/good/everything.yaml"
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 5, 70_000, 10**17, 0.5, 1e300, "", " ", "x", "5", "-1s", "8d", "150%", "x" * 300, "é\n", [], [1],
    [None], {}, {"x": 1}, {"1": {"2": [3]}},
)  # fmt: skip
PYDANTIC_WORDS = ("Input should", "Value error", "Field required", "Extra inputs", "should have at least", "valid dict")


def good() -> dict[str, Any]:
    data = parse(EVERYTHING.read_text(), {}).data
    assert data is not None
    return data


def places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def bad() -> Iterator[dict[str, Any]]:
    """The good experiment with each value replaced by each odd one, or left out for a key that is unknown."""
    original = good()
    for path in places(original):
        for value in ODD_VALUES:
            data = copy.deepcopy(original)
            around: Any = data
            for part in path[:-1]:
                around = around[part]
            around[path[-1]] = value
            yield data
        del around[path[-1]]
        if isinstance(around, dict):
            around["odd"] = 1
        yield data


def errors_of(data: dict[str, Any]) -> list[str]:
    found = []
    try:
        Experiment.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        found += [one["type"] for one in error.errors()]
    steps = data.get("faults")
    for step in steps if isinstance(steps, list) else ():
        kind = registry.find(step["kind"]) if isinstance(step, dict) and isinstance(step.get("kind"), str) else None
        if kind is not None:
            try:
                kind.model_validate({key: value for key, value in step.items() if key in kind.model_fields})
            except ValidationError as error:
                found += [one["type"] for one in error.errors()]
    return found


@pytest.fixture(scope="module")
def mutants() -> list[dict[str, Any]]:
    return list(bad())


def test_there_is_a_sentence_for_every_type_of_error_a_file_can_meet(mutants: list[dict[str, Any]]) -> None:
    seen = {kind for data in mutants for kind in errors_of(data)}
    assert len(seen) > 15
    assert sorted(kind for kind in seen if not knows(kind)) == []


def test_every_problem_is_told_in_our_words_on_one_line_with_its_place(mutants: list[dict[str, Any]]) -> None:
    refused = 0
    for data in mutants[::7]:
        try:
            load_text(json.dumps(data, indent=1), name="f", variables=None)
        except InvalidExperiment as error:
            refused += 1
            for line in error.problems:
                assert not any(words in line for words in PYDANTIC_WORDS), line
                assert "\n" not in line
                assert line.split(":")[0] == "f"
                assert all(part.isdigit() for part in line.split(":")[1:3]), line
                assert len(line) < 800
    assert refused > 200


def refusal(kind: str, **more: Any) -> Refusal:
    blank = Refusal(kind, "key", "x", None, {}, "Input should be a frobnicator", "key: 5", ())
    return blank._replace(**more)


def test_an_error_never_seen_before_still_gets_a_finished_sentence() -> None:
    assert sentence(refusal("frob_type")) == (
        "is not accepted: input should be a frobnicator; write for example key: 5"
    )
    assert sentence(refusal("frob_type", raw=None)) == "is empty; write for example key: 5"


@pytest.mark.parametrize(
    ("kind", "raw", "context", "said"),
    [
        ("less_than_equal", "8m", {"le": 300.0}, "8m is out of range; write at most 5m"),
        ("less_than_equal", "2GiB", {"le": 2**30}, "2GiB is out of range; write at most 1GiB"),
        ("less_than", "60%", {"lt": 50}, "60% is out of range; write less than 50%"),
        ("greater_than_equal", 0, {"ge": 1}, "0 is out of range; write at least 1"),
        ("greater_than", "5", {"gt": 5}, "5 is out of range; write more than 5"),
        ("too_short", ["a"], {"min_length": 2}, "must hold at least 2; write for example key: 5"),
        ("too_long", ["a"] * 9, {"max_length": 2}, "must hold at most 2; write for example key: 5"),
        ("string_unicode", "x", {}, "holds characters that are not text; remove them"),
        ("finite_number", "1e999", {}, "'1e999' is not a finite number; write for example key: 5"),
    ],
)
def test_what_faults_of_others_may_ask_for_is_said_too(kind: str, raw: Any, context: dict[str, Any], said: str) -> None:
    assert sentence(refusal(kind, raw=raw, context=context)) == said


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("webb", ["web", "db"], "did you mean web?"),
        ("WEB", ["web", "db"], "did you mean web?"),
        ("web", ["Web", "db"], "did you mean Web?"),
        ("get", ["GET", "PUT"], "did you mean GET?"),
        ("cache", ["web", "db"], "known are web, db"),
        ("cache", [], "known are none"),
    ],
)
def test_a_word_that_is_nearly_known_is_named(word: str, known: list[str], said: str) -> None:
    assert near(word, known, "known are") == said
