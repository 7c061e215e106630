"""A run seen from its report: the record and its judgement, with the times that many sections need."""

from dataclasses import dataclass
from functools import cached_property

from chaoskit.domain.checks import AbortCondition, Check
from chaoskit.domain.history import InjectionRecord, RunRecord
from chaoskit.domain.plan import Plan
from chaoskit.domain.readings import Reading, Role
from chaoskit.domain.verdict import Judgement, Verdict
from chaoskit.reports import wording
from chaoskit.reports.clean import presentable
from chaoskit.reports.document import Axis, Lane, Zone

MOST_LANES = 8
HOLE_TICKS = 3
_SHORTEST = 1.0


@dataclass(frozen=True)
class View:
    """What the sections of a report are functions of. ``fingerprint`` is that of the plan as it was promised."""

    record: RunRecord
    judgement: Judgement
    fingerprint: str

    @property
    def plan(self) -> Plan | None:
        """The plan, if the run got that far."""
        return self.record.plan

    @property
    def blocked(self) -> bool:
        """Whether a guard said no, so that most expectations were never asked."""
        return self.judgement.verdict is Verdict.BLOCKED

    @cached_property
    def end(self) -> float:
        """The last moment that the record knows of, in run seconds."""
        record = self.record
        times: list[float | None] = [_SHORTEST, record.ended_at, *(event.at for event in record.events)]
        times += [reading.at + reading.took for reading in record.readings]
        times += [time for phase in record.phases for time in (phase.start, phase.end)]
        for one in record.injections:
            times += [one.intended_at, one.injected_at, one.rollback_at, one.restored_at]
        return max(time for time in times if time is not None)

    @cached_property
    def axis(self) -> Axis:
        """The time axis of the charts: from the first reading on, so that planning takes no room.

        A rollback that came long after the runner had died is left to the timeline: it would squeeze every line.
        """
        first = min((reading.at for reading in self.record.readings), default=0.0)
        last = max((reading.at + reading.took for reading in self.record.readings), default=self.end)
        end = max(last if self.end - last > last - first else self.end, first + _SHORTEST)
        return Axis(first, end)

    @cached_property
    def zones(self) -> tuple[Zone, ...]:
        """When the fault was in, when we rolled back, and when the system came back."""
        window = self.record.fault_window
        if window is None:
            return ()
        rollback = self.record.span("rollback")
        begun = [i.rollback_at for i in self.record.injections if i.rollback_at is not None]
        undone = rollback.start if rollback else min(begun, default=window[1])
        zones = [Zone("fault", window[0], max(window[0], undone))]
        if undone < window[1]:
            zones.append(Zone("rollback", max(window[0], undone), window[1]))
        recovery = self.record.recovery
        if recovery is not None:
            until = recovery.recovered_at if recovery.recovered_at is not None else self.end
            zones.append(Zone("recovery", recovery.started_at, max(recovery.started_at, until)))
        return tuple(zones)

    @cached_property
    def lanes(self) -> tuple[Lane, ...]:
        """One lane for each injection, in order."""
        return tuple(lane(f"#{i.n} {i.kind} on {i.target}", [i]) for i in self.record.injections)

    @cached_property
    def chart_lanes(self) -> tuple[Lane, ...]:
        """As many lanes as fit into a chart: one for each injection, or for each fault of the experiment."""
        if len(self.lanes) <= MOST_LANES:
            return self.lanes
        steps: dict[int, list[InjectionRecord]] = {}
        for one in self.record.injections:
            steps.setdefault(one.step, []).append(one)
        grouped = [lane(f"{m[0].kind} on {wording.plural(len(m), 'target')}", m) for m in steps.values()]
        return tuple(grouped[:MOST_LANES])

    def readings(self, role: Role, name: str) -> tuple[Reading, ...]:
        """All readings of one probe, in order of time."""
        return self._readings.get((role, name), ())

    @cached_property
    def _readings(self) -> dict[tuple[str, str], tuple[Reading, ...]]:
        found: dict[tuple[str, str], list[Reading]] = {}
        for reading in self.record.readings:
            found.setdefault((reading.role, reading.name), []).append(reading)
        return {key: tuple(sorted(mine, key=lambda r: r.at)) for key, mine in found.items()}

    @property
    def hole(self) -> float:
        """How many seconds without a reading are a gap."""
        return HOLE_TICKS * self.record.experiment.sampling.tick

    def twin(self, check: Check) -> AbortCondition | None:
        """The abort condition that watches the same query as ``check``, if there is one."""
        same = (c for c in self.record.experiment.watched if c.promql is not None and c.promql == check.promql)
        return next(same, None)

    def when(self, at: float | None) -> str:
        """A moment as UTC time of day with milliseconds."""
        return wording.moment(self.record.started_at, at, millis=True)


def lane(label: str, injections: list[InjectionRecord]) -> Lane:
    """One bar for injections that stand for one another."""
    rollbacks = [i.rollback_at for i in injections if i.rollback_at is not None]
    restored = [i.restored_at for i in injections]
    ends = [end for end in restored if end is not None]
    return Lane(
        label=label,
        start=min(i.intended_at for i in injections),
        rollback=min(rollbacks, default=None),
        until=max(ends) if len(ends) == len(restored) else None,
    )


def view(record: RunRecord, judgement: Judgement) -> View:
    """The view of one run, with every string made safe to show."""
    fingerprint = record.plan.fingerprint if record.plan is not None else ""
    return View(presentable(record), presentable(judgement), fingerprint)
