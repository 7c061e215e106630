"""What a run whose faults outlived it is judged: never better than it was, whatever is undone or accepted later.

And whether its runner lives, whatever the clocks say.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaoskit import cleanup
from chaoskit.app import conclude
from chaoskit.cleanup import Orphans
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.targeting import TargetSpec
from chaoskit.domain.verdict import Verdict
from chaoskit.engine.rollback import Undone
from chaoskit.settings import Settings
from chaoskit.store.liveness import WATCHED_FOR
from chaoskit.store.store import Store
from tests.unit.store.builders import begun, ended, injection_record, intended, restored


class Clock:
    """Time passes only where somebody waits; ``meanwhile`` happens at each wait."""

    def __init__(self) -> None:
        self._now = 0.0
        self.meanwhile: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self._now

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        self._now += seconds
        self.meanwhile()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of everything here: whoever watches a runner for some seconds waits for nothing."""
    made = Clock()
    monkeypatch.setattr(cleanup, "RealClock", lambda: made)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "ck.db") as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(reports=tmp_path / "reports")


def test_residue_that_only_the_journal_knows_of_keeps_an_accepted_run_dirty(store: Store, settings: Settings) -> None:
    store.begin(begun())
    store.append(intended())
    finished = cleanup.accept(Orphans("r1", (intended(),), live=False), store, settings, "removed on purpose")
    assert finished is not None
    assert finished.judgement.verdict is Verdict.DIRTY
    assert store.open_runs() == []


