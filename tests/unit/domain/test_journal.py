"""The journal: what is outstanding, and in which order it is undone."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chaoskit.domain.journal import (
    Entry,
    Injected,
    InjectFailed,
    Intended,
    Restored,
    Unrestored,
    outstanding,
    tag_of,
)
from chaoskit.domain.ports import Effect, TargetRef
from chaoskit.domain.targeting import TargetSpec

AT = datetime(2025, 1, 1, tzinfo=UTC)
SPEC = TargetSpec.model_validate({"local": {"port": 80}})


def intended(run: str, n: int) -> Intended:
    ref = TargetRef(id=f"local://h/{n}", name=str(n))
    return Intended(run=run, n=n, at=AT, kind="k", step=0, group="web", spec=SPEC, ref=ref, injection={"n": n})


def after(run: str, n: int) -> list[Entry]:
    return [
        Injected(run=run, n=n, at=AT, effect=Effect(bit=True, requested="r", measured="m")),
        InjectFailed(run=run, n=n, at=AT, error="boom"),
        Unrestored(run=run, n=n, at=AT, residue=("it is down",)),
    ]


def restored(run: str, n: int) -> Restored:
    return Restored(run=run, n=n, at=AT, note="started again")


def test_only_a_restoration_ends_an_intention() -> None:
    entries: list[Entry] = [intended("a", 1), *after("a", 1)]
    assert outstanding(entries) == (intended("a", 1),)
    assert outstanding([*entries, restored("a", 1)]) == ()


def test_what_is_outstanding_is_undone_newest_first() -> None:
    entries = [intended("a", n) for n in (1, 2, 3)]
    assert [one.n for one in outstanding([*entries, restored("a", 2)])] == [3, 1]


def test_runs_do_not_end_each_others_intentions() -> None:
    left = outstanding([intended("a", 1), intended("b", 1), restored("a", 1)])
    assert [(one.run, one.n) for one in left] == [("b", 1)]


def test_a_restoration_without_an_intention_is_harmless() -> None:
    assert outstanding([restored("a", 1), intended("a", 2)]) == (intended("a", 2),)


def test_an_intention_after_a_restoration_is_outstanding_again() -> None:
    assert outstanding([intended("a", 1), restored("a", 1), intended("a", 1)]) == (intended("a", 1),)


def test_tags_tell_runs_and_injections_apart() -> None:
    assert tag_of("r1", 2) == "chaoskit-r1-2"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 4), st.sampled_from(["intend", "tell", "restore"]))))
def test_outstanding_is_what_was_intended_and_not_restored_since(story: Sequence[tuple[str, int, str]]) -> None:
    entries: list[Entry] = []
    for run, n, what in story:
        told: dict[str, list[Entry]] = {"intend": [intended(run, n)], "restore": [restored(run, n)]}
        entries += told.get(what, after(run, n))
    decisive = {(run, n): what for run, n, what in story if what != "tell"}
    expected = {key for key, what in decisive.items() if what == "intend"}
    left = outstanding(entries)
    assert {(one.run, one.n) for one in left} == expected
    assert len(left) == len(expected)


def test_every_entry_survives_json_as_the_kind_it_is() -> None:
    adapter: TypeAdapter[Entry] = TypeAdapter(Entry)
    for entry in [intended("a", 1), *after("a", 1), restored("a", 1)]:
        again = adapter.validate_python(json.loads(entry.model_dump_json(by_alias=True)))
        assert again == entry
        assert type(again) is type(entry)
