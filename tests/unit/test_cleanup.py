"""What a run whose faults outlived it is judged: never better than it was, whatever is undone or accepted later."""

from collections.abc import Iterator
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
from chaoskit.store.store import Store
from tests.unit.store.builders import begun, ended, injection_record, intended, restored


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
    finished = cleanup._close_record(Orphans("r1", (intended(),), live=False), [undone], store, settings)
    assert finished is not None
    assert finished.judgement.restored == finished.judgement.injected == 1
    assert finished.judgement.verdict is Verdict.ERROR


def test_a_journal_that_cannot_be_read_whole_lets_nobody_say_that_all_is_restored(
    store: Store, settings: Settings
) -> None:
    store.begin(begun())
    orphaned = Orphans("r1", (), live=False, unreadable=("row 1 cannot be read",))
    assert cleanup._close_record(orphaned, (), store, settings) is None
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
