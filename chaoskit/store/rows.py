"""What the store tells about runs, runners and halts."""

from datetime import datetime

from chaoskit.domain.quantities import Value
from chaoskit.domain.verdict import Verdict

ALL_RUNS = "all"
"""The scope of a halt that stops every run and blocks new ones."""


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
    """A person's stop: of one run, or of everything (``scope`` is then ``all``)."""

    id: int
    scope: str
    reason: str
    who: str
    at: datetime
