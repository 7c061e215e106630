import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from chaoskit.domain.errors import StoreFailed, UnknownRun
from chaoskit.domain.history import Event
from chaoskit.domain.verdict import Verdict, judge
from chaoskit.store import Store
from chaoskit.store.liveness import alive

from .builders import NOON, RUNNER, begun, ended, intended, reading, restored


def test_a_run_comes_back_exactly_as_it_was(store: Store) -> None:
    record = ended()
    store.begin(begun())
    store.extend("r1", record.readings[:2], record.events[:1])
    store.extend("r1", record.readings[2:], record.events[1:])
    store.finish(record, Verdict.ABORTED)
    assert store.load("r1") == record


def test_a_stored_run_is_judged_as_the_live_one_was(store: Store) -> None:
    record = ended()
    store.begin(record)
    store.extend("r1", record.readings, record.events)
    store.finish(record, judge(record).verdict)
    assert judge(store.load("r1")) == judge(record)


def test_a_reading_of_nan_does_not_come_back_as_no_reading(store: Store) -> None:
    store.begin(begun())
    store.extend("r1", [reading(1.0, float("nan")), reading(2.0, None)], [])
    nan, none = store.load("r1").readings
    assert nan.value is not None
    assert nan.value != nan.value
    assert none.value is None


def test_a_run_that_died_halfway_can_be_loaded_as_far_as_it_came(store: Store) -> None:
    store.begin(begun())
    store.save(begun().model_copy(update={"errors": ("late",)}))
    store.extend("r1", [reading(1.0)], [])
    found = store.load("r1")
    assert found.ended_at is None
    assert found.errors == ("late",)
    assert found.readings == (reading(1.0),)


def test_saving_keeps_what_was_seen_and_when_the_runner_was_alive(store: Store) -> None:
    store.begin(begun())
    store.extend("r1", [reading(1.0)], [Event(at=1.0, kind="note", text="x")])
    store.heartbeat("r1", NOON + timedelta(seconds=9))
    store.save(begun())
    assert len(store.load("r1").readings) == len(store.load("r1").events) == 1
    assert store.runner_of("r1").heartbeat_at == NOON + timedelta(seconds=9)


def test_readings_of_one_run_are_not_another_runs(store: Store) -> None:
    store.begin(begun("r1"))
    store.begin(begun("r2"))
    store.extend("r1", [reading(1.0)], [])
    store.extend("r2", [reading(2.0)], [])
    store.extend("r1", [reading(3.0)], [])
    assert [r.at for r in store.load("r1").readings] == [1.0, 3.0]


def test_extending_by_nothing_changes_nothing(store: Store) -> None:
    store.begin(begun())
    store.extend("r1", [], [])
    assert store.load("r1") == begun()


def test_an_id_is_begun_only_once(store: Store) -> None:
    store.begin(begun())
    with pytest.raises(StoreFailed, match="run r1 is already in the store"):
        store.begin(begun())


def test_what_could_not_be_read_back_is_refused_before_the_run_begins(store: Store) -> None:
    odd = begun().model_copy(update={"seed": 7})
    with pytest.raises(StoreFailed, match=r"the record of run r1 must not be written.*seed"):
        store.begin(odd)
    assert store.runs() == []


# --- liveness -------------------------------------------------------------------------------------------------


def test_the_first_heartbeat_is_the_start(store: Store) -> None:
    store.begin(begun())
    row = store.runner_of("r1")
    assert (row.host, row.pid, row.pid_started) == (RUNNER.host, RUNNER.pid, RUNNER.pid_started)
    assert row.heartbeat_at == NOON
    assert not row.ended


def test_a_run_with_a_verdict_has_ended(store: Store) -> None:
    store.begin(begun())
    store.save(ended())
    assert not store.runner_of("r1").ended
    store.finish(ended(), Verdict.PASSED)
    assert store.runner_of("r1").ended


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    store.begin(begun())
    with pytest.raises(StoreFailed, match="no time zone"):
        store.heartbeat("r1", NOON.replace(tzinfo=None))


# --- the list -------------------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first(store: Store) -> None:
    for run, minutes in (("b", 2), ("c", 1), ("a", 3)):
        store.begin(begun(run, minutes))
    assert [summary.run for summary in store.runs()] == ["a", "b", "c"]


def test_the_list_can_be_cut_and_narrowed_to_an_experiment(store: Store) -> None:
    for minutes in range(6):
        store.begin(begun(f"r{minutes}", minutes, name=f"e{minutes % 2}"))
    assert [summary.run for summary in store.runs(limit=2)] == ["r5", "r4"]
    assert [summary.run for summary in store.runs(experiment="e0")] == ["r4", "r2", "r0"]
    assert store.runs(experiment="unheard-of") == []


def test_a_summary_tells_how_the_run_ended_and_what_is_left(store: Store) -> None:
    store.begin(begun())
    store.append(intended("r1", 1), intended("r1", 2), intended("r1", 3), restored("r1", 2))
    store.finish(ended(), Verdict.DIRTY)
    (summary,) = store.runs()
    assert (summary.verdict, summary.duration, summary.outstanding) == (Verdict.DIRTY, 95.25, 2)
    assert (summary.experiment, summary.title) == ("checkout-survives", begun().experiment.title)
    assert summary.started_at == NOON
    assert not alive(summary.runner, NOON)


