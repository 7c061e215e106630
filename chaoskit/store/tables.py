"""The tables, in the dialects' common ground: JSON and times are text, keys are plain, nothing is upserted.

Times are UTC in one fixed width, so that their text sorts as they do.
"""

from datetime import UTC, datetime

from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = 1
"""To be raised with every change of a table or of what a body may hold; a newer store is refused."""


class Utc(TypeDecorator[datetime]):
    """An aware moment, kept as text such as ``2026-11-21T06:57:53.366370+00:00``."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 the interface's
        """Write it in UTC, always with microseconds."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; use Clock.utc()")
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 the interface's
        """Read it back, aware. Raises ValueError for anything else."""
        return None if value is None else datetime.fromisoformat(value)


metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

# No foreign key to runs: nothing may ever keep a line such as "restored" out of the journal.
journal = Table(
    "journal",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("run", String(200), nullable=False),
    Column("n", Integer, nullable=False),
    Column("entry", String(20), nullable=False),
    Column("at", Utc, nullable=False),
    Column("host", String(300), nullable=False),
    Column("body", Text, nullable=False),
    CheckConstraint("entry IN ('intended', 'injected', 'inject-failed', 'restored', 'unrestored', 'accepted')"),
    Index("ix_journal_run", "run", "seq"),
    Index("ix_journal_open", "entry", "run", "n", "seq"),
    sqlite_autoincrement=True,
)

runs = Table(
    "runs",
    metadata,
    Column("run", String(200), primary_key=True),
    Column("experiment", String(200), nullable=False),
    Column("title", Text, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("duration", Float),
    Column("verdict", String(20)),
    Column("exit_code", Integer),
    Column("host", String(300), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_started", Float, nullable=False),
    Column("heartbeat_at", Utc, nullable=False),
    Column("header", Text, nullable=False),
    Index("ix_runs_started", "started_at", "run"),
    Index("ix_runs_experiment", "experiment", "started_at"),
)


def _appended(name: str) -> Table:
    """A table of what a run saw, one JSON body a row, in the order it was seen."""
    return Table(
        name,
        metadata,
        Column("seq", Integer, primary_key=True, autoincrement=True),
        Column("run", String(200), ForeignKey("runs.run"), nullable=False),
        Column("body", Text, nullable=False),
        Index(f"ix_{name}_run", "run", "seq"),
        sqlite_autoincrement=True,
    )


readings = _appended("readings")
events = _appended("events")

halts = Table(
    "halts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("scope", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("released_at", Utc),
    Column("released_by", Text),
    Index("ix_halts_active", "released_at", "scope"),
    sqlite_autoincrement=True,
)
