"""A SQLite file as the store: private, durable on commit, one writer at a time, readers never in the way.

Write-ahead log with ``synchronous=FULL``: a commit returns when its log is on the disk. A transaction that writes
takes the write lock when it begins, so that what it reads cannot change before it commits.
"""

import os
import sqlite3
import stat
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, QueuePool, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from chaoskit.domain.errors import StoreFailed
from chaoskit.store.failures import ELSEWHERE, damaged

BUSY_SECONDS = 5.0
"""How long a statement waits for another process's write; ours last milliseconds."""

BUSY_PAUSE = 0.01
"""Seconds between two tries where SQLite itself does not wait."""

BEGIN = "chaoskit_begin"
"""The execution option that holds the statement a transaction begins with; empty for none."""


def prepare(path: Path) -> None:
    """See to it that the file is there and private. Raises OSError, StoreFailed."""
    if not path.exists():
        _create(path)
        return
    log = _beside(path, "-wal")
    # SQLite would take the file for a new one and throw the log away. It never makes a log beside an empty file, so
    # the log is looked at first: another process may be making both.
    if _size(log) and not _size(path):
        raise damaged(path, "it is empty, but its write-ahead log is not: somebody truncated it")
    for file in (path, log, _beside(path, "-shm")):
        _make_private(file)


def engine_for(path: Path) -> Engine:
    """Connections to the file ``path``, which must exist: a file that vanished is never silently made anew."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(os.fsencode(path))}?mode=rw",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def use_write_ahead_log(path: Path, engine: Engine) -> None:
    """Switch the file to the write-ahead log; it stays so. Raises StoreFailed where the file system cannot do it."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode = _switch(engine)
            break
        except OperationalError as error:
            # While another process makes the same store, SQLite answers this one statement "busy" without waiting.
            if getattr(error.orig, "sqlite_errorname", "") != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(BUSY_PAUSE)
    if mode != "wal":
        raise StoreFailed(
            f"the store {path} cannot be used: its file system has no shared memory for a write-ahead log "
            f"(a network share, perhaps); use a local disk: {ELSEWHERE}."
        )


def _switch(engine: Engine) -> str:
    with engine.execution_options(**{BEGIN: ""}).connect() as connection:  # not possible within a transaction
        return str(connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar_one())


def _set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get(BEGIN, "BEGIN"):
        connection.exec_driver_sql(statement)


def _create(path: Path) -> None:
    """Make the folder 0700 and the file 0600 (SQLite gives its companions the same mode), and their names durable."""
    above = next(folder for folder in path.parents if folder.exists())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):  # another process was first
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    folder = path.parent
    while folder not in {above, above.parent}:
        _sync(folder)
        folder = folder.parent
    _sync(above)


def _sync(folder: Path) -> None:
    """Put the folder's own list of names on the disk; one that we may not read was not made by us."""
    with suppress(PermissionError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _make_private(file: Path) -> None:
    """Take away what others may do with the file, if it is ours to say.

    Never by opening it: closing any descriptor of a database drops the locks that SQLite holds on it.
    """
    with suppress(FileNotFoundError, PermissionError):
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            file.chmod(mode & ~0o077)


def _size(file: Path) -> int:
    """In bytes; none for a file that is not there, or is there no longer."""
    with suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
