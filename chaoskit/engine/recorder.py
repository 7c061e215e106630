"""Keeps the record of one run as it grows, in memory and, every tick, in the store."""

from collections.abc import Callable, Sequence
from datetime import datetime
from math import inf
from typing import Protocol

from chaoskit.domain.history import (
    Abort,
    Event,
    EventKind,
    InjectionRecord,
    PhaseName,
    PhaseSpan,
    Recovery,
    RunRecord,
)
from chaoskit.domain.journal import Entry, Intended
from chaoskit.domain.plan import Plan
from chaoskit.domain.ports import Clock
from chaoskit.domain.readings import Reading

LIFE_EVERY = 1.0
"""Seconds between two signs of life, each a durable commit."""


class Book(Protocol):
    """The store as the engine needs it. Every call may raise StoreFailed."""

    def claim(self, *intended: Intended) -> None:
        """Write the intentions, durably, unless another run has one on the same target. Raises Blocked."""

    def append(self, *entries: Entry) -> None:
        """Write journal entries; durable on return."""

    def begin(self, record: RunRecord) -> None:
        """Make the run known."""

    def save(self, record: RunRecord) -> None:
        """Write everything of the record but its readings and events."""

    def extend(self, run: str, readings: Sequence[Reading], events: Sequence[Event]) -> None:
        """Add readings and events."""

    def heartbeat(self, run: str, at: datetime) -> None:
        """Say that the runner is alive."""

    def halted(self, run: str) -> str | None:
        """The reason of a halt in force for this run, if any."""


class Narrator(Protocol):
    """Whoever tells a person what happens, while it happens. Must be quick and must not raise."""

    def phase(self, name: PhaseName, until: float | None) -> None:
        """A phase begins; ``until`` is when it is due to end, in run seconds, where that is known."""

    def reading(self, reading: Reading) -> None:
        """A probe was read."""

    def event(self, event: Event) -> None:
        """Something worth a line happened."""

    def injection(self, injection: InjectionRecord) -> None:
        """The state of an injection changed."""


class Recorder:
    """The growing record. Only the run loop's thread uses it."""

    def __init__(self, record: RunRecord, book: Book, clock: Clock, narrator: Narrator) -> None:
        self.record = record
        self._book = book
        self._clock = clock
        self._narrator: Narrator | None = narrator
        self._begin = clock.now()
        self.readings: list[Reading] = []
        self._events: list[Event] = []
        self._stored = (0, 0)
        self._injections: dict[int, InjectionRecord] = {}
        self._next_life = 0.0

    def now(self) -> float:
        """Seconds since the run started."""
        return self._clock.now() - self._begin

    def since_start(self, monotonic: float) -> float:
        """A moment of the monotonic clock in run seconds."""
        return monotonic - self._begin

    # --- what happened ---------------------------------------------------------------------------------

    def phase(self, name: PhaseName, lasting: float | None = None) -> None:
        """A phase begins, and the one before it ends."""
        at = self.now()
        self._end_phase(at)
        self._change(phases=(*self.record.phases, PhaseSpan(name=name, start=at)))
        self._tell(lambda n: n.phase(name, None if lasting is None else at + lasting))

    def phase_at(self, at: float) -> PhaseName:
        """The phase that was on at that moment."""
        return next((span.name for span in reversed(self.record.phases) if span.start <= at), "plan")

    def event(self, kind: EventKind, text: str) -> None:
        """Something worth a line in the timeline."""
        event = Event(at=self.now(), kind=kind, text=text)
        self._events.append(event)
        self._tell(lambda n: n.event(event))

    def reading(self, reading: Reading) -> None:
        """A judged sample."""
        self.readings.append(reading)
        self._tell(lambda n: n.reading(reading))

    def injection(self, injection: InjectionRecord) -> None:
        """The new state of one injection."""
        self._injections[injection.n] = injection
        self._change(injections=tuple(self._injections.values()))
        self._tell(lambda n: n.injection(injection))

    def injections(self) -> list[InjectionRecord]:
        """The state of every injection, in the order they were intended."""
        return list(self._injections.values())

    def planned(self, plan: Plan) -> None:
        """The plan that the run goes by."""
        self._change(plan=plan)

    def blocked(self, reasons: Sequence[str]) -> None:
        """Why nothing will be injected."""
        self._change(blocked=tuple(reasons))
        for reason in reasons:
            self.event("guard", reason)

    def aborted(self, abort: Abort) -> None:
        """The run is stopped before its time; the first reason stays."""
        if self.record.abort is None:
            self._change(abort=abort)
            self.event("halt" if abort.cause == "halt" else "abort", abort.reason)

    def recovery(self, recovery: Recovery) -> None:
        """How the system comes back."""
        self._change(recovery=recovery)

    def trouble(self, text: str) -> None:
        """Something of chaoskit's own failed: the run cannot end better than ``error``."""
        self._change(errors=(*self.record.errors, text))
        self.event("trouble", text)

    # --- keeping it ------------------------------------------------------------------------------------

    def show_life(self) -> None:
        """Say, at most once a second, that the runner lives, while its loop is busy elsewhere. Raises StoreFailed."""
        now = self._clock.now()
        if now >= self._next_life:
            self._next_life = now + LIFE_EVERY
            self._book.heartbeat(self.record.run, self._clock.utc())

    def show_life_if_possible(self) -> None:
        """The same; a store that fails is asked no more, for waiting for it would hold up the rollback."""
        try:
            self.show_life()
        except Exception as error:  # noqa: BLE001 nor may whatever else a store raises
            self._next_life = inf
            self.trouble(f"the runner could not show that it lives: {error}")

    def persist(self) -> None:
        """Write what is new to the store. Raises StoreFailed."""
        readings, events = self.readings[self._stored[0] :], self._events[self._stored[1] :]
        if readings or events:
            self._book.extend(self.record.run, readings, events)
            self._stored = (len(self.readings), len(self._events))
        self._book.save(self.record)

    def persist_if_possible(self) -> None:
        """Write what is new; a store that fails now must not stand in the way of the rollback."""
        try:
            self.persist()
        except Exception as error:  # noqa: BLE001 nor may whatever else a store raises
            self.trouble(f"the run's history could not be written: {error}")

    def finish(self) -> RunRecord:
        """End the last phase and give the whole record."""
        at = self.now()
        self._end_phase(at)
        self._change(ended_at=at)
        self.persist_if_possible()
        return self.record.model_copy(update={"readings": tuple(self.readings), "events": tuple(self._events)})

    def _end_phase(self, at: float) -> None:
        if self.record.phases:
            *earlier, last = self.record.phases
            self._change(phases=(*earlier, last.model_copy(update={"end": at})))

    def _tell(self, say: Callable[[Narrator], None]) -> None:
        if self._narrator is None:
            return
        try:
            say(self._narrator)
        except Exception:  # noqa: BLE001 a closed pipe or a broken display must never stand between us and the rollback
            self._narrator = None

    def _change(self, **update: object) -> None:
        self.record = self.record.model_copy(update=update)
