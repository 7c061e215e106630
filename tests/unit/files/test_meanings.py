"""The table of meanings, held against the models it explains."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter

from chaoskit.domain.experiment import Experiment
from chaoskit.files.fields import keys_of, known_at
from chaoskit.files.meanings import Meaning, table
from chaoskit.files.yaml import parse
from tests.unit.files.kinds import Delay


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for known in keys_of(annotation).values():
            yield from models_in(known.field.annotation)
    for argument in get_args(annotation):
        yield from models_in(argument)


MODELS = {model.__name__: model for model in models_in(Experiment) if model.__name__ != "Quantity"}
ENTRIES = [(model, key, meaning) for model, keys in table().items() for key, meaning in keys.items()]


def test_the_table_has_every_key_of_every_model_and_no_other() -> None:
    assert len(MODELS) > 15
    assert {name: set(keys) for name, keys in table().items()} == {
        name: set(keys_of(model)) for name, model in MODELS.items()
    }


@pytest.mark.parametrize(("model", "key", "meaning"), ENTRIES, ids=str)
def test_an_example_is_accepted_where_it_would_stand(model: str, key: str, meaning: Meaning) -> None:
    document = parse(f"key: {meaning.example}", {})
    assert document.problems == ()
    assert document.data is not None
    field = keys_of(MODELS[model])[key].field
    TypeAdapter(field.rebuild_annotation()).validate_python(document.data["key"])


@pytest.mark.parametrize(("model", "key", "meaning"), ENTRIES, ids=str)
def test_a_description_is_one_finished_sentence(model: str, key: str, meaning: Meaning) -> None:
    assert meaning.description[0].isupper()
    assert meaning.description[-1] == "."
    assert "\n" not in meaning.description


def test_keys_are_found_through_lists_mappings_and_choices() -> None:
    assert set(known_at(Experiment, ("targets", "any", "docker", "compose"))) == {"project", "service"}
    assert set(known_at(Experiment, ("faults", 3))) == {"kind", "target", "pick", "pick_min", "duration"}
    assert "for" in known_at(Experiment, ("abort_when", 0))
    assert known_at(Experiment, ("steady_state", 0, "http", "headers")) == {}
    assert known_at(Experiment, ("nowhere", "at", "all")) == {}


def test_a_fault_of_others_explains_its_parameters_itself() -> None:
    assert keys_of(Delay)["by"].meaning == Meaning("100ms", "How long every packet waits.")
