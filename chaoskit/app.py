"""The composition root: loads a file, wires drivers to the engine, keeps the run, and renders what came of it."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chaoskit import registry
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.errors import Blocked, ReportNotWritten, StoreFailed, UnknownRun
from chaoskit.domain.history import RunRecord
from chaoskit.domain.journal import Intended
from chaoskit.domain.limits import Holder
from chaoskit.domain.plan import Plan
from chaoskit.domain.ports import Injection, Probe
from chaoskit.domain.readings import Reading, judge_abort, judge_check, judge_detection
from chaoskit.domain.verdict import Judgement, judge
from chaoskit.drivers import DriverSources, probes_of, prometheus_guard, prometheus_of, scrape_interval, timers
from chaoskit.engine.access import Access
from chaoskit.engine.clock import RealClock
from chaoskit.engine.crew import fan_out
from chaoskit.engine.desk import Desk
from chaoskit.engine.halt import Halt
from chaoskit.engine.lease import Lease
from chaoskit.engine.planner import Brief, make_plan
from chaoskit.engine.recorder import Narrator
from chaoskit.engine.runner import Guard, Job, execute
from chaoskit.engine.sampler import Key
from chaoskit.files.loader import LoadedExperiment, faults_of, load
from chaoskit.guardian.link import Link
from chaoskit.guards import halt_guard, limits_guard, residue_guard
from chaoskit.settings import Settings
from chaoskit.store.halt_file import look, make_room
from chaoskit.store.liveness import alive, me

if TYPE_CHECKING:
    from chaoskit.store.store import Store

PLANNING = "plan"
"""What stands in tags in place of a run's id while there is no run."""


class Ready(NamedTuple):
    """An experiment, wired: all that is needed to plan or run it."""

    brief: Brief
    prometheus: Prometheus | None
    probes: Mapping[Key, Probe]
    sources: DriverSources


class Finished(NamedTuple):
    """A run that ended, with where its reports are, or what could not be written and why."""

    record: RunRecord
    judgement: Judgement
    reports: Mapping[str, Path]
    trouble: str = ""


class Origin(NamedTuple):
    """Where a run came from: what triggered it, and the command that repeats it."""

    trigger: str
    command: str


def new_run_id(now: datetime) -> str:
    """A globally unique id that sorts by time: UTC to the second, and 24 random bits."""
    return f"{now:%y%m%dt%H%M%S}{secrets.token_hex(3)}"


def new_seed() -> str:
    """A seed for a run that was given none; it is in the report, so the choice can be repeated."""
    return secrets.token_hex(4)


def revive(intended: Intended) -> Injection:
    """The injection behind a journal entry. Raises InvalidInput when its kind is no longer known."""
    return registry.injection(intended.kind, intended.injection)


def prepare_file(path: str, settings: Settings, variables: Mapping[str, str], seed: str | None) -> Ready:
    """Load and wire an experiment file. Raises InvalidExperiment with every problem of the file."""
    return _ready(load(path, variables=variables), settings, seed or new_seed())


def prepare_plan(plan: Plan, settings: Settings, name: str) -> Ready:
    """Wire the experiment that the plan called ``name`` holds, with its own seed. Raises InvalidExperiment."""
    experiment = plan.experiment
    loaded = LoadedExperiment(
        experiment=experiment,
        faults=faults_of(experiment, name=name),
        path=plan.path,
        text=experiment.model_dump_json(by_alias=True, exclude_defaults=True, indent=2),
        sha256=plan.sha256,
    )
    return _ready(loaded, settings, plan.seed)


def _ready(loaded: LoadedExperiment, settings: Settings, seed: str) -> Ready:
    experiment = loaded.experiment
    prometheus = prometheus_of(experiment, settings.prometheus, loaded.path)
    scrape = scrape_interval(prometheus) if experiment.needs_prometheus else None
    probes = probes_of(experiment, prometheus, scrape)
    brief = Brief(
        experiment=experiment,
        faults=loaded.faults,
        path=loaded.path,
        text=loaded.text,
        sha256=loaded.sha256,
        seed=seed,
        protected=settings.protected,
        scrape=scrape,
        slowest_abort_probe=max((probe.bound for key, probe in probes.items() if key.role == "abort"), default=0.0),
    )
    watched = [prometheus.url] if prometheus is not None else []
    return Ready(brief, prometheus, probes, DriverSources(settings.docker_host, watched))


# --- plan -------------------------------------------------------------------------------------------------


def plan(ready: Ready) -> tuple[Plan, list[Reading]]:
    """The plan against reality as it is now, with the present value of every probe. Touches nothing."""
    access = Access(ready.sources)
    try:
        planned = make_plan(ready.brief, ready.sources, access, PLANNING)
    finally:
        access.close()
        ready.sources.close()
    return planned.plan, _current(ready)


def _current(ready: Ready) -> list[Reading]:
    done = fan_out(lambda pair: _read(ready, *pair), list(ready.probes.items()))
    return [outcome.result for outcome in done if outcome.result is not None]


