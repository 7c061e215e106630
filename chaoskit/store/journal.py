"""The journal's rows: written before a target is touched, durable on return, never dropped when unreadable."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, RowMapping, Subquery, exists, func, insert, select

from chaoskit.domain.errors import Blocked, StoreFailed, UnknownRun
from chaoskit.domain.journal import Entry, Intended, outstanding
from chaoskit.domain.limits import Holder, Limits, excesses
from chaoskit.domain.ports import TargetRef
from chaoskit.store.codec import from_text, proven_text
from chaoskit.store.database import Database
from chaoskit.store.halts import reason_for
from chaoskit.store.liveness import host
from chaoskit.store.lookup import who
from chaoskit.store.tables import journal


class Journal:
    """The journal in the store, of all runs together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, entries: Sequence[Entry]) -> None:
        """Write ``entries``, all or none. Raises StoreFailed."""
        rows = _rows(entries)
        with self._database.write() as connection:
            _insert(connection, rows)

    def claim(self, entries: Sequence[Intended], live: Callable[[str], bool], limits: Limits) -> None:
        """Write ``entries`` unless a halt, another run on the same target, or a limit stands against it.

        Raises Blocked with every reason (``live`` tells whether the runner of a run is alive), StoreFailed.
        """
        rows = _rows(entries)
        ours, wanted = {entry.run for entry in entries}, [entry.ref for entry in entries]
        with self._database.write() as connection:
            halts = [reason for run in sorted(ours) if (reason := reason_for(connection, run)) is not None]
            held = [one for one in _outstanding(connection) if one.run not in ours]
            rivals = _rivals(held, wanted)
            free = not (halts or rivals or excesses(held, wanted, limits, _unnamed))
            if free:
                _insert(connection, rows)
        if not free:
            holder = self._holders(held, live).__getitem__
            reasons = [f"a halt is in force: {reason}; `chaoskit status` shows it" for reason in halts]
            reasons += [_held(rival, holder(rival.run)) for rival in rivals]
            raise Blocked(reasons + excesses(held, wanted, limits, holder))

    def _holders(self, held: Sequence[Intended], live: Callable[[str], bool]) -> dict[str, Holder]:
        with self._database.read() as connection:
            return {run: _holder(connection, run, live) for run in {one.run for one in held}}

    def entries(self, run: str | None) -> list[Entry]:
        """The entries of one run or of all, oldest first. Raises StoreFailed naming every unreadable row."""
        with self._database.read() as connection:
            return _all_of(*_read(connection, None if run is None else journal.c.run == run))

    def salvage(self, run: str) -> tuple[list[Entry], list[str]]:
        """The readable entries of a run, and a line for each row that is not."""
        with self._database.read() as connection:
            return _read(connection, journal.c.run == run)

    def outstanding(self) -> list[Intended]:
        """The intentions of all runs that nobody has restored, newest first. Raises StoreFailed."""
        with self._database.read() as connection:
            return _outstanding(connection)

    def open_runs(self) -> list[str]:
        """The runs that have outstanding intentions, the newest first; reads no bodies."""
        open_ = _open()
        query = select(open_.c.run).group_by(open_.c.run).order_by(func.max(open_.c.seq).desc())
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())


def count_outstanding(connection: Connection, runs: Sequence[str]) -> dict[str, int]:
    """How many intentions of each of ``runs`` are outstanding; runs without any are left out."""
    open_ = _open(journal.c.run.in_(runs))
    counts = connection.execute(select(open_.c.run, func.count(open_.c.n.distinct())).group_by(open_.c.run))
    return {run: int(count) for run, count in counts}


def _open(among: ColumnElement[bool] | None = None) -> Subquery:
    """The rows of intentions that no later row has ended: what ``domain.journal.outstanding`` finds, in SQL."""
    later = journal.alias("later")
    ended = exists().where(
        later.c.entry.in_(("restored", "accepted")),
        later.c.run == journal.c.run,
        later.c.n == journal.c.n,
        later.c.seq > journal.c.seq,
    )
    query = select(journal.c.run, journal.c.n, journal.c.seq).where(journal.c.entry == "intended", ~ended)
    return (query if among is None else query.where(among)).subquery()


def _outstanding(connection: Connection) -> list[Intended]:
    """By the domain's own rule, from the entries of those runs alone that have any: old runs cost nothing."""
    entries = _all_of(*_read(connection, journal.c.run.in_(select(_open().c.run))))
    return list(outstanding(entries))


def _rivals(held: Sequence[Intended], wanted: Sequence[TargetRef]) -> list[Intended]:
    """One of the intentions in ``held`` for each of the ``wanted`` targets that each run holds."""
    ids = {ref.id for ref in wanted}
    return list({(one.run, one.ref.id): one for one in held if one.ref.id in ids}.values())


def _holder(connection: Connection, run: str, live: Callable[[str], bool]) -> Holder:
    try:
        lives = live(run)
    except UnknownRun:  # a journal may outlive the history
        lives = False
    return Holder(run=run, who=who(connection, run), live=lives)


def _unnamed(run: str) -> Holder:
    return Holder(run=run)


def _held(rival: Intended, holder: Holder) -> str:
    target = f"target {rival.ref.name} ({rival.ref.id})"
    return f"{target} is held by {holder.told} with {rival.kind}, {holder.advice}"


@cache
def _entry() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)


def _rows(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """``entries`` as rows, each proven to read back as it is. Raises StoreFailed."""
    at = host()
    return [
        {
            "run": entry.run,
            "n": entry.n,
            "entry": entry.entry,
            "at": entry.at,
            "host": at,
            "body": proven_text(_entry(), entry, f"the journal entry {_name(entry.run, entry.n, entry.entry)}"),
        }
        for entry in entries
    ]


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(journal), rows)


def _read(connection: Connection, which: ColumnElement[bool] | None) -> tuple[list[Entry], list[str]]:
    query = select(journal.c.seq, journal.c.run, journal.c.n, journal.c.entry, journal.c.body).order_by(journal.c.seq)
    entries: list[Entry] = []
    problems: list[str] = []
    for row in connection.execute(query if which is None else query.where(which)).mappings():
        try:
            entries.append(_from_row(row))
        except StoreFailed as problem:
            problems.append(str(problem))
    return entries, problems


def _from_row(row: RowMapping) -> Entry:
    run, n, kind = row["run"], row["n"], row["entry"]
    where = f"journal row {row['seq']}, {_name(run, n, kind)},"
    entry = from_text(_entry(), row["body"], where)
    if (entry.run, entry.n, entry.entry) != (run, n, kind):
        raise StoreFailed(f"{where} cannot be read: its body is of {_name(entry.run, entry.n, entry.entry)}")
    return entry


def _all_of(entries: list[Entry], problems: list[str]) -> list[Entry]:
    if problems:
        raise StoreFailed("\n".join(problems))
    return entries


def _name(run: str, n: int, entry: str) -> str:
    return f"{entry!r} of injection {n} of run {run}"
