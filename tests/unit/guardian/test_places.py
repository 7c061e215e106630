"""What is kept of guardians that are gone: what they did, and nothing of those that had nothing to do."""

import os
from pathlib import Path

import pytest

from chaoskit.guardian import places

ARMED = "2026-03-01T12:00:00.000000Z armed: 1 injections, a lease of 15s\n"
ACTED = "2026-03-01T12:00:01.000000Z the runner died: undoing 1 injections\n"


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "guardians").iterdir())


def gone(folder: Path, run: str, log: str) -> None:
    """A guardian that was killed when it had written so much."""
    place = places.place_of(folder / "ck.db", run)
    fd = places.open_log(place)
    os.write(fd, log.encode())
    places.note(place, run, "armed", 1)
    os.close(fd)


@pytest.mark.parametrize("log", ["", ARMED], ids=["standing by", "armed"])
def test_a_guardian_that_died_before_it_had_to_act_is_forgotten(tmp_path: Path, log: str) -> None:
    gone(tmp_path, "r1", log)
    places.sweep(tmp_path / "ck.db", but=())
    assert left(tmp_path) == []


@pytest.mark.parametrize("log", [ARMED + ACTED, ARMED + "Traceback (most recent call last):\n"], ids=["acted", "broke"])
def test_what_a_guardian_did_or_what_broke_it_is_kept(tmp_path: Path, log: str) -> None:
    gone(tmp_path, "r1", log)
    places.sweep(tmp_path / "ck.db", but=())
    assert left(tmp_path) == ["r1.json", "r1.log"]


def test_a_run_that_has_something_open_keeps_what_is_known_of_its_guardian(tmp_path: Path) -> None:
    gone(tmp_path, "r1", ARMED)
    gone(tmp_path, "r2", ARMED)
    places.sweep(tmp_path / "ck.db", but=("r1",))
    assert left(tmp_path) == ["r1.json", "r1.log"]


def test_a_guardian_that_lives_or_is_being_started_is_left_alone(tmp_path: Path) -> None:
    place = places.place_of(tmp_path / "ck.db", "r1")
    fd = places.open_log(place)
    places.sweep(tmp_path / "ck.db", but=())
    assert left(tmp_path) == ["r1.log"]
    child = os.dup(fd)  # as the guardian's standard error is, when the runner has closed its own
    os.close(fd)
    places.sweep(tmp_path / "ck.db", but=())
    assert left(tmp_path) == ["r1.log"]
    os.close(child)
    places.sweep(tmp_path / "ck.db", but=())
    assert left(tmp_path) == []


def test_where_no_guardian_ever_was_there_is_nothing_to_sweep(tmp_path: Path) -> None:
    places.sweep(tmp_path / "ck.db", but=())
    assert list(tmp_path.iterdir()) == []