def _read(ready: Ready, key: Key, probe: Probe) -> Reading:
    experiment, sample = ready.brief.experiment, probe.sample()
    if key.role == "check":
        check = next(check for check in experiment.steady_state if check.name == key.name)
        judged = judge_check(check, sample, fault_in=False)
    elif key.role == "abort":
        judged = judge_abort(next(rule for rule in experiment.watched if rule.title == key.name), sample)
    else:
        judged = judge_detection(sample)
    return Reading(role=key.role, name=key.name, phase="plan", at=0.0, took=0.0, **judged.model_dump())


# --- run --------------------------------------------------------------------------------------------------


class Claiming:
    """The store as the engine sees it, with what it does not know by itself: who lives, the limits, the halt file."""

    def __init__(self, store: "Store", settings: Settings) -> None:
        self._store = store
        self._limits = settings.limits
        self._halt_file = settings.halt_path()
        self.append, self.begin, self.save = store.append, store.begin, store.save
        self.extend, self.heartbeat = store.extend, store.heartbeat

    def claim(self, *intended: Intended) -> None:
        """Write the intentions unless a halt, another run or a limit stands against it. Raises Blocked."""
        if (there := look(self._halt_file)) is not None:
            raise Blocked([there.refusal])
        self._store.claim(*intended, live=lambda run: is_live(self._store, run), limits=self._limits)

    def halted(self, run: str) -> str | None:
        """The reason of a halt in force. The file comes first: it tells even when the store cannot be asked."""
        there = look(self._halt_file)
        return self._store.halted(run) if there is None else there.told


def is_live(store: "Store", run: str) -> bool:
    """Whether the runner of ``run`` is alive, by its pid on this machine, else by its heartbeat."""
    try:
        return alive(store.runner_of(run), RealClock().utc())
    except UnknownRun:  # a journal may outlive the history
        return False


def run(
    ready: Ready,
    run_id: str,
    store: "Store",
    settings: Settings,
    halt: Halt,
    narrator: Narrator,
    origin: Origin,
    promised: Plan | None = None,
) -> Finished:
    """Run the experiment to its end, keep it, and write its reports. The verdict is in the result."""
    # Its first use opens the store: one that cannot be used must say so before the run begins.
    store.open_runs()
    if settings.halt_file is None:
        make_room(settings.halt_path())
    guardian = _guardian(ready, run_id, store, settings)
    guards = [*guards_of(store, run_id, settings), guardian.guard]
    if ready.prometheus is not None and ready.brief.experiment.needs_prometheus:
        guards.append(prometheus_guard(ready.prometheus))
    job = Job(
        run=run_id,
        brief=ready.brief,
        runner=me(),
        trigger=origin.trigger,
        command=origin.command,
        sources=ready.sources,
        probes=ready.probes,
        revive=revive,
        guards=guards,
        promised=promised,
    )
    try:
        clock = RealClock()
        lease = Lease(settings.lease, guardian, clock)
        record = execute(job, Desk(Claiming(store, settings), clock, halt, narrator, lease, timers()))
    finally:
        guardian.close()
        ready.sources.close()
    return conclude(record, store, settings)


def _guardian(ready: Ready, run_id: str, store: "Store", settings: Settings) -> Link:
    """The process that undoes this run's faults should we die. Raises GuardianLost."""
    # It lives in another folder than we do.
    settled = settings.model_copy(update={"reports": settings.reports.absolute()})
    experiment = ready.brief.experiment
    kinds = sorted({kind for spec in experiment.targets.values() for kind in spec.model_fields_set})
    hit = [experiment.targets[step.target].docker for step in experiment.faults]
    hosts = sorted({selector.host or "" for selector in hit if selector is not None})
    orders = {
        "settings": settled.model_dump(mode="json"),
        "targets": kinds,
        "began": RealClock().now(),
        "beside": hosts if settings.guardian_image else [],
    }
    return Link(run_id, settings.lease, store.path, orders)


def guards_of(store: "Store", run_id: str, settings: Settings) -> list[Guard]:
    """The guards that need the store or the halt file."""

    def holder(run: str) -> Holder:
        return Holder(run=run, who=store.who(run), live=is_live(store, run))

    return [
        halt_guard(store, run_id, settings.halt_path()),
        residue_guard(store, holder),
        limits_guard(store, settings.limits, holder),
    ]


def conclude(record: RunRecord, store: "Store", settings: Settings) -> Finished:
    """Judge a record, write its reports, and keep it with its verdict. The verdict stands even where that fails."""
    from chaoskit.reports.write import write

    judgement = judge(record)
    reports: Mapping[str, Path] = {}
    troubles = []
    try:
        reports = write(record, judgement, settings.reports)
    except ReportNotWritten as error:
        troubles.append(str(error))
    try:
        store.finish(record, judgement.verdict)
    except StoreFailed as error:
        troubles.append(str(error))
    return Finished(record, judgement, reports, "\n".join(troubles))
