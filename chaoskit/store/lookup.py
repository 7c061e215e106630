"""From what a person types to the id of a run (the id itself, the beginning of exactly one, or ``last``), and back.

Back means: to the person and the process that run it.
"""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, Select, func, select

from chaoskit.domain.errors import UnknownRun
from chaoskit.store.tables import runs

NEWEST = "last"
"""What stands for the run that started last."""

_SHOWN = 5
_COMPARED = 2000


def exists(connection: Connection, run: str) -> bool:
    """Whether there is a run of exactly that id."""
    return connection.execute(select(runs.c.run).where(runs.c.run == run)).first() is not None


def resolve(connection: Connection, run: str) -> str:
    """The id that ``run`` stands for. Raises UnknownRun, with what it might have meant."""
    if exists(connection, run):
        return run
    if run == NEWEST:
        matches = _ids(connection, _newest_first().limit(1))
    else:
        begun = func.substr(runs.c.run, 1, len(run)) == run
        matches = _ids(connection, _newest_first().where(begun).limit(_SHOWN + 1)) if run else []
    if len(matches) > 1:
        raise UnknownRun(f"{run!r} begins more than one run: {_some(matches)}; write more of the id")
    if not matches:
        raise unknown(connection, run)
    return matches[0]


def unknown(connection: Connection, run: str) -> UnknownRun:
    """The error for a run that is not in the store, with what it might have meant."""
    ids = _ids(connection, _newest_first().limit(_COMPARED))
    if not ids:
        return UnknownRun(f"no run {run!r}: the store holds no runs yet; start one with `chaoskit run FILE`")
    from difflib import get_close_matches

    if close := get_close_matches(run, ids, n=1):
        return UnknownRun(f"no run {run!r} in the store; did you mean {close[0]}?")
    of_experiment = _ids(connection, _newest_first().where(runs.c.experiment == run).limit(1))
    if of_experiment:
        return UnknownRun(f"{run!r} is an experiment, not a run; its newest run is {of_experiment[0]}")
    return UnknownRun(f"no run {run!r} in the store; the newest are {_some(ids)}; `chaoskit history` lists them")


def who(connection: Connection, run: str) -> str:
    """Who runs ``run``, where and since when, for messages; empty when the history does not know it."""
    query = select(runs.c.host, runs.c.pid, runs.c.started_at, runs.c.header).where(runs.c.run == run)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return ""
    host = row["host"].partition("/")[0]
    return f"{_user(row['header'])}@{host}, pid {row['pid']}, since {row['started_at']:%Y-%m-%d %H:%M:%S} UTC"


def _user(header: str) -> str:
    try:
        return str(json.loads(header)["runner"]["user"])
    except (ValueError, LookupError, TypeError):  # what says who holds a target must not hide that it is held
        return "unknown"


def _newest_first() -> Select[str]:
    return select(runs.c.run).order_by(runs.c.started_at.desc(), runs.c.run.desc())


def _ids(connection: Connection, query: Select[str]) -> list[str]:
    return list(connection.execute(query).scalars())


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_SHOWN]) + (" …" if len(ids) > _SHOWN else "")