def test_a_summary_of_a_run_that_goes_on_has_no_verdict_and_may_be_live(store: Store) -> None:
    store.begin(begun())
    (summary,) = store.runs()
    assert (summary.verdict, summary.duration, summary.outstanding) == (None, None, 0)
    assert alive(summary.runner, NOON + timedelta(seconds=59))
    assert not alive(summary.runner, NOON + timedelta(seconds=61))


def test_a_later_verdict_replaces_the_first(store: Store) -> None:
    store.begin(begun())
    store.finish(ended(), Verdict.DIRTY)
    store.finish(ended(), Verdict.ABORTED)
    assert [summary.verdict for summary in store.runs()] == [Verdict.ABORTED]


def test_the_exit_code_stands_beside_the_verdict(store: Store, path: Path) -> None:
    store.begin(begun())
    store.finish(ended(), Verdict.DIRTY)
    store.close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT verdict, exit_code FROM runs").fetchall() == [("dirty", 6)]
    raw.close()


# --- which run is meant ---------------------------------------------------------------------------------------


@pytest.fixture
def three(store: Store) -> Store:
    for minutes, run in enumerate(("20260301-aaaa", "20260301-abcd", "20260302-zzzz")):
        store.begin(begun(run, minutes))
    return store


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("20260301-aaaa", "20260301-aaaa"),
        ("20260302", "20260302-zzzz"),
        ("20260301-ab", "20260301-abcd"),
        ("last", "20260302-zzzz"),
    ],
)
def test_a_run_is_found_by_its_id_the_beginning_of_it_or_last(three: Store, typed: str, meant: str) -> None:
    assert three.resolve(typed) == meant
    assert three.load(typed).run == meant


def test_an_id_wins_over_longer_ones_that_begin_with_it(store: Store) -> None:
    store.begin(begun("ab"))
    store.begin(begun("abc"))
    assert store.resolve("ab") == "ab"


def test_an_ambiguous_beginning_lists_what_it_begins(three: Store) -> None:
    with pytest.raises(UnknownRun, match="begins more than one run: 20260301-abcd, 20260301-aaaa; write more"):
        three.load("20260301")


def test_a_typing_mistake_is_answered_with_what_was_meant(three: Store) -> None:
    with pytest.raises(UnknownRun, match=r"no run '20260301-abce' in the store; did you mean 20260301-abcd\?"):
        three.load("20260301-abce")


def test_an_experiments_name_is_answered_with_its_newest_run(three: Store) -> None:
    with pytest.raises(UnknownRun, match="is an experiment, not a run; its newest run is 20260302-zzzz"):
        three.load("checkout-survives")


@pytest.mark.parametrize("typed", ["", "%", "_", "2026%", "ZZZZ"])
def test_nothing_but_a_beginning_matches(three: Store, typed: str) -> None:
    with pytest.raises(UnknownRun, match="no run"):
        three.load(typed)


def test_an_empty_store_says_how_to_begin(store: Store) -> None:
    with pytest.raises(UnknownRun, match="holds no runs yet; start one with `chaoskit run FILE`"):
        store.load("last")


def test_an_unknown_run_is_never_written_to(store: Store) -> None:
    for write in (
        lambda: store.save(begun("ghost")),
        lambda: store.finish(begun("ghost"), Verdict.PASSED),
        lambda: store.heartbeat("ghost", NOON),
        lambda: store.extend("ghost", [reading(1.0)], []),
        lambda: store.runner_of("ghost"),
    ):
        with pytest.raises(UnknownRun):
            write()
    assert store.runs() == []


# --- rows that cannot be read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE readings SET body = 'x' WHERE seq = 2", "row 2 of the readings of run r1 cannot be read"),
        (
            "UPDATE events SET body = '{\"at\": 1}'",
            "row 1 of the events of run r1 cannot be read: kind: Field required",
        ),
        ("UPDATE runs SET header = '{}'", "the record of run r1 cannot be read: run: Field required"),
        ("UPDATE runs SET verdict = 'splendid'", "the row of run r1 cannot be read: verdict: Input should be"),
        ("UPDATE runs SET pid = 'x'", "the row of run r1 cannot be read: pid: Input should be"),
        ("UPDATE runs SET started_at = 'yesterday'", "holds what chaoskit never wrote"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_never_dropped(
    store: Store, path: Path, damage: str, named: str
) -> None:
    store.begin(begun())
    store.extend("r1", [reading(1.0), reading(2.0)], [Event(at=1.0, kind="note", text="x")])
    store.close()
    raw = sqlite3.connect(path)
    raw.execute(damage)
    raw.commit()
    raw.close()
    with pytest.raises(StoreFailed, match=named):
        _ = (store.load("r1"), store.runs())


# --- runs stored by earlier versions --------------------------------------------------------------------------


def test_a_run_stored_by_the_first_version_still_loads(path: Path) -> None:
    path.parent.mkdir()
    raw = sqlite3.connect(path)
    raw.executescript((Path(__file__).parent / "data" / "schema-1.sql").read_text(encoding="ascii"))
    raw.close()
    with Store(path) as store:
        assert store.load("r1") == ended()
        assert [summary.verdict for summary in store.runs()] == [Verdict.ABORTED]
        assert store.outstanding() == [intended("r1", 2, "web-2")]
        assert store.halted("r1") == "error budget spent"
