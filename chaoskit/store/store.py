"""The store: the journal, the history of runs, their liveness and the halts, in one file.

Every call is one transaction, durable on return, and may be made from any thread and any number of processes.
Nothing heavy is imported and nothing is touched until the first call.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from chaoskit.domain.history import Event, RunRecord
from chaoskit.domain.journal import Entry, Intended
from chaoskit.domain.limits import Limits
from chaoskit.domain.readings import Reading
from chaoskit.domain.verdict import Verdict
from chaoskit.store.rows import ALL_RUNS, Halt, RunnerRow, RunSummary

if TYPE_CHECKING:
    from chaoskit.store.database import Database
    from chaoskit.store.halts import Halts
    from chaoskit.store.journal import Journal
    from chaoskit.store.runs import Runs

UNLIMITED = Limits()


class Store:
    """The store in the file ``path``, made with its folder (0600 and 0700) on first use.

    Every method may raise StoreFailed, which says what to do: an unwritable folder, a full disk, a damaged, locked
    or newer file. Where a method takes the id of a run that a person may have typed, it raises UnknownRun.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    # --- the journal -----------------------------------------------------------------------------------

    def append(self, *entries: Entry) -> None:
        """Write ``entries``, all or none; durable on return."""
        self._journal.append(entries)

    def claim(self, *entries: Intended, live: Callable[[str], bool], limits: Limits = UNLIMITED) -> None:
        """Write ``entries``, durably, unless a halt is in force, another run holds a target, or a limit is reached.

        Then it raises Blocked with every reason, naming each run in the way and what to do about it; ``live`` tells
        whether its runner is alive. Of any number of processes that claim one target at once, exactly one succeeds;
        of any number that claim different ones, never more than ``limits`` allow; none once a halt was engaged.
        """
        self._journal.claim(entries, live, limits)

    def entries(self, run: str | None = None) -> list[Entry]:
        """The entries of one run (its exact id) or of all, oldest first. Names every row that cannot be read."""
        return self._journal.entries(run)

    def salvage(self, run: str) -> tuple[list[Entry], list[str]]:
        """The entries of one run that can be read, and a line for each row that cannot.

        For a rollback that must do what it can: one unreadable row never strands the other targets.
        """
        return self._journal.salvage(run)

    def outstanding(self) -> list[Intended]:
        """What nobody has restored, over all runs, newest first. Names every row that cannot be read."""
        return self._journal.outstanding()

    def open_runs(self) -> list[str]:
        """The runs with anything outstanding, newest first; works even when their rows cannot be read."""
        return self._journal.open_runs()

    # --- runs ------------------------------------------------------------------------------------------

    def begin(self, record: RunRecord) -> None:
        """Make a run known, its readings and events aside; its first heartbeat is its start."""
        self._runs.begin(record)

    def save(self, record: RunRecord) -> None:
        """Write everything of the record but its readings and events."""
        self._runs.save(record)

    def extend(self, run: str, readings: Sequence[Reading], events: Sequence[Event]) -> None:
        """Add readings and events to a run, all or none."""
        self._runs.extend(run, readings, events)

    def finish(self, record: RunRecord, verdict: Verdict) -> None:
        """Write the header with the verdict; from now on the run counts as ended. A later verdict replaces it."""
        self._runs.finish(record, verdict)

    def load(self, run: str) -> RunRecord:
        """The whole record of ``run``: an id, the beginning of exactly one, or ``last``."""
        return self._runs.load(run)

    def resolve(self, run: str) -> str:
        """The id that ``run`` stands for: itself, the beginning of exactly one, or ``last``."""
        return self._runs.resolve(run)

    def runs(self, *, limit: int = 50, experiment: str | None = None) -> list[RunSummary]:
        """The newest runs first, at most ``limit``, of one experiment or of all."""
        return self._runs.newest(limit, experiment)

    # --- liveness --------------------------------------------------------------------------------------

    def heartbeat(self, run: str, at: datetime) -> None:
        """Say that the runner of ``run`` was alive ``at`` (aware)."""
        self._runs.heartbeat(run, at)

    def runner_of(self, run: str) -> RunnerRow:
        """Who runs ``run`` (its exact id); ``liveness.alive`` judges it."""
        return self._runs.runner_of(run)

    def who(self, run: str) -> str:
        """Who runs ``run`` (its exact id), where and since when, for messages; empty when it is not known."""
        return self._runs.who(run)

    # --- halts -----------------------------------------------------------------------------------------

    def engage(self, scope: str, reason: str, who: str, at: datetime) -> None:
        """Halt ``all``, or one run as in :meth:`resolve`."""
        self._halts.engage(self._scope(scope), reason, who, at)

    def release(self, scope: str, who: str, at: datetime) -> int:
        """End the halts of ``all``, or of one run as in :meth:`resolve`; says how many there were."""
        return self._halts.release(self._scope(scope), who, at)

    def halted(self, run: str) -> str | None:
        """The reason of a halt in force for ``run`` or for all, never empty; None when there is none. Cheap."""
        return self._halts.reason(run)

    def active_halts(self) -> list[Halt]:
        """Every halt in force, oldest first; none of a run that has ended."""
        return [halt for halt in self._halts.all() if halt.in_force]

    def all_halts(self) -> list[Halt]:
        """Every halt there ever was, released ones too, oldest first."""
        return self._halts.all()

    # --- the file --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        if "_database" in self.__dict__:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _scope(self, scope: str) -> str:
        return scope if scope == ALL_RUNS else self.resolve(scope)

    @cached_property
    def _database(self) -> "Database":
        from chaoskit.store.database import Database

        return Database(self.path)

    @cached_property
    def _journal(self) -> "Journal":
        from chaoskit.store.journal import Journal

        return Journal(self._database)

    @cached_property
    def _runs(self) -> "Runs":
        from chaoskit.store.runs import Runs

        return Runs(self._database)

    @cached_property
    def _halts(self) -> "Halts":
        from chaoskit.store.halts import Halts

        return Halts(self._database)
