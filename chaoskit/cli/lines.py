"""A run told as plain lines: UTC time, run offset, a word, a text. For pipes, files and continuous integration."""

from datetime import timedelta
from typing import Self, TextIO

from chaoskit.cli.phrases import TROUBLED, ConditionState, clean, condition_state, signs_for, state_of
from chaoskit.cli.progress import Progress, RunTime
from chaoskit.cli.telling import checks_text, condition_text, intentions_text, phase_text, silence_text, tally_text
from chaoskit.cli.writer import Writer
from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import Event, InjectionRecord, PhaseName
from chaoskit.domain.humane import humane_seconds
from chaoskit.domain.ports import Clock
from chaoskit.domain.readings import Reading
from chaoskit.engine.clock import RealClock

STEADY_EVERY = 5.0
CHANGED_EVERY = 1.0
SILENT_EVERY = 2.0
MOST_ALIKE = 20
"""So many faults or rollbacks that went well are told one by one in a phase; of the others, the number."""
_ALIKE = {"fault", "rollback"}


class Lines:
    """A narrator for people who read a log. Raises OSError or ValueError once nobody reads it any more."""

    def __init__(self, experiment: Experiment, run: str, out: TextIO, clock: Clock | None = None) -> None:
        self._experiment = experiment
        self._run = run
        self._writer = Writer(out)
        self._signs = signs_for(out.encoding)
        clock = clock or RealClock()
        self._time = RunTime(clock)
        self._started = clock.utc()
        self._progress = Progress(experiment)
        self._said_at: dict[str, float] = {}
        self._said_conditions: dict[str, ConditionState] = {}
        self._changed = False
        self._changes = 0
        self._intended: list[InjectionRecord] = []
        self._last: InjectionRecord | None = None
        self._alike = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what still waits. Never raises, and gives up soon when nobody reads."""
        self._writer.close()

    # --- what the recorder tells -----------------------------------------------------------------------

    def phase(self, name: PhaseName, until: float | None) -> None:
        """A phase begins."""
        if self._progress.phase is None:
            self._time.heard()
            self._introduce()
        now = self._time.now()
        self._say_what_waits(now)
        self._progress.begin(name, now, until)
        self._say(now, "phase", phase_text(self._progress))

    def reading(self, reading: Reading) -> None:
        """A probe was read."""
        now = reading.at + reading.took
        self._time.heard(now)
        known = self._progress.latest.get((reading.role, reading.name))
        self._progress.read(reading)
        if reading.role == "check":
            changed = known is None or known.outcome != reading.outcome
            self._changed = self._changed or changed
            self._changes += changed
            self._say_checks(now)
        elif reading.role == "detection" and reading.outcome == "held" and not (known and known.outcome == "held"):
            self._say(now, "alert", f"{clean(reading.name)} fires{self._after_injection(reading.at)}")
        self._say_conditions(now)
        self._say_silence(now)

    def event(self, event: Event) -> None:
        """Something worth a line happened; a phase's own line has been written already."""
        self._time.heard(event.at)
        self._progress.happened(event)
        if event.kind == "phase":
            return
        self._say_intended(event.at)
        fine = self._last is None or state_of(self._last) not in TROUBLED
        if event.kind in _ALIKE and fine:
            self._alike += 1
            if self._alike > MOST_ALIKE:
                return
        self._say(event.at, event.kind, clean(event.text) + self._doubt(event))

    def injection(self, injection: InjectionRecord) -> None:
        """The state of an injection changed; the event that follows says so, but for the intention."""
        self._progress.injected(injection)
        self._last = injection
        if state_of(injection) == "intended":
            self._intended.append(injection)

    # --- how it is said --------------------------------------------------------------------------------

    def _introduce(self) -> None:
        experiment = self._experiment
        owner = f", owner {clean(experiment.owner)}" if experiment.owner else ""
        self._say(0.0, "run", f"{self._run}: {clean(experiment.title)} ({experiment.name}{owner})")

    def _say(self, at: float, word: str, text: str) -> None:
        utc = self._started + timedelta(seconds=at)
        self._writer.line(f"{utc:%Y-%m-%dT%H:%M:%SZ}  {f'+{at:.1f}s':>8}  {word:<8}  {text}")

    def _say_what_waits(self, now: float) -> None:
        self._say_intended(now)
        if self._alike > MOST_ALIKE:
            self._say(
                now, "note", f"{self._alike - MOST_ALIKE} lines like these left out; {tally_text(self._progress)}"
            )
        self._alike = 0

    def _say_intended(self, now: float) -> None:
        if self._intended:
            self._say(now, "fault", intentions_text(self._intended))
            self._intended = []

    def _doubt(self, event: Event) -> str:
        """What the event of a fault does not say: that it was not proven to bite, and what was asked of it."""
        if event.kind != "fault" or self._last is None or self._last.effect is None or self._last.effect.bit is True:
            return ""
        return f"; {state_of(self._last)}, asked for {clean(self._last.effect.requested)}"

    def _after_injection(self, at: float) -> str:
        begun = min((one.intended_at for one in self._progress.injections.values()), default=None)
        return (
            " before the fault was in" if begun is None else f" {humane_seconds(at - begun)} after the first injection"
        )

    def _due(self, what: str, now: float, every: float) -> bool:
        """Whether ``what`` was last said long enough ago; if so, it counts as said now."""
        if now - self._said_at.get(what, float("-inf")) < every:
            return False
        self._said_at[what] = now
        return True

    def _say_checks(self, now: float) -> None:
        """All checks on one line: soon after an outcome changed, and now and then while none does."""
        answered = all(("check", check.name) in self._progress.latest for check in self._experiment.steady_state)
        if not answered and now < self._progress.phase_start + CHANGED_EVERY:
            return
        if self._due("checks", now, CHANGED_EVERY if self._changed else STEADY_EVERY):
            # More changes than checks: something flaps, and one line a second cannot show it.
            flaps = f" ({self._changes} changes)" if self._changes > len(self._experiment.steady_state) else ""
            self._say(now, "checks", checks_text(self._progress, self._signs) + flaps)
            self._changed, self._changes = False, 0

    def _say_conditions(self, now: float) -> None:
        """Each abort condition that comes near its limit, exceeds it, goes blind, or comes back."""
        for condition in self._experiment.watched:
            title, was = condition.title, self._said_conditions.get(condition.title, "ok")
            state = condition_state(condition, self._progress.latest.get(("abort", title)))
            counting = state == "exceeded" and self._progress.fault_in
            if state == "no answer yet" or (state == was and not counting):
                continue
            pressing = self._progress.fault_in and not {state, was} <= {"ok", "near"}
            if self._due(title, now, CHANGED_EVERY if pressing else STEADY_EVERY):
                self._say(now, "abort", condition_text(condition, self._progress, self._signs))
                self._said_conditions[title] = state

    def _say_silence(self, now: float) -> None:
        silence, limit = self._progress.silence(now), self._experiment.no_data_for
        late = self._progress.fault_in and silence is not None and silence.seconds > limit / 2
        if late and silence is not None and self._due("silence", now, SILENT_EVERY):
            self._say(now, "abort", silence_text(silence, limit))
