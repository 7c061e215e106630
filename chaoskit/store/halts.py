"""Halts: a person's stop of one run or of everything, in force until somebody releases it."""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from chaoskit.store.codec import plain
from chaoskit.store.database import Database
from chaoskit.store.rows import ALL_RUNS, NO_REASON, Halt
from chaoskit.store.tables import halts, runs


class Halts:
    """The halts in the store; released ones stay, for the audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def engage(self, scope: str, reason: str, who: str, at: datetime) -> None:
        """Put a halt in force."""
        # A brake is never refused for want of words, and an empty reason must not read like no halt.
        row = {"scope": scope, "reason": plain(reason.strip()) or NO_REASON, "who": plain(who), "at": at}
        with self._database.write() as connection:
            connection.execute(insert(halts), row)

    def release(self, scope: str, who: str, at: datetime) -> int:
        """End every halt of exactly this scope; says how many there were."""
        ended = update(halts).where(halts.c.scope == scope, halts.c.released_at.is_(None))
        with self._database.write() as connection:
            return connection.execute(ended.values(released_at=at, released_by=plain(who))).rowcount

    def reason(self, run: str) -> str | None:
        """Why ``run`` must stop, by the first halt in force for it or for everything; None when there is none."""
        with self._database.read() as connection:
            return reason_for(connection, run)

    def all(self) -> list[Halt]:
        """Every halt there ever was, oldest first."""
        ended = runs.c.verdict.is_not(None).label("over")
        # A halt of everything is of no run, so it finds none here.
        query = select(*halts.c, ended).outerjoin(runs, runs.c.run == halts.c.scope).order_by(halts.c.id)
        with self._database.read() as connection:
            return [Halt.model_validate(row) for row in connection.execute(query).mappings()]


def reason_for(connection: Connection, run: str) -> str | None:
    """The reason of the first halt in force for ``run`` or for everything; None when there is none."""
    query = select(halts.c.reason).where(halts.c.released_at.is_(None), halts.c.scope.in_((ALL_RUNS, run)))
    return connection.execute(query.order_by(halts.c.id).limit(1)).scalar_one_or_none()
