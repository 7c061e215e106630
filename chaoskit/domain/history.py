"""What was decided and what was seen in one run: the record that verdicts and reports are functions of.

All times named ``at`` or ending in ``_at`` are seconds since ``started_at`` on the runner's monotonic clock.
"""

from datetime import datetime
from typing import Literal

from chaoskit.domain.experiment import Experiment
from chaoskit.domain.plan import Plan
from chaoskit.domain.ports import NOT_AS_BEFORE, Effect
from chaoskit.domain.quantities import Value
from chaoskit.domain.readings import Reading

SCHEMA = "chaoskit.run/1"

PhaseName = Literal["plan", "guard", "baseline", "inject", "observe", "rollback", "recovery"]
EventKind = Literal["phase", "guard", "fault", "abort", "halt", "rollback", "recovery", "note", "trouble"]


class Runner(Value):
    """Who ran it. ``pid`` and ``pid_started`` (seconds since the epoch) tell a live runner from a recycled pid."""

    host: str
    user: str
    pid: int
    pid_started: float
    version: str
    python: str


class PhaseSpan(Value):
    """When one phase began and ended; ``end`` is None while it lasts, or when the runner died in it."""

    name: PhaseName
    start: float
    end: float | None = None


class Event(Value):
    """Something worth a line in the timeline."""

    at: float
    kind: EventKind
    text: str


class InjectionRecord(Value):
    """The life of one injection, from intended to proven restored.

    ``restored_at`` is set only after an independent read-back found no residue. ``note`` says how it was restored, and
    what came back :attr:`different` all the same.
    """

    n: int
    step: int
    kind: str
    group: str
    target_id: str
    target: str
    tag: str
    duration: float
    actions: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    intended_at: float
    injected_at: float | None = None
    effect: Effect | None = None
    error: str = ""
    drift: str = ""
    rollback_at: float | None = None
    restored_at: float | None = None
    attempts: int = 0
    note: str = ""
    residue: tuple[str, ...] = ()

    @property
    def different(self) -> str:
        """What is restored but not as before, in words: what an engine gave anew, such as a dynamic address."""
        return self.note.partition(NOT_AS_BEFORE)[2]


AbortCause = Literal["condition", "blind", "halt", "drift", "lease"]


class Abort(Value):
    """Why the run was stopped before its time. ``breached_at`` is the first reading that showed it."""

    cause: AbortCause
    reason: str
    at: float
    breached_at: float


class Recovery(Value):
    """The system coming back after the rollback. ``recovered_at`` is None when it did not within ``limit`` seconds."""

    started_at: float
    limit: float
    recovered_at: float | None = None
    cut_short: bool = False


class RunRecord(Value):
    """One run, whole. A pure function of it gives the verdict; another gives each report."""

    schema_version: Literal["chaoskit.run/1"] = "chaoskit.run/1"
    run: str
    experiment: Experiment
    path: str
    text: str
    sha256: str
    seed: str
    trigger: str = "cli"
    command: str = ""
    runner: Runner
    started_at: datetime
    ended_at: float | None = None
    plan: Plan | None = None
    phases: tuple[PhaseSpan, ...] = ()
    blocked: tuple[str, ...] = ()
    injections: tuple[InjectionRecord, ...] = ()
    abort: Abort | None = None
    recovery: Recovery | None = None
    errors: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    events: tuple[Event, ...] = ()

    def span(self, name: PhaseName) -> PhaseSpan | None:
        """The first phase of that name, if the run got there."""
        return next((span for span in self.phases if span.name == name), None)

    @property
    def touched_at(self) -> float | None:
        """When the first injection was about to be made, in run seconds; None when nothing was."""
        return min((i.intended_at for i in self.injections), default=None)

    @property
    def fault_window(self) -> tuple[float, float] | None:
        """From the first injection begun to the last one restored (or the last thing seen), in run seconds."""
        if not self.injections:
            return None
        start = min(i.intended_at for i in self.injections)
        ends = [i.restored_at for i in self.injections]
        if all(end is not None for end in ends):
            return start, max(end for end in ends if end is not None)
        return start, max([start, self.ended_at or start, *(r.at for r in self.readings[-1:])])
