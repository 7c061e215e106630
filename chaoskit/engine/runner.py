"""One run, phase by phase: plan, guard, baseline, inject, observe, rollback, recovery.

Everything after the journal knows of an injection is inside ``try``/``finally`` with the rollback in ``finally``.
"""

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from queue import SimpleQueue
from typing import NamedTuple

from chaoskit.domain.errors import Blocked, ChaoskitError
from chaoskit.domain.history import Runner, RunRecord
from chaoskit.domain.plan import Plan
from chaoskit.domain.plan import drift as plan_drift
from chaoskit.domain.ports import Clock, Probe, Sources
from chaoskit.engine.access import Access
from chaoskit.engine.baseline import unsteady
from chaoskit.engine.crew import PATIENCE
from chaoskit.engine.desk import Desk
from chaoskit.engine.drift import DriftProbe, drift_probes
from chaoskit.engine.injecting import Injector
from chaoskit.engine.planner import Brief, Planned, Prepared, make_plan
from chaoskit.engine.recorder import Recorder
from chaoskit.engine.recovery import Recovering
from chaoskit.engine.rollback import Revive
from chaoskit.engine.sampler import Key, Sampler, Taken
from chaoskit.engine.timers import Winding, timer_probes
from chaoskit.engine.watch import Watch

HURRY = 5.0
"""Seconds without an outcome after which a run that must stop waits no longer for what is under way."""

Guard = Callable[[Plan], Sequence[str]]
"""Looks at something beyond the plan, given the plan, and returns every reason not to start."""


class Job(NamedTuple):
    """All that one run needs, as data and ports."""

    run: str
    brief: Brief
    runner: Runner
    trigger: str
    command: str
    sources: Sources
    probes: Mapping[Key, Probe]
    revive: Revive
    guards: Sequence[Guard] = ()
    promised: Plan | None = None


def execute(job: Job, desk: Desk) -> RunRecord:
    """Run the experiment and return the whole record. Never raises for what goes wrong in the run itself."""
    run = _Run(job, desk)
    recorder = run.recorder
    try:
        run.go()
    except Blocked as refused:
        recorder.blocked(refused.reasons)
    except ChaoskitError as error:
        recorder.trouble(str(error))
    except Exception as error:
        logging.getLogger(__name__).exception("a defect of chaoskit ended the run")
        recorder.trouble(f"a defect of chaoskit ended the run: {type(error).__name__}: {error}")
    finally:
        run.close()
    return recorder.finish()


