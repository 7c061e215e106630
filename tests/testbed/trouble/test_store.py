"""The store fails: before a run, nothing is touched; under a run, everything is undone from memory, and it is said."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from chaoskit.store.sqlite import BUSY_SECONDS
from tests.testbed.trouble.kit import LEASE, SLACK, Chaoskit, Sleeper, Story, experiment

NOTICED_WITHIN = 1.0
"""Seconds between two writes of a run's history; a store that fails is found out by the next."""
LONG_LEASE = 15.0


class Told(NamedTuple):
    """What came of a run whose store failed."""

    code: int
    output: str
    restored_after: float
    bystander_untouched: bool
    status: subprocess.CompletedProcess[str]
    rollback: subprocess.CompletedProcess[str]
    log: str
    reports: int


class Refused(NamedTuple):
    """What came of a run whose store was unusable from the start."""

    code: int
    output: str
    frozen: bool
    bystander_untouched: bool


# --- what goes wrong ------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own of a few hundred KiB, where the store is."""
    folder.mkdir(parents=True)
    options = ("-t", "tmpfs", "-o", "size=768k,mode=700", "none")
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"missing capability: mounting a small file system ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Use up all that is free there."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert shutil.disk_usage(folder).free == 0
    return filler


@contextmanager
def full(chaoskit: Chaoskit) -> Iterator[None]:
    filler = fill(chaoskit.state)
    yield
    filler.unlink()


@contextmanager
def replaced(chaoskit: Chaoskit) -> Iterator[None]:
    """Another store, which is whole, takes the place of ours."""
    with Chaoskit(chaoskit.folder / "other") as other:
        assert other.left_behind() == []
        aside = chaoskit.state / "aside.db"
        chaoskit.store.rename(aside)
        shutil.copy(other.store, chaoskit.store)
        yield
        aside.replace(chaoskit.store)


@contextmanager
def removed(chaoskit: Chaoskit) -> Iterator[None]:
    for file in chaoskit.state.glob("ck.db*"):
        file.unlink()
    yield


@contextmanager
def locked(chaoskit: Chaoskit) -> Iterator[None]:
    """Another program begins to write, and does not end."""
    with closing(sqlite3.connect(chaoskit.store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def torn(chaoskit: Chaoskit) -> Iterator[None]:
    """Every file of it is cut to nothing. The runner has one of them in its memory, and the kernel ends it for that."""
    for file in chaoskit.state.glob("ck.db*"):
        os.truncate(file, 0)
    yield


@contextmanager
def overwritten(chaoskit: Chaoskit) -> Iterator[None]:
    for file in (chaoskit.store, chaoskit.store.with_name("ck.db-wal")):
        file.write_bytes(os.urandom(file.stat().st_size))
    yield


# --- stories --------------------------------------------------------------------------------------------------


def under_a_run(
    folder: Path,
    trouble: Callable[[Chaoskit], AbstractContextManager[None]],
    *,
    lease: float = LONG_LEASE,
    killed: bool = False,
    disk: bool = False,
) -> Told:
    """The trouble comes while a fault is in, and ends when the run has; ``killed``: so does the runner, at once."""
    with ExitStack() as all_:
        chaoskit = Chaoskit(folder, lease=lease)
        if disk:
            all_.enter_context(small_disk(chaoskit.state))
        all_.enter_context(chaoskit)
        sleeper = all_.enter_context(Sleeper())
        runner = chaoskit.under_way(experiment(sleeper.selector, "process.pause"))
        with trouble(chaoskit):
            if killed:
                runner.kill()
            took = sleeper.thawed_after(lambda: runner.output + chaoskit.log())
            code = runner.ended()
            chaoskit.guardians_end()
        return Told(
            code,
            runner.output,
            took,
            sleeper.bystander_untouched,
            chaoskit("status"),
            chaoskit("rollback"),
            chaoskit.log(),
            len(list((folder / "reports").rglob("report.html"))),
        )


def from_the_start(folder: Path, spoil: Callable[[Chaoskit], object]) -> Refused:
    """The store cannot be used when the run begins."""
    with ExitStack() as all_:
        chaoskit = Chaoskit(folder)
        all_.enter_context(small_disk(chaoskit.state))
        all_.enter_context(chaoskit)
        sleeper = all_.enter_context(Sleeper())
        spoil(chaoskit)
        runner = chaoskit.run(experiment(sleeper.selector, "process.pause"))
        while runner.process.poll() is None:
            assert not sleeper.frozen()
            time.sleep(0.01)
        return Refused(runner.ended(), runner.output, sleeper.frozen(), sleeper.bystander_untouched)


def read_only(chaoskit: Chaoskit) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(chaoskit.state)], check=True)


