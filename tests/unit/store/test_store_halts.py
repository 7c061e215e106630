from datetime import timedelta

import pytest

from chaoskit.domain.errors import Blocked, UnknownRun
from chaoskit.domain.verdict import Verdict
from chaoskit.store import Store

from .builders import NOON, begun, ended, intended

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


# --- the audit ------------------------------------------------------------------------------------------------


def test_every_halt_stays_on_record_with_who_engaged_and_who_released_it(store: Store) -> None:
    assert store.all_halts() == []
    store.engage("all", "incident", "ada", NOON)
    store.release("all", "eve", LATER)
    store.engage("r1", "odd graphs", "bob", LATER)
    first, second = store.all_halts()
    assert (first.scope, first.reason, first.who, first.at) == ("all", "incident", "ada", NOON)
    assert (first.released_by, first.released_at, first.in_force) == ("eve", LATER, False)
    assert (second.released_by, second.released_at, second.in_force) == (None, None, True)
    assert store.active_halts() == [second]


def test_a_release_does_not_rewrite_who_released_before(store: Store) -> None:
    store.engage("all", "incident", "ada", NOON)
    store.release("all", "eve", LATER)
    store.engage("all", "again", "ada", LATER)
    store.release("all", "bob", LATER + timedelta(minutes=1))
    assert [halt.released_by for halt in store.all_halts()] == ["eve", "bob"]


def test_the_halt_of_a_run_is_over_when_that_has_ended(store: Store) -> None:
    store.engage("r1", "odd graphs", "ada", NOON)
    store.engage("all", "incident", "ada", NOON)
    store.finish(ended("r1"), Verdict.ABORTED)
    assert [halt.scope for halt in store.active_halts()] == ["all"]
    assert [(halt.over, halt.in_force) for halt in store.all_halts()] == [(True, False), (False, True)]


# --- no claim past a halt -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["all", "r1"])
def test_once_a_halt_was_engaged_nothing_is_claimed(store: Store, scope: str) -> None:
    store.engage(scope, "incident", "ada", NOON)
    with pytest.raises(Blocked, match="a halt is in force: incident; `chaoskit status` shows it"):
        store.claim(intended("r1"), live=lambda _run: True)
    assert store.entries() == []


def test_the_halt_of_another_run_and_one_that_was_released_are_in_nobodys_way(store: Store) -> None:
    store.engage("r2", "odd graphs", "ada", NOON)
    store.engage("all", "incident", "ada", NOON)
    store.release("all", "ada", LATER)
    store.claim(intended("r1"), live=lambda _run: True)
    assert store.outstanding() == [intended("r1")]