def test_what_cannot_be_removed_on_acceptance_is_told_and_keeps_nothing_open(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    far = {
        "tag": "chaoskit-r1-1",
        "target": "local://elsewhere/nginx@12:345.abc",
        "signal": "KILL",
        "before": {"pid": 12, "running": True},
        "restart": ["nginx"],
        "output": "/state/chaoskit-r1-1.log",
    }
    changes = {
        "kind": "process.kill",
        "spec": TargetSpec.model_validate({"local": {"name": "nginx"}}),
        "ref": TargetRef(id=far["target"], name="nginx-12"),
        "injection": far,
    }
    left = intended().model_copy(update=changes)
    store.begin(begun())
    store.append(left)
    finished = cleanup.accept(Orphans("r1", (left,), live=False), store, settings, "that machine is gone")
    assert store.open_runs() == []
    assert finished is not None
    told = "what process.kill on nginx-12 put aside for its undo may still be there: local://elsewhere/nginx@12"
    assert told in finished.record.events[-1].text
    assert told in caplog.text


def test_a_later_rollback_never_makes_a_dirty_run_pass(store: Store, settings: Settings) -> None:
    left = injection_record().model_copy(update={"restored_at": None, "residue": ("paused",)})
    dirty = ended().model_copy(update={"injections": (left,), "errors": (), "abort": None})
    store.begin(begun())
    store.save(dirty)
    undone = Undone(intended(), restored=True, note="unpaused by chaoskit", attempts=1, residue=())
    finished = cleanup._close(Orphans("r1", (intended(),), live=False), [undone], store, settings)
    assert finished is not None
    assert finished.judgement.restored == finished.judgement.injected == 1
    assert finished.judgement.verdict is Verdict.ERROR


def test_a_journal_that_cannot_be_read_whole_lets_nobody_say_that_all_is_restored(
    store: Store, settings: Settings
) -> None:
    store.begin(begun())
    orphaned = Orphans("r1", (), live=False, unreadable=("row 1 cannot be read",))
    assert cleanup._close(orphaned, (), store, settings) is None
    assert store.runs()[0].verdict is None


def test_the_verdict_stands_where_the_store_can_no_longer_keep_it(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    store.begin(begun())
    (tmp_path / "ck.db").unlink()
    finished = conclude(begun(), store, settings)
    assert finished.reports
    assert "ck.db" in finished.trouble


def test_what_a_runner_journalled_as_restored_and_did_not_live_to_record_is_restored(
    store: Store, settings: Settings
) -> None:
    open_ = injection_record().model_copy(update={"rollback_at": None, "restored_at": None})
    store.begin(begun())
    store.save(begun().model_copy(update={"injections": (open_,)}))
    store.append(intended(), restored())
    (finished,) = cleanup.close_dead_runs(store, settings)
    (told,) = finished.record.injections
    assert (told.restored_at, told.note) == (60.0, "started again")
    assert finished.judgement.verdict is Verdict.ERROR
    assert "died in" in finished.judgement.reasons[0]


def test_what_only_the_journal_knows_to_be_restored_makes_no_record_better_that_had_ended(
    store: Store, settings: Settings
) -> None:
    left = injection_record().model_copy(update={"restored_at": None, "residue": ("paused",)})
    store.begin(begun())
    store.save(ended().model_copy(update={"injections": (left,), "errors": (), "abort": None}))
    store.append(intended(), restored())
    (finished,) = cleanup.close_dead_runs(store, settings)
    assert finished.judgement.verdict is Verdict.ERROR


# --- clocks that differ, or were set ------------------------------------------------------------------------

LONG_AGO = timedelta(hours=1)


def elsewhere(store: Store) -> None:
    """A run of a machine whose clock is an hour behind ours."""
    store.begin(begun())
    store.append(intended())
    store.heartbeat("r1", datetime.now(UTC) - LONG_AGO)


def test_a_runner_elsewhere_whose_heartbeat_moves_lives_whatever_its_clock_says(store: Store, clock: Clock) -> None:
    elsewhere(store)
    beats = iter(range(1, 100))
    clock.meanwhile = lambda: store.heartbeat("r1", datetime.now(UTC) - LONG_AGO + timedelta(seconds=next(beats)))
    (one,) = cleanup.orphans(store)
    assert one.live
    assert clock.now() < 1


def test_a_runner_elsewhere_whose_heartbeat_stands_still_is_dead(store: Store, clock: Clock) -> None:
    elsewhere(store)
    (one,) = cleanup.orphans(store)
    assert not one.live
    assert WATCHED_FOR <= clock.now() < WATCHED_FOR + 1


def test_a_run_that_ends_while_its_runner_is_watched_has_left_nothing(store: Store, clock: Clock) -> None:
    elsewhere(store)
    clock.meanwhile = lambda: store.append(restored())
    assert cleanup.orphans(store) == []


def test_a_live_run_elsewhere_that_has_touched_nothing_yet_is_not_closed(
    store: Store, settings: Settings, clock: Clock
) -> None:
    elsewhere(store)
    store.append(restored())
    beats = iter(range(1, 100))
    clock.meanwhile = lambda: store.heartbeat("r1", datetime.now(UTC) - LONG_AGO + timedelta(seconds=next(beats)))
    assert cleanup.close_dead_runs(store, settings) == []


def test_a_clock_that_was_set_back_ends_no_run_before_what_was_seen_in_it(store: Store, settings: Settings) -> None:
    future = ended().model_copy(update={"started_at": datetime.now(UTC) + LONG_AGO, "ended_at": None})
    store.begin(future)
    store.extend("r1", future.readings, future.events)
    store.save(future)
    finished = cleanup._close(Orphans("r1", (), live=False), (), store, settings)
    assert finished is not None
    last = max(span.start for span in future.phases)
    assert finished.record.ended_at is not None
    assert finished.record.ended_at >= last > 0


def test_what_a_guardian_measured_is_what_the_record_says(store: Store, settings: Settings) -> None:
    store.begin(begun())
    store.append(intended())
    undone = Undone(intended(), restored=True, note="", attempts=1, residue=())
    orphaned = Orphans("r1", (intended(),), live=False)
    finished = cleanup.conclude_dead(orphaned, [undone], store, settings, {1: 4.25}, 5.5)
    assert finished is not None
    assert finished.record.ended_at == 5.5
    assert finished.record.injections[0].restored_at == 4.25