class _Run:
    def __init__(self, job: Job, desk: Desk) -> None:
        self._job = job
        self._clock = desk.clock
        self._halt = desk.halt
        self._book = desk.book
        self._desk = desk
        self._experiment = job.brief.experiment
        self._access = Access(job.sources)
        self._inbox: SimpleQueue[Taken | None] = SimpleQueue()
        self._sampler = Sampler(self._experiment.sampling.tick, desk.clock, self._inbox)
        self.recorder = Recorder(_first_record(job, desk.clock), desk.book, desk.clock, desk.narrator)
        bounds = {key: probe.bound for key, probe in job.probes.items()}
        self._watch = Watch(self._experiment, bounds, self.recorder, desk, self._inbox)
        self._injector = Injector(job.run, self._access, job.revive, self.recorder, desk)
        self._drift: list[DriftProbe] = []

    def close(self) -> None:
        self._sampler.stop()
        self._access.close()

    def go(self) -> None:
        self._book.begin(self.recorder.record)
        self.recorder.phase("plan")
        planned = self._plan()
        if self._halted() or not (self._guard(planned.plan) and self._baseline()):
            return
        prepared = self._plan_again(planned.plan)
        if not (prepared and self._still_steady()):
            return
        self._watch.arm()
        self.recorder.phase("inject")
        try:
            self._touch(prepared)
            Recovering(self._experiment, self._watch, self.recorder, self._clock).watch()
        finally:
            self._injector.settle()
            self._injector.disarm()

    # --- before anything is touched --------------------------------------------------------------------

    def _plan(self) -> Planned:
        return make_plan(self._job.brief, self._job.sources, self._access, self._job.run, self._unless_halted)

    def _unless_halted(self) -> float:
        """Nothing is touched yet: who wants to stop need not wait for a target that does not answer."""
        self.recorder.show_life()
        return 0.0 if self._halt.engaged else PATIENCE

    def _halted(self) -> bool:
        """Whether a signal stopped us; a plan given up half-way must not be taken for a reason not to start."""
        if self._halt.engaged and (abort := self._watch.look(armed=False)):
            self.recorder.aborted(abort)
        return self._halt.engaged

    def _guard(self, plan: Plan) -> bool:
        self.recorder.planned(plan)
        self.recorder.phase("guard")
        reasons = list(plan.blocked)
        if self._job.promised is not None:
            reasons += [f"reality drifted from the plan: {what}" for what in plan_drift(self._job.promised, plan)]
        for guard in self._job.guards:
            reasons += guard(plan)
        return self._clear(reasons)

    def _baseline(self) -> bool:
        """Sample until the window is over and every probe has answered once; all must hold."""
        window = self._experiment.sampling.baseline
        self.recorder.phase("baseline", window)
        self._sampler.start(self._job.probes)
        begin = self._clock.now()
        answered = self._everybody_answered
        for deadline, done in (
            (begin + window, lambda: answered() and bool(self._unsteady())),
            (begin + window + self._slowest(), answered),
        ):
            if abort := self._watch.until(deadline, armed=False, done=done):
                self.recorder.aborted(abort)
                return False
        return self._clear(self._unsteady())

    def _everybody_answered(self) -> bool:
        return self._watch.latest.keys() >= self._job.probes.keys()

    def _slowest(self) -> float:
        return max((probe.bound for probe in self._job.probes.values()), default=0.0)

    def _unsteady(self) -> list[str]:
        return unsteady(self._experiment, self.recorder.readings, self.recorder.now())

    def _still_steady(self) -> bool:
        """Planning again took its time: what was seen meanwhile counts, and a halt does too."""
        if abort := self._watch.look(armed=False):
            self.recorder.aborted(abort)
            return False
        return self._clear(self._unsteady())

    def _plan_again(self, plan: Plan) -> tuple[Prepared, ...]:
        """Look at everything once more at the last moment: the before-state must be the state before the fault."""
        again = self._plan()
        if self._halted():
            return ()
        changed = [f"the targets changed during the baseline: {what}" for what in plan_drift(plan, again.plan)]
        return again.prepared if self._clear([*again.plan.blocked, *changed]) else ()

    def _clear(self, reasons: Sequence[str]) -> bool:
        if reasons:
            self.recorder.blocked(list(dict.fromkeys(reasons)))
        return not reasons

    # --- while the faults are in -----------------------------------------------------------------------

    def _touch(self, prepared: Sequence[Prepared]) -> None:
        """Inject and observe; whatever happens once the journal knows of an injection, it is rolled back."""
        try:
            self._injector.claim(prepared)
            self._watch_timers(prepared)
            if self._injector.inject(prepared, self._patience) and self.recorder.record.abort is None:
                self._observe(prepared)
        finally:
            self._roll_back()

    def _roll_back(self) -> None:
        if self._injector.claimed:
            self.recorder.phase("rollback")
            self._injector.roll_back()
            self._injector.disarm()
            self.recorder.persist_if_possible()

    def _patience(self) -> float:
        """Look around while the crew is at work: when the run must stop, nobody waits for stragglers.

        Once it has to, a store that hangs must not hold up the undo, so nothing looks there any more.
        """
        if not self._injector.stopped and (abort := self._watch.look(armed=True)):
            self.recorder.aborted(abort)
            self._injector.stop()
        self._desk.lease.keep()
        return HURRY if self._injector.stopped else PATIENCE

    def _observe(self, prepared: Sequence[Prepared]) -> None:
        """Watch until each fault's time is over; a fault that ends before the others is undone at its own time."""
        begin = self._clock.now()
        ends = sorted({one.hit.duration for one in prepared})
        self.recorder.phase("observe", ends[-1])
        self._watch_drift(prepared)
        for end in ends:
            abort = self._watch.until(begin + end, armed=True)
            ending = {one.hit.n for one in prepared if one.hit.duration == end}
            self._note_drift(() if abort else ending)
            if abort:
                self.recorder.aborted(abort)
                return
            if end != ends[-1]:
                self._injector.roll_back(ending, self._patience)
            if self.recorder.record.abort is not None:
                return

    def _note_drift(self, ending: Container[int]) -> None:
        """Keep what was seen to drift, and which of the faults that are ``ending`` nobody looked at lately."""
        tick = self._experiment.sampling.tick
        for probe in self._drift:
            overlooked = {n: why for n, why in probe.overlooked(tick).items() if n in ending}
            self._injector.note_drift(overlooked | probe.found)

    def _watch_drift(self, prepared: Sequence[Prepared]) -> None:
        self._drift = drift_probes(prepared, self._access, self._injector.in_force, self._clock)
        probes: dict[Key, Probe] = {Key("drift", f"targets {i}"): p for i, p in enumerate(self._drift, start=1)}
        self._also_watch(probes)

    def _watch_timers(self, prepared: Sequence[Prepared]) -> None:
        """Keep the timers on targets wound up, from before the first of them is armed."""
        winding = Winding(self._desk.timers, self._desk.lease, self._clock)
        found = timer_probes(prepared, self._access, self._injector.armed, winding)
        self._also_watch({Key("timer", f"dead-man timers {i}"): probe for i, probe in enumerate(found, start=1)})

    def _also_watch(self, probes: Mapping[Key, Probe]) -> None:
        for key, probe in probes.items():
            self._watch.expect(key, probe.bound)
        self._sampler.start(probes)


def _first_record(job: Job, clock: Clock) -> RunRecord:
    brief = job.brief
    return RunRecord(
        run=job.run,
        experiment=brief.experiment,
        path=brief.path,
        text=brief.text,
        sha256=brief.sha256,
        seed=brief.seed,
        trigger=job.trigger,
        command=job.command,
        runner=job.runner,
        started_at=clock.utc(),
    )
