"""The history of runs: a header that is written again and again, readings and events that are only added."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping, Table, Update, insert, select, update

from chaoskit.domain.errors import StoreFailed
from chaoskit.domain.history import Event, RunRecord
from chaoskit.domain.quantities import Value
from chaoskit.domain.readings import Reading
from chaoskit.domain.verdict import Verdict
from chaoskit.store.codec import from_parts, from_text, plain, proven_text, to_text
from chaoskit.store.database import Database
from chaoskit.store.journal import count_outstanding
from chaoskit.store.lookup import exists, resolve, unknown, who
from chaoskit.store.rows import RunnerRow, RunSummary
from chaoskit.store.tables import events, readings, runs

V = TypeVar("V", bound=Value)

_NOT_IN_HEADER = ("readings", "events")
_RUNNER = (runs.c.run, runs.c.host, runs.c.pid, runs.c.pid_started, runs.c.heartbeat_at, runs.c.verdict)
_SUMMARY = (*_RUNNER, runs.c.experiment, runs.c.title, runs.c.started_at, runs.c.duration)


class Runs:
    """The runs in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, record: RunRecord) -> None:
        """Make a run known. Raises StoreFailed, also when a run of that id is known already."""
        header = proven_text(_record(), record, f"the record of run {record.run}", without=_NOT_IN_HEADER)
        with self._database.write() as connection:
            if exists(connection, record.run):
                raise StoreFailed(f"run {record.run} is already in the store; a new run needs a new id")
            connection.execute(insert(runs), _first_row(record, header))

    def save(self, record: RunRecord) -> None:
        """Write everything of the record but its readings and events. Raises UnknownRun, StoreFailed."""
        self._update(_of(record.run).values(duration=record.ended_at, header=_header(record)), record.run)

    def finish(self, record: RunRecord, verdict: Verdict) -> None:
        """Write the header for the last time, with the verdict. Raises UnknownRun, StoreFailed."""
        values = {
            "duration": record.ended_at,
            "verdict": verdict.value,
            "exit_code": int(verdict.exit_code),
            "header": _header(record),
        }
        self._update(_of(record.run).values(values), record.run)

    def heartbeat(self, run: str, at: datetime) -> None:
        """Say that the runner of ``run`` was alive at ``at``. Raises UnknownRun, StoreFailed."""
        self._update(_of(run).values(heartbeat_at=at), run)

    def extend(self, run: str, more_readings: Sequence[Reading], more_events: Sequence[Event]) -> None:
        """Add to what was seen, all or nothing. Raises UnknownRun, StoreFailed."""
        with self._database.write() as connection:
            if not exists(connection, run):
                raise unknown(connection, run)
            _add(connection, readings, run, more_readings)
            _add(connection, events, run, more_events)

    def load(self, run: str) -> RunRecord:
        """The whole record. Raises UnknownRun, StoreFailed naming the row that cannot be read."""
        with self._database.read() as connection:
            run = resolve(connection, run)
            header = connection.execute(select(runs.c.header).where(runs.c.run == run)).scalar_one()
            record = from_text(_record(), header, f"the record of run {run}")
            seen = _all_of(connection, readings, Reading, run)
            happened = _all_of(connection, events, Event, run)
        return record.model_copy(update={"readings": seen, "events": happened})

    def resolve(self, run: str) -> str:
        """The id that ``run`` stands for: itself, the beginning of exactly one, or ``last``. Raises UnknownRun."""
        with self._database.read() as connection:
            return resolve(connection, run)

    def newest(self, limit: int, experiment: str | None) -> list[RunSummary]:
        """The newest runs first, at most ``limit`` of them, of one experiment or of all."""
        query = select(*_SUMMARY).order_by(runs.c.started_at.desc(), runs.c.run.desc()).limit(limit)
        if experiment is not None:
            query = query.where(runs.c.experiment == experiment)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
            left = count_outstanding(connection, [row["run"] for row in rows])
        return [_summary(row, left.get(row["run"], 0)) for row in rows]

    def runner_of(self, run: str) -> RunnerRow:
        """Who runs ``run``. Raises UnknownRun, StoreFailed."""
        with self._database.read() as connection:
            row = connection.execute(select(*_RUNNER).where(runs.c.run == run)).mappings().one_or_none()
            if row is None:
                raise unknown(connection, run)
        return _runner(row)

    def who(self, run: str) -> str:
        """Who runs ``run``, where and since when; empty when it is not known. Raises StoreFailed."""
        with self._database.read() as connection:
            return who(connection, run)

    def _update(self, change: Update, run: str) -> None:
        with self._database.write() as connection:
            if connection.execute(change).rowcount == 0:
                raise unknown(connection, run)


@cache
def _record() -> TypeAdapter[RunRecord]:
    return TypeAdapter(RunRecord)


def _header(record: RunRecord) -> str:
    return to_text(record, without=_NOT_IN_HEADER)


def _of(run: str) -> Update:
    return update(runs).where(runs.c.run == run)


def _first_row(record: RunRecord, header: str) -> dict[str, Any]:
    return {
        "run": record.run,
        "experiment": record.experiment.name,
        "title": plain(record.experiment.title),
        "started_at": record.started_at,
        "host": plain(record.runner.host),
        "pid": record.runner.pid,
        "pid_started": record.runner.pid_started,
        "heartbeat_at": record.started_at,
        "header": header,
    }


def _add(connection: Connection, table: Table, run: str, values: Sequence[Value]) -> None:
    if values:
        connection.execute(insert(table), [{"run": run, "body": to_text(value)} for value in values])


def _all_of(connection: Connection, table: Table, kind: type[V], run: str) -> tuple[V, ...]:
    rows = connection.execute(select(table.c.seq, table.c.body).where(table.c.run == run).order_by(table.c.seq))
    adapter = TypeAdapter(kind)
    return tuple(from_text(adapter, body, f"row {seq} of the {table.name} of run {run}") for seq, body in rows)


def _runner(row: RowMapping) -> RunnerRow:
    parts = {name: row[name] for name in ("run", "host", "pid", "pid_started", "heartbeat_at")}
    return from_parts(TypeAdapter(RunnerRow), {**parts, "ended": row["verdict"] is not None}, _where(row))


def _summary(row: RowMapping, left: int) -> RunSummary:
    parts = {name: row[name] for name in ("run", "experiment", "title", "started_at", "duration", "verdict")}
    return from_parts(TypeAdapter(RunSummary), {**parts, "runner": _runner(row), "outstanding": left}, _where(row))


def _where(row: RowMapping) -> str:
    return f"the row of run {row['run']}"
