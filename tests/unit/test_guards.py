"""Reasons not to start that the store and the machine know, all of them at once and before anything is sampled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaoskit.app import Claiming, guards_of
from chaoskit.domain.errors import Blocked, StoreFailed
from chaoskit.domain.journal import Intended
from chaoskit.domain.limits import Limits
from chaoskit.domain.plan import Plan
from chaoskit.settings import Settings
from chaoskit.store.liveness import me
from chaoskit.store.store import Store
from tests.unit.store.builders import NOON, begun, intended, plan, ref


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "ck.db") as opened:
        yield opened


@pytest.fixture
def halt_file(tmp_path: Path) -> Path:
    return tmp_path / "halt"


@pytest.fixture
def settings(halt_file: Path) -> Settings:
    return Settings(halt_file=halt_file)


def held(store: Store, run: str, target: str, *, live: bool = True) -> None:
    """``run`` has a fault on ``target``; a live one is run by this very process."""
    record = begun(run)
    store.begin(record.model_copy(update={"runner": me()}) if live else record)
    store.append(intended(run, 1, target))


def wanting(*targets: str) -> Plan:
    return plan().model_copy(update={"chosen": tuple(ref(target) for target in targets)})


def reasons(store: Store, settings: Settings, *targets: str) -> list[str]:
    found: list[str] = []
    for guard in guards_of(store, "new", settings):
        found += guard(wanting(*targets))
    return found


def test_nothing_stands_against_a_start_where_nothing_happens(store: Store, settings: Settings) -> None:
    assert reasons(store, settings, "web-1") == []


def test_halts_of_the_store_and_the_halt_file_are_both_told(store: Store, settings: Settings, halt_file: Path) -> None:
    store.engage("all", "incident", "ada", NOON)
    halt_file.write_text("freeze\n")
    assert reasons(store, settings, "web-1") == [
        "a halt is in force: incident; lift it with `chaoskit halt --all --release`",
        f"a halt is in force: freeze (halt file {halt_file}); lift it with `rm {halt_file}`",
    ]


def test_a_held_target_is_told_with_who_holds_it(store: Store, settings: Settings) -> None:
    held(store, "a", "web-1")
    assert reasons(store, settings, "web-1") == [
        f"web-1 is held by run a ({store.who('a')}), which is live; wait for it, or stop it with `chaoskit halt a`"
    ]
    assert reasons(store, settings, "web-2") == []


def test_residue_on_any_target_is_told_with_who_left_it(store: Store, settings: Settings) -> None:
    held(store, "a", "web-1", live=False)
    assert reasons(store, settings, "web-2") == [
        (
            "run a (root@h, pid 4242, since 2026-03-01 12:00:00 UTC) left a fault behind on web-1; "
            "restore it first with `chaoskit rollback a`"
        )
    ]


def test_a_journal_that_outlived_its_history_blocks_as_residue(store: Store, settings: Settings) -> None:
    store.append(intended("a", 1, "web-1"))
    assert reasons(store, settings, "web-2") == [
        "run a left a fault behind on web-1; restore it first with `chaoskit rollback a`"
    ]


def test_limits_are_told_beside_everything_else(store: Store, halt_file: Path) -> None:
    held(store, "a", "web-1")
    settings = Settings(halt_file=halt_file, limits=Limits(max_runs=1, max_per_label={"app": 1}))
    told = reasons(store, settings, "web-1")
    assert [reason.partition(":")[0] for reason in told[1:]] == ["limit max_runs", "limit max_per_label.app"]
    assert told[0].startswith("web-1 is held by run a (")
    assert all(f"run a ({store.who('a')})" in reason for reason in told)


# --- the store as the engine sees it --------------------------------------------------------------------------


def claims(store: Store, settings: Settings, *intended: Intended) -> list[str]:
    with pytest.raises(Blocked) as blocked:
        Claiming(store, settings).claim(*intended)
    return list(blocked.value.reasons)


def test_a_run_is_halted_by_the_store_or_by_the_file(store: Store, settings: Settings, halt_file: Path) -> None:
    book = Claiming(store, settings)
    assert book.halted("r1") is None
    store.engage("all", "incident", "ada", NOON)
    assert book.halted("r1") == "incident"
    halt_file.write_text("freeze")
    assert book.halted("r1") == f"freeze (halt file {halt_file})"
    halt_file.unlink()
    assert book.halted("r1") == "incident"


def test_the_file_halts_a_run_whose_store_cannot_be_read(store: Store, settings: Settings, halt_file: Path) -> None:
    book = Claiming(store, settings)
    assert book.halted("r1") is None
    store.path.unlink()
    with pytest.raises(StoreFailed):
        book.halted("r1")
    halt_file.touch()
    assert book.halted("r1") == f"no reason given (halt file {halt_file})"


def test_nothing_is_claimed_once_the_halt_file_is_there(store: Store, settings: Settings, halt_file: Path) -> None:
    halt_file.touch()
    assert claims(store, settings, intended("r1")) == [
        f"a halt is in force: no reason given (halt file {halt_file}); lift it with `rm {halt_file}`"
    ]
    assert store.entries() == []


def test_a_claim_obeys_the_limits_of_the_settings(store: Store, halt_file: Path) -> None:
    held(store, "a", "web-1")
    settings = Settings(halt_file=halt_file, limits=Limits(max_runs=1))
    (reason,) = claims(store, settings, intended("b", 1, "web-2"))
    assert reason.startswith("limit max_runs: 1 at once may hold targets, and 1 do: run a (")
    assert store.entries("b") == []
