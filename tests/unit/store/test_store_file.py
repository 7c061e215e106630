import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaoskit.domain.errors import StoreFailed
from chaoskit.store import Store, sqlite

from .builders import begun, intended


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def filled(path: Path, runs: int = 40) -> None:
    with Store(path) as store:
        for n in range(runs):
            store.begin(begun(f"r{n}"))
        store.append(intended("r0", 1))


# --- making it ------------------------------------------------------------------------------------------------


def test_nothing_is_made_before_the_first_use(path: Path) -> None:
    store = Store(path)
    store.close()
    assert not path.parent.exists()


def test_folder_and_files_are_private_whatever_the_umask(path: Path) -> None:
    with umask(0), Store(path) as store:
        store.append(intended())
        assert mode(path.parent) == 0o700
        assert {file.name: mode(file) for file in path.parent.iterdir()} == {
            "chaoskit.db": 0o600,
            "chaoskit.db-wal": 0o600,
            "chaoskit.db-shm": 0o600,
        }


def test_a_file_that_others_may_read_is_made_private_again(path: Path) -> None:
    filled(path)
    path.chmod(0o644)
    with Store(path) as store:
        store.entries()
    assert mode(path) == 0o600


def test_a_folder_that_was_there_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    filled(tmp_path / "chaoskit.db", runs=1)
    assert mode(tmp_path) == 0o755


def test_folders_are_made_as_deep_as_needed(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b c?#%41" / "ünï.db"
    filled(path, runs=1)
    with Store(path) as store:
        assert store.outstanding() == [intended("r0", 1)]
    assert mode(path.parent) == 0o700


def test_every_commit_waits_for_the_disk(store: Store) -> None:
    store.append(intended())
    with store._database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_a_closed_store_opens_again_by_itself(store: Store) -> None:
    store.append(intended())
    store.close()
    store.close()
    assert store.entries() == [intended()]


def test_the_database_toolkit_is_not_loaded_before_a_store_is_used(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from chaoskit.store import Store; from chaoskit.store import liveness;"
        "store = Store(Path(sys.argv[1])); store.close(); print(sorted({'sqlalchemy', 'psutil'} & set(sys.modules)));"
        "store.entries(); print('sqlalchemy' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.split("\n")[:2] == ["[]", "True"]


# --- files that cannot be used --------------------------------------------------------------------------------


def refused(path: Path, *words: str) -> None:
    """Every kind of use is refused with these words, and never with a statement of SQL."""
    store = Store(path)
    for use in (store.entries, store.outstanding, store.runs, lambda: store.append(intended())):
        with pytest.raises(StoreFailed) as failed:
            use()
        message = str(failed.value)
        assert message.startswith(f"the store {path} cannot be used: ")
        assert all(word in message for word in words), message
        assert "SELECT" not in message
        assert "sqlalche.me" not in message
    store.close()


def test_a_file_of_something_else_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no database at all\n" * 100)
    refused(path, "not a chaoskit store", "put back a backup", "undone by hand")
    assert path.read_text() == "no database at all\n" * 100


def test_another_programs_database_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE cookies (id INTEGER)")
    other.close()
    refused(path, "a database of something else", "`store` in chaoskit.toml")
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("cookies",)]
    other.close()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    filled(path)
    os.truncate(path, int(path.stat().st_size * share))
    refused(path, "it is damaged", "put back a backup")


def test_a_file_truncated_to_nothing_beside_its_log_is_refused(path: Path, tmp_path: Path) -> None:
    with Store(path) as store:
        store.append(intended())
        log = beside(path, "-wal").read_bytes()
    copy = tmp_path / "copy.db"
    copy.touch()
    beside(copy, "-wal").write_bytes(log)
    refused(copy, "somebody truncated it")


def test_a_file_overwritten_in_the_middle_is_refused(path: Path) -> None:
    filled(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 8192))
    refused(path, "it is damaged")


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    filled(path, runs=1)
    with Store(path) as store:
        assert store.outstanding() == [intended("r0", 1)]


def test_a_store_that_another_process_is_making_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    path.touch()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # SQLite refuses to switch to the log at once, however long it may wait
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            other.execute("ROLLBACK")

    monkeypatch.setattr(time, "sleep", pause)
    filled(path, runs=1)
    assert len(pauses) == 3
    other.close()


def test_a_store_that_is_never_made_by_whoever_locks_it_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    path.parent.mkdir()
    path.touch()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused(path, "another program holds it locked")
    other.close()


def altered(path: Path, statement: str) -> None:
    filled(path, runs=1)
    with sqlite3.connect(path) as raw:
        raw.execute(statement)
    raw.close()


def test_a_newer_schema_is_refused_and_says_to_update(path: Path) -> None:
    altered(path, "UPDATE schema_version SET version = 2")
    refused(path, "a newer chaoskit wrote it (schema 2; this one knows 1)", "Update chaoskit")


def test_a_missing_schema_version_is_refused(path: Path) -> None:
    altered(path, "DELETE FROM schema_version")
    refused(path, "its schema version is missing")


def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    refused(path, "it is a folder")


def test_a_file_in_place_of_the_folder_is_refused(path: Path) -> None:
    path.parent.touch()
    refused(path, "a file stands where a folder should be")


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / ("x" * 300), "too long")


# --- trouble while it is in use -------------------------------------------------------------------------------


def test_a_locked_store_is_waited_for_only_so_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    filled(path, runs=1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with Store(path) as store:
        with pytest.raises(StoreFailed, match=r"another program holds it locked; find it with `fuser .*chaoskit.db`"):
            store.append(intended("r0", 2))
        assert store.outstanding() == [intended("r0", 1)], "a writer must not keep readers out"
        holder.execute("ROLLBACK")
        store.append(intended("r0", 2))
        assert len(store.outstanding()) == 2
    holder.close()


def test_a_store_deleted_under_us_is_noticed_at_the_next_call(path: Path) -> None:
    with Store(path) as store:
        store.append(intended())
        path.unlink()
        with pytest.raises(StoreFailed, match="it was deleted while it was in use"):
            store.append(intended("r1", 2))
        with pytest.raises(StoreFailed, match="it was deleted while it was in use"):
            store.halted("r1")
    assert not path.exists(), "a file that vanished is not silently made anew"


def test_a_store_replaced_under_us_is_noticed_at_the_next_call(path: Path, tmp_path: Path) -> None:
    filled(tmp_path / "other.db", runs=1)
    with Store(path) as store:
        store.append(intended())
        (tmp_path / "other.db").rename(path)
        with pytest.raises(StoreFailed, match="it was replaced while it was in use"):
            store.append(intended("r1", 2))


def test_a_failed_write_leaves_nothing_behind_and_the_store_usable(store: Store) -> None:
    store.append(intended("r1", 1))
    with store._database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    long = intended("r1", 2).model_copy(update={"by_hand": ("x" * 100_000,)})
    with pytest.raises(StoreFailed, match="the disk is full; free some space"):
        store.append(intended("r1", 3), long)
    assert store.entries() == [intended("r1", 1)]
    store.close()
    store.append(long)
    assert store.entries() == [intended("r1", 1), long]
