"""Watches the system come back after the rollback, and the expected alerts have their time."""

from chaoskit.domain.coverage import lately
from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import Recovery
from chaoskit.domain.ports import Clock
from chaoskit.engine.recorder import Recorder
from chaoskit.engine.sampler import Key
from chaoskit.engine.watch import Watch


class Recovering:
    """The last phase of a run. It begins when everything is rolled back."""

    def __init__(self, experiment: Experiment, watch: Watch, recorder: Recorder, clock: Clock) -> None:
        self._sampling = experiment.sampling
        self._limit = experiment.expect.recover_within
        self._alerts = experiment.expect.alerts
        self._checks = [check.name for check in experiment.steady_state]
        self._watch = watch
        self._recorder = recorder
        self._clock = clock
        self._started = recorder.now()

    def watch(self) -> None:
        """Watch until every check has held some samples in a row, and every expected alert had its time."""
        self._recorder.phase("recovery", self._limit)
        self._watch.begin_recovery()
        self._recorder.recovery(Recovery(started_at=self._started, limit=self._limit))
        while (left := self._until() - self._recorder.now()) > 0 and not self._nothing_left():
            if abort := self._watch.until(self._clock.now() + left, armed=False, done=self._nothing_left):
                self._recorder.aborted(abort)
                self._cut_short()
                return

    def _until(self) -> float:
        """When there is nothing more to wait for, in run seconds; later when probes turn out to be slow."""
        # A recovery that begins within the limit still needs its samples in a row to be seen.
        slack = (self._sampling.min_samples + 1) * self._pace()
        return max(self._started + self._limit + slack, self._alerts_until())

    def _cut_short(self) -> None:
        recovery = self._recorder.record.recovery
        if recovery is not None and recovery.recovered_at is None:
            self._recorder.recovery(recovery.model_copy(update={"cut_short": True}))

    def _nothing_left(self) -> bool:
        """Note the recovery once it is seen; True when nothing is left to wait for."""
        if not all(self._holds(name) for name in self._checks):
            return self._refuted() and self._alerts_settled()
        recovery = self._recorder.record.recovery
        if recovery is not None and recovery.recovered_at is None:
            at = max(self._started, *(since for _, since in self._watch.streaks.values()))
            self._recorder.recovery(recovery.model_copy(update={"recovered_at": at}))
            self._recorder.event("recovery", f"the hypothesis holds again, {at - self._started:.1f}s after rollback")
        return self._alerts_settled()

    def _holds(self, name: str) -> bool:
        """Whether a check has held some samples in a row, up to now: of one that fell silent since, nobody knows."""
        count, _ = self._watch.streaks.get(name, (0, 0.0))
        last = self._watch.latest.get(Key("check", name))
        if last is None or count < self._sampling.min_samples:
            return False
        return self._recorder.now() - (last.at + last.took) <= lately(self._sampling.tick, last.took)

    def _refuted(self) -> bool:
        """Whether a sample that was taken when the time to recover was over shows a check that deviates."""
        over = self._started + self._limit
        last = [reading for key, reading in self._watch.latest.items() if key.role == "check"]
        return any(reading.outcome == "deviated" and reading.at >= over for reading in last)

    def _pace(self) -> float:
        """Seconds from one sample to the next at most, by the slowest one since the rollback, or right before it."""
        since = [r for r in self._recorder.readings if r.at + r.took >= self._started]
        return self._sampling.tick + max((r.took for r in (*self._watch.latest.values(), *since)), default=0.0)

    def _alerts_until(self) -> float:
        """When the last expected alert has had its time, in run seconds."""
        begin = min((i.intended_at for i in self._recorder.injections()), default=0.0)
        pace = self._pace()
        return max((begin + alert.fires_within + 2 * pace for alert in self._alerts), default=0.0)

    def _alerts_settled(self) -> bool:
        fired = {r.name for r in self._recorder.readings if r.role == "detection" and r.outcome == "held"}
        return {alert.alert for alert in self._alerts} <= fired or self._recorder.now() >= self._alerts_until()
