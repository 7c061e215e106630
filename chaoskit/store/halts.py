"""Halts: a person's stop of one run or of everything, in force until somebody releases it."""

from datetime import datetime

from sqlalchemy import insert, select, update

from chaoskit.store.codec import plain
from chaoskit.store.database import Database
from chaoskit.store.rows import ALL_RUNS, Halt
from chaoskit.store.tables import halts

NO_REASON = "no reason given"


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
        query = select(halts.c.reason).where(halts.c.released_at.is_(None), halts.c.scope.in_((ALL_RUNS, run)))
        with self._database.read() as connection:
            return connection.execute(query.order_by(halts.c.id).limit(1)).scalar_one_or_none()

    def active(self) -> list[Halt]:
        """Every halt in force, oldest first."""
        columns = (halts.c.id, halts.c.scope, halts.c.reason, halts.c.who, halts.c.at)
        query = select(*columns).where(halts.c.released_at.is_(None)).order_by(halts.c.id)
        with self._database.read() as connection:
            return [Halt.model_validate(row) for row in connection.execute(query).mappings()]
