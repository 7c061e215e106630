"""Watches a run: judges samples as they arrive and says at once when it must stop.

The loop sleeps only in the inbox, so a sample or a halt wakes it at any moment.
"""

from collections.abc import Callable
from queue import Empty

from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import Abort, AbortCause
from chaoskit.domain.ports import Sample
from chaoskit.domain.readings import Judged, Reading, judge_abort, judge_check, judge_detection
from chaoskit.engine.desk import Desk
from chaoskit.engine.recorder import Recorder
from chaoskit.engine.sampler import Inbox, Key, Taken

KEEP_EVERY = 1.0
"""Seconds between two writes of the history: each is a durable commit, so a fast tick must not multiply them."""
_FAULT_PHASES = {"inject", "observe"}
_STOPPING: dict[str, AbortCause] = {"drift": "drift", "timer": "lease"}
"""Probes of our own, by role, with the cause to stop when one of them does not hold."""


class Watch:
    """The eyes of a run. ``bounds`` are the longest seconds that one sample of each probe may take."""

    def __init__(
        self,
        experiment: Experiment,
        bounds: dict[Key, float],
        recorder: Recorder,
        desk: Desk,
        inbox: Inbox,
    ) -> None:
        self._experiment = experiment
        self._bounds = bounds
        self._recorder = recorder
        self._inbox = inbox
        self._book = desk.book
        self._halt = desk.halt
        self._lease = desk.lease
        self._clock = desk.clock
        self._checks = {check.name: check for check in experiment.steady_state}
        self._conditions = {rule.title: rule for rule in experiment.watched}
        self._last_taken: dict[Key, float] = {}
        self._last_conclusive: dict[Key, float] = {}
        self._problems: dict[Key, str] = {}
        self._breached_since: dict[str, float] = {}
        self._breach: Abort | None = None
        self._drift: Abort | None = None
        self._next_beat = 0.0
        self._next_keep = 0.0
        self.latest: dict[Key, Reading] = {}
        self.streaks: dict[str, tuple[int, float]] = {}
        desk.halt.on_engage(lambda: inbox.put(None))

    def expect(self, key: Key, bound: float) -> None:
        """Watch one more probe from now on; silence of it counts from now."""
        self._bounds[key] = bound
        self._last_taken[key] = self._last_conclusive[key] = self._clock.now()

    def arm(self) -> None:
        """From now on a breached condition, silence or drift stops the run. What was before does not count."""
        now = self._clock.now()
        self._last_conclusive = dict.fromkeys(self._bounds, now)
        self._breached_since.clear()
        self._breach = None

    def begin_recovery(self) -> None:
        """From now on count how long each check has held again."""
        self.streaks.clear()

    def until(self, deadline: float, *, armed: bool, done: Callable[[], bool] = lambda: False) -> Abort | None:
        """Watch until ``deadline`` (monotonic seconds) or until ``done``; an :class:`Abort` if it must stop before.

        Unarmed, only a halt stops it. Raises StoreFailed when the history cannot be kept.
        """
        while True:
            # First what has already arrived: whoever calls was busy elsewhere, and that is not silence of the probes.
            self._receive(0.0)
            if abort := self._must_stop(armed=armed):
                return abort
            now = self._clock.now()
            if done() or now >= deadline:
                return None
            if now >= self._next_beat:
                self._beat()
            else:
                self._receive(min(deadline, self._next_beat, self._lease.due) - now)

    def look(self, *, armed: bool) -> Abort | None:
        """See what has arrived, without waiting; an :class:`Abort` if the run must stop. Raises StoreFailed."""
        self._receive(0.0)
        if self._clock.now() >= self._next_beat:
            self._beat()
        return self._must_stop(armed=armed)

    # --- reasons to stop -------------------------------------------------------------------------------

    def _must_stop(self, *, armed: bool) -> Abort | None:
        lost = self._lost()
        if self._halt.engaged:
            at = self._recorder.now()
            return Abort(cause="halt", reason=self._halt.reason, at=at, breached_at=at)
        return (self._breach or lost or self._drift or self._blind()) if armed else None

    def _lost(self) -> Abort | None:
        """Keep the lease, whatever else is going on; an :class:`Abort` when it is lost."""
        if not (why := self._lease.keep()):
            return None
        at = self._recorder.now()
        return Abort(cause="lease", reason=why, at=at, breached_at=at)

    def _blind(self) -> Abort | None:
        limit = self._experiment.no_data_for
        now = self._clock.now()
        for key in self._bounds:
            seen = self._last_conclusive.get(key, now)
            if now - seen > limit:
                why = self._problems.get(key, "no answer from the probe")
                reason = f"{key.name}: no data for {now - seen:.1f}s, {limit:g}s is the limit ({why})"
                return Abort(
                    cause="blind",
                    reason=reason,
                    at=self._recorder.now(),
                    breached_at=self._recorder.since_start(seen + limit),
                )
        return None

    # --- samples ---------------------------------------------------------------------------------------

    def _receive(self, seconds: float) -> None:
        """Wait for a sample and judge it, with all that lie there by now; not also those that come while we judge."""
        try:
            arrived = [self._inbox.get(timeout=max(seconds, 0.0))]
            arrived += [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        except Empty:
            return
        for taken in arrived:
            if taken is not None:
                self._judge(taken)

    def _judge(self, taken: Taken) -> None:
        key = taken.key
        self._last_taken[key] = taken.at + taken.took
        if key.role in _STOPPING:
            self._judge_stopping(taken, _STOPPING[key.role])
            return
        at = self._recorder.since_start(taken.at)
        phase = self._recorder.phase_at(at)
        judged = self._judged(key, taken.sample, fault_in=phase in _FAULT_PHASES)
        if judged.outcome != "unknown":
            self._last_conclusive[key] = taken.at + taken.took
        else:
            self._problems[key] = judged.problem
        reading = Reading(
            role=key.role,
            name=key.name,
            phase=phase,
            at=at,
            took=taken.took,
            outcome=judged.outcome,
            value=judged.value,
            problem=judged.problem,
        )
        self.latest[key] = reading
        self._recorder.reading(reading)
        if key.role == "abort":
            self._weigh(reading)
        elif key.role == "check":
            self._count(reading)

    def _judged(self, key: Key, sample: Sample, *, fault_in: bool) -> Judged:
        if key.role == "check":
            return judge_check(self._checks[key.name], sample, fault_in=fault_in)
        if key.role == "abort":
            return judge_abort(self._conditions[key.name], sample)
        return judge_detection(sample)

    def _count(self, reading: Reading) -> None:
        """Keep how many readings of a check in a row have held in this phase, and when the first of them was."""
        count, since = self.streaks.get(reading.name, (0, reading.at))
        if reading.outcome == "held" and reading.phase == self._recorder.record.phases[-1].name:
            self.streaks[reading.name] = (count + 1, since)
        else:
            self.streaks.pop(reading.name, None)

    def _weigh(self, reading: Reading) -> None:
        """Start, end or complete the breach of one abort condition. Not knowing neither starts nor ends one."""
        if reading.outcome == "held":
            self._breached_since.pop(reading.name, None)
        if reading.outcome != "deviated":
            return
        since = self._breached_since.setdefault(reading.name, reading.at)
        condition = self._conditions[reading.name]
        # Samples come a little late or early; one that is due now must not wait for the next tick.
        slack = self._experiment.sampling.tick / 10
        if reading.at - since + slack >= condition.held_for and self._breach is None:
            value = "" if reading.value is None else f" (was {condition.told(reading.value)})"
            reason = f"abort condition met: {condition.title}{value}"
            self._breach = Abort(cause="condition", reason=reason, at=self._recorder.now(), breached_at=since)

    def _judge_stopping(self, taken: Taken, cause: AbortCause) -> None:
        if taken.sample.holds is not None:
            self._last_conclusive[taken.key] = taken.at + taken.took
        else:
            self._problems[taken.key] = taken.sample.problem
        if taken.sample.holds is False and self._drift is None:
            at = self._recorder.since_start(taken.at)
            self._drift = Abort(cause=cause, reason=taken.sample.problem, at=self._recorder.now(), breached_at=at)

    # --- housekeeping, once a tick ---------------------------------------------------------------------

    def _beat(self) -> None:
        now = self._clock.now()
        tick = self._experiment.sampling.tick
        self._next_beat = now + tick
        self._note_silence(now, tick)
        run = self._recorder.record.run
        if (reason := self._book.halted(run)) is not None:
            self._halt.engage(f"halted: {reason}" if reason else "halted")
            return  # whatever the store does now, nobody waits for it before the rollback
        if now >= self._next_keep:
            self._next_keep = now + KEEP_EVERY
            self._book.heartbeat(run, self._clock.utc())
            self._recorder.persist()

    def _note_silence(self, now: float, tick: float) -> None:
        """A probe that is overdue beyond its own bound reads as unknown, once a tick, until it answers."""
        for key, bound in self._bounds.items():
            last = self._last_taken.get(key, now)
            if now - last > bound + 2 * tick:
                self._judge(Taken(key, now, 0.0, Sample(problem=f"no answer from the probe for {now - last:.1f}s")))
                self._last_taken[key] = last
