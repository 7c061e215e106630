from datetime import timedelta

import pytest

from chaoskit.domain.errors import UnknownRun
from chaoskit.store import Store

from .builders import NOON, begun

LATER = NOON + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def two_runs(store: Store) -> None:
    store.begin(begun("r1"))
    store.begin(begun("r2", 1))


def test_nothing_is_halted_at_first(store: Store) -> None:
    assert store.halted("r1") is None
    assert store.active_halts() == []


def test_a_halt_of_one_run_leaves_the_others_alone(store: Store) -> None:
    store.engage("r1", "pager went off", "ada", NOON)
    assert store.halted("r1") == "pager went off"
    assert store.halted("r2") is None


def test_a_halt_of_all_holds_for_runs_that_nobody_knows_yet(store: Store) -> None:
    store.engage("all", "incident", "ada", NOON)
    assert store.halted("r1") == store.halted("not-begun-yet") == "incident"


def test_a_halt_lasts_until_it_is_released(store: Store) -> None:
    store.engage("all", "incident", "ada", NOON)
    store.engage("all", "second thoughts", "bob", NOON)
    assert store.release("all", "eve", LATER) == 2
    assert store.halted("r1") is None
    assert store.release("all", "eve", LATER) == 0


def test_releasing_one_scope_keeps_the_halts_of_the_other(store: Store) -> None:
    store.engage("all", "incident", "ada", NOON)
    store.engage("r1", "odd graphs", "bob", NOON)
    assert store.release("all", "eve", LATER) == 1
    assert store.halted("r1") == "odd graphs"
    assert store.release("r2", "eve", LATER) == 0


def test_the_first_of_several_reasons_is_told(store: Store) -> None:
    store.engage("r1", "first", "ada", NOON)
    store.engage("all", "second", "bob", NOON)
    assert store.halted("r1") == "first"


def test_active_halts_tell_who_and_when(store: Store) -> None:
    store.engage("r1", "gone", "ada", NOON)
    store.release("r1", "ada", NOON)
    store.engage("all", "incident", "bob", LATER)
    (halt,) = store.active_halts()
    assert (halt.scope, halt.reason, halt.who, halt.at) == ("all", "incident", "bob", LATER)


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_halt_without_a_reason_is_still_a_halt(store: Store, reason: str) -> None:
    store.engage("r1", reason, "ada", NOON)
    assert store.halted("r1") == "no reason given"


def test_a_halt_in_bytes_that_are_no_text_is_still_a_halt(store: Store) -> None:
    store.engage("r1", "fa\udce7ade\0", "z\udcff", NOON)
    assert store.halted("r1") == r"fa\udce7ade\x00"
    assert store.release("r1", "z\udcff", LATER) == 1


def test_a_halt_may_name_the_run_as_a_person_would(store: Store) -> None:
    store.engage("last", "odd", "ada", NOON)
    assert store.halted("r2") == "odd"
    assert store.halted("r1") is None


def test_a_halt_of_a_run_that_does_not_exist_is_refused_so_that_nobody_relies_on_it(store: Store) -> None:
    with pytest.raises(UnknownRun, match="r3"):
        store.engage("r3", "odd", "ada", NOON)
    with pytest.raises(UnknownRun, match="r3"):
        store.release("r3", "ada", NOON)
