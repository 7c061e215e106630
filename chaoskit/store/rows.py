"""What the store tells about runs, runners and halts."""

from datetime import datetime

from chaoskit.domain.quantities import Value
from chaoskit.domain.verdict import Verdict

ALL_RUNS = "all"
"""The scope of a halt that stops every run and blocks new ones."""

NO_REASON = "no reason given"
"""What a halt says that was engaged without a reason."""


class RunnerRow(Value):
    """Who runs a run, as far as it matters for telling whether that runner still lives.

    ``pid_started`` is in seconds since the epoch. ``ended`` means that the verdict is in.
    """

    run: str
    host: str
    pid: int
    pid_started: float
    heartbeat_at: datetime
    ended: bool


class RunSummary(Value):
    """One line of the history. ``duration`` (seconds) and ``verdict`` are None until the run has ended.

    ``outstanding`` counts the injections that nobody has proven restored.
    """

    run: str
    experiment: str
    title: str
    started_at: datetime
    duration: float | None
    verdict: Verdict | None
    runner: RunnerRow
    outstanding: int


class Halt(Value):
    """A person's stop: of one run, or of everything (``scope`` is then ``all``).

    ``over`` means that the one run it was for has ended, so that there is nothing left to stop.
    """

    id: int
    scope: str
    reason: str
    who: str
    at: datetime
    released_at: datetime | None = None
    released_by: str | None = None
    over: bool = False

    @property
    def in_force(self) -> bool:
        """Whether it still stops anything."""
        return self.released_at is None and not self.over
