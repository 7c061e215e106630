"""One open store: its transactions and its schema."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, inspect, select

from chaoskit.domain.errors import StoreFailed
from chaoskit.store import sqlite
from chaoskit.store.failures import ELSEWHERE, coached, damaged
from chaoskit.store.tables import SCHEMA_VERSION, metadata, schema_version


class Database:
    """The database behind a store, opened on first use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine: Engine | None = None
        self._file = (0, 0)
        self._opening = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the store. Raises StoreFailed."""
        with coached(self.path), self._opened().begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that alone may write from its beginning to its end; durable when it returns.

        Raises StoreFailed, and then nothing of it is in the store.
        """
        with coached(self.path), _writing(self._opened()).begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = self._open()
            elif self._identity() != self._file:
                raise damaged(self.path, "it was replaced while it was in use")
            return self._engine

    def _open(self) -> Engine:
        sqlite.prepare(self.path)
        self._file = self._identity()
        engine = sqlite.engine_for(self.path)
        try:
            _see_to_schema(self.path, engine)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _identity(self) -> tuple[int, int]:
        """Which file this is: a deleted one still takes writes, which nobody would ever find."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise damaged(self.path, "it was deleted while it was in use") from None
        return found.st_dev, found.st_ino


def _writing(engine: Engine) -> Engine:
    """The same connections, whose transactions begin by taking the write lock."""
    return engine.execution_options(**{sqlite.BEGIN: "BEGIN IMMEDIATE"})


def _see_to_schema(path: Path, engine: Engine) -> None:
    """Make the tables of a new store; refuse what a newer chaoskit, or something else, has made."""
    with engine.begin() as connection:
        if inspect(connection).get_table_names():
            _check_schema(path, connection)
            return
    sqlite.use_write_ahead_log(path, engine)
    with _writing(engine).begin() as connection:
        if inspect(connection).get_table_names():  # another process was first
            _check_schema(path, connection)
            return
        metadata.create_all(connection, checkfirst=False)
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))


def _check_schema(path: Path, connection: Connection) -> None:
    if not inspect(connection).has_table(schema_version.name):
        raise StoreFailed(f"the store {path} cannot be used: it is a database of something else; {ELSEWHERE}.")
    version = connection.execute(select(schema_version.c.version)).scalar_one_or_none()
    if version is None:
        raise damaged(path, "its schema version is missing")
    if version > SCHEMA_VERSION:
        raise StoreFailed(
            f"the store {path} cannot be used: a newer chaoskit wrote it (schema {version}; this one knows "
            f"{SCHEMA_VERSION}). Update chaoskit on this machine, or {ELSEWHERE}."
        )