def used_before(chaoskit: Chaoskit) -> None:
    assert chaoskit.left_behind() == []


def used_then_full(chaoskit: Chaoskit) -> None:
    used_before(chaoskit)
    fill(chaoskit.state)


def used_then_read_only(chaoskit: Chaoskit) -> None:
    used_before(chaoskit)
    read_only(chaoskit)


UNDER = {
    "store full": Story(12, partial(under_a_run, trouble=full, disk=True)),
    "store replaced": Story(12, partial(under_a_run, trouble=replaced)),
    "store removed": Story(12, partial(under_a_run, trouble=removed)),
    "store locked": Story(40, partial(under_a_run, trouble=locked)),
    "store locked, short lease": Story(40, partial(under_a_run, trouble=locked, lease=LEASE)),
    "store torn": Story(12, partial(under_a_run, trouble=torn)),
    "store full, runner killed": Story(12, partial(under_a_run, trouble=full, disk=True, killed=True)),
    "store locked, runner killed": Story(15, partial(under_a_run, trouble=locked, killed=True)),
    "store overwritten, runner killed": Story(12, partial(under_a_run, trouble=overwritten, killed=True)),
}
START = {
    "no room": Story(5, partial(from_the_start, spoil=lambda chaoskit: fill(chaoskit.state))),
    "no room any more": Story(6, partial(from_the_start, spoil=used_then_full)),
    "read-only": Story(5, partial(from_the_start, spoil=read_only)),
    "read-only from now on": Story(6, partial(from_the_start, spoil=used_then_read_only)),
}
STORIES = UNDER | START


# --- from the start -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no room", "the disk is full; free some space on it"),
        ("no room any more", "the disk is full"),
        ("read-only", "that file system is read-only"),
        ("read-only from now on", "store"),
    ],
)
def test_without_a_store_nothing_is_touched(how: str, words: str, told: Callable[[str], Refused]) -> None:
    story = told(how)
    assert story.code == 7, story.output
    assert words in story.output
    assert "Traceback" not in story.output
    assert not story.frozen
    assert story.bystander_untouched


# --- under a run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "words", "noticed_within"),
    [
        ("store full", "the disk is full", NOTICED_WITHIN),
        ("store replaced", "it was replaced while it was in use", NOTICED_WITHIN),
        ("store removed", "it was deleted while it was in use", NOTICED_WITHIN),
        ("store locked", "another program holds it locked", NOTICED_WITHIN + BUSY_SECONDS),
        ("store locked, short lease", "another program holds it locked", LEASE),
    ],
)
def test_a_run_whose_store_fails_undoes_everything_from_memory_and_says_so(
    how: str, words: str, noticed_within: float, told: Callable[[str], Told]
) -> None:
    story = told(how)
    assert story.restored_after <= noticed_within + SLACK
    assert story.code == 7, story.output
    verdict = story.output.partition("ERROR")[2]
    assert "the journal could not be written" in verdict
    assert words in verdict
    assert "Rollback verified 1/1" in verdict
    assert story.reports == 1
    assert story.bystander_untouched


@pytest.mark.parametrize("how", ["store full", "store replaced", "store locked", "store locked, short lease"])
def test_what_the_journal_could_not_take_stays_open_until_a_rollback_has_looked(
    how: str, told: Callable[[str], Told]
) -> None:
    story = told(how)
    assert story.status.returncode == 6
    assert "residue" in story.status.stdout
    assert story.rollback.returncode == 0, story.rollback.stderr
    assert "nothing to undo" in story.rollback.stdout


@pytest.mark.parametrize(
    "how",
    ["store full, runner killed", "store locked, runner killed", "store overwritten, runner killed", "store torn"],
)
def test_a_guardian_whose_store_is_of_no_use_restores_all_the_same(how: str, told: Callable[[str], Told]) -> None:
    story = told(how)
    assert story.code < 0, "a signal ended it"
    assert story.restored_after <= NOTICED_WITHIN + SLACK
    assert story.bystander_untouched


def test_a_guardian_that_could_not_write_its_books_leaves_them_to_a_rollback(told: Callable[[str], Told]) -> None:
    for how in ("store full, runner killed", "store locked, runner killed"):
        story = told(how)
        assert story.status.returncode == 6
        assert story.rollback.returncode == 0, story.rollback.stderr
    assert "restored, but not written down" in told("store locked, runner killed").log


def test_a_store_that_was_destroyed_is_not_said_to_hold_nothing(told: Callable[[str], Told]) -> None:
    story = told("store overwritten, runner killed")
    assert "restored, but not written down" in story.log
    assert story.status.returncode == story.rollback.returncode == 7
    assert "Put back a backup" in story.status.stderr or "put back a backup" in story.status.stderr
