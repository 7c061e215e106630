"""A small world in virtual time: machines that faults break, probes that look at it, a store, and the engine over it.

Nobody sleeps. The run loop's inbox is the only place where time passes by itself: when the loop waits for samples,
the world jumps to the next one. Injecting and undoing still happen on the engine's own threads.
"""

import heapq
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from queue import Empty
from typing import Any, ClassVar, NamedTuple
from unittest.mock import patch

from chaoskit.domain.errors import Blocked, TargetTimeout, Unreachable
from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import Event, InjectionRecord, PhaseName, Runner, RunRecord
from chaoskit.domain.journal import Entry, Intended, outstanding
from chaoskit.domain.ports import Clock, Completed, Effect, Fault, Injection, Probe, Residue, Sample, Target, TargetRef
from chaoskit.domain.readings import Reading
from chaoskit.domain.selection import Protection
from chaoskit.domain.targeting import TargetSpec
from chaoskit.engine import runner
from chaoskit.engine.access import Access
from chaoskit.engine.baseline import expected
from chaoskit.engine.desk import Desk
from chaoskit.engine.halt import Halt
from chaoskit.engine.lease import Lease
from chaoskit.engine.planner import Brief
from chaoskit.engine.recorder import Book, Narrator
from chaoskit.engine.rollback import Undone, roll_back
from chaoskit.engine.runner import Job, execute
from chaoskit.engine.sampler import Key, Taken

RUN = "r1"
LEASE = 15.0
ALONE = "where its machine can mend it alone"
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


# --- time ------------------------------------------------------------------------------------------------


class VirtualClock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def utc(self) -> datetime:
        return BEGIN + timedelta(seconds=self._now)

    def wait(self, seconds: float) -> None:
        with self._lock:
            self._now += max(seconds, 0.0)

    def reach(self, moment: float) -> None:
        with self._lock:
            self._now = max(self._now, moment)


class Future:
    """What will happen, by its time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, moment: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (moment, next(self._order), what))

    def let_happen(self, until: float) -> bool:
        """Let the next thing that is due by ``until`` happen, at its time; False when there is none."""
        if not self._due or self._due[0][0] > until:
            return False
        moment, _, what = heapq.heappop(self._due)
        self._clock.reach(moment)
        what()
        return True


class VirtualInbox:
    """Where samples arrive: waiting here is what lets time pass."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._arrived: deque[Taken | None] = deque()

    def put(self, taken: Taken | None) -> None:
        self._arrived.append(taken)

    def qsize(self) -> int:
        now = self._world.clock.now()
        while self._world.future.let_happen(now):
            pass
        return len(self._arrived)

    def get_nowait(self) -> Taken | None:
        return self.get(timeout=0.0)

    def get(self, timeout: float) -> Taken | None:
        clock = self._world.clock
        until = clock.now() + timeout
        while not self._arrived:
            if not self._world.future.let_happen(until):
                clock.reach(until)
                raise Empty
        return self._arrived.popleft()


class VirtualSampler:
    """Takes samples on a tick of virtual time, each probe for itself, like the real one."""

    def __init__(self, tick: float, clock: VirtualClock, inbox: VirtualInbox, world: "World") -> None:
        self._tick = tick
        self._clock = clock
        self._inbox = inbox
        self._future = world.future
        self._stopped = False

    def start(self, probes: Mapping[Key, Probe]) -> None:
        for key, probe in probes.items():
            self._plan(key, probe, self._clock.now(), 0)

    def stop(self) -> None:
        self._stopped = True

    def _plan(self, key: Key, probe: Probe, begin: float, tick: int) -> None:
        self._future.at(begin + tick * self._tick, lambda: self._sample(key, probe, begin, tick))

    def _sample(self, key: Key, probe: Probe, begin: float, tick: int) -> None:
        if self._stopped:
            return
        at = begin + tick * self._tick
        before = self._clock.now()
        sample = probe.sample()
        took = getattr(probe, "took", self._clock.now() - before)
        if took == HANGS:
            return
        self._future.at(at + took, lambda: self._inbox.put(Taken(key, at, took, sample)))
        self._plan(key, probe, begin, tick + max(1, int(took / self._tick) + (took % self._tick > 0)))


HANGS = float("inf")


class FakeProbe:
    """A probe that answers what ``look`` says; ``took`` is how long it needs (:data:`HANGS`: no answer ever)."""

    def __init__(self, look: Callable[[], Sample], bound: float = 1.0, took: float = 0.0) -> None:
        self._look = look
        self.bound = bound
        self.took = took

    def sample(self) -> Sample:
        return self._look()


# --- targets and faults ----------------------------------------------------------------------------------

Trouble = Callable[[], None]
"""Raises, or returns when all is well this time."""


@dataclass
class Machine:
    """One target: what is broken on it, by tag, and what goes wrong when it is talked to, by operation."""

    id: str
    name: str
    broken: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    life: str = "first"
    bites: bool | None = True
    drifts: str = ""
    before: dict[str, Trouble] = field(default_factory=dict)
    """Called before the operation takes effect."""
    after: dict[str, Trouble] = field(default_factory=dict)
    """Called after it."""
    calls: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def doing(self, operation: str, tag: str = "") -> Iterator[None]:
        self.calls[operation] += 1
        if trouble := self.before.get(operation):
            trouble()
        yield
        self.log.append(f"{operation} {tag}".strip())
        if trouble := self.after.get(operation):
            trouble()

    @property
    def ref(self) -> TargetRef:
        return TargetRef(id=self.id, name=self.name, identity=self.life, labels=self.labels)


class Connection:
    """An open connection to a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    @property
    def id(self) -> str:
        return self.machine.id

    def identity(self) -> str:
        return self.machine.life

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:
        raise NotImplementedError


def machine_of(target: Target) -> Machine:
    assert isinstance(target, Connection)
    return target.machine


class Breakage(Injection):
    """Breaks a machine in one place."""

    revert_within: ClassVar[float] = 2.0
    place: str = "somewhere"

    def actions(self) -> tuple[str, ...]:
        return (f"break {self.place} as {self.tag}",)

    def undo(self) -> tuple[str, ...]:
        return (f"mend {self.place} of {self.tag}",)

    def by_hand(self) -> tuple[str, ...]:
        return (f"mend {self.target} {self.tag}",)

    def inject(self, target: Target) -> None:
        machine = machine_of(target)
        with machine.doing("inject", self.tag):
            machine.broken.add(self.tag)
            machine.touched.add(self.tag)

    def revert(self, target: Target) -> str:
        machine = machine_of(target)
        with machine.doing("revert", self.tag):
            machine.broken.discard(self.tag)
        return "mended"

    def verify(self, target: Target) -> Residue:
        machine = machine_of(target)
        with machine.doing("verify", self.tag):
            return (f"{self.tag} is still there",) if self.tag in machine.broken else ()

    def effect(self, target: Target) -> Effect:
        machine = machine_of(target)
        with machine.doing("effect", self.tag):
            bit = machine.bites if self.tag in machine.broken else False
            return Effect(bit=bit, requested="broken", measured="broken" if bit else "as before")

    def drift(self, target: Target) -> str:
        machine = machine_of(target)
        with machine.doing("drift", self.tag):
            return machine.drifts


class AloneBreakage(Breakage):
    """A breakage that its machine can mend by itself."""

    def undo_script(self) -> str:
        return f"mend {self.tag}"


class MemoryTimers:
    """Dead-man timers in memory: ``deadlines`` by tag, in virtual time. :meth:`run_out` is what machines do alone."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.deadlines: dict[str, float] = {}
        self.fired: set[str] = set()
        self.log: list[str] = []
        self.before: Callable[[str], None] = lambda call: None

    def arm(self, target: Target, tag: str, script: str, seconds: float) -> None:
        assert script == f"mend {tag}"
        self.before("arm")
        self.log.append(f"arm {tag}")
        self.deadlines[tag] = self._clock.now() + seconds

    def renew(self, target: Target, tag: str, seconds: float) -> str:
        self.before("renew")
        self.log.append(f"renew {tag}")
        if tag in self.fired:
            return "it has fired"
        self.deadlines[tag] = self._clock.now() + seconds
        return ""

    def disarm(self, target: Target, tag: str) -> None:
        self.before("disarm")
        self.log.append(f"disarm {tag}")
        self.deadlines.pop(tag, None)

    def run_out(self, machines: Sequence[Machine]) -> None:
        """Let every timer fire whose lease is over."""
        for tag in [tag for tag, deadline in self.deadlines.items() if deadline <= self._clock.now()]:
            self.fired.add(tag)
            for machine in machines:
                machine.broken.discard(tag)


class Break(Fault):
    """The fault behind :class:`Breakage`."""

    kind: ClassVar[str] = "machine.break"
    needs: ClassVar[frozenset[Any]] = frozenset()
    injection: ClassVar[type[Injection]] = Breakage
    examples: ClassVar[Sequence[Mapping[str, object]]] = ({},)
    place: str = "somewhere"

    def prepare(self, target: Target, tag: str) -> Injection:
        with machine_of(target).doing("prepare", tag):
            made = AloneBreakage if self.place == ALONE else Breakage
            return made(tag=tag, target=target.id, place=self.place)


def revive(intended: Intended) -> Injection:
    made = AloneBreakage if intended.injection["place"] == ALONE else Breakage
    return made.model_validate(intended.injection)


class Inventory:
    """The target source of one group."""

    def __init__(self, machines: Sequence[Machine]) -> None:
        self._machines = machines

    def discover(self) -> Sequence[TargetRef]:
        for machine in self._machines:
            with machine.doing("discover"):
                pass
        return [machine.ref for machine in self._machines]

    @contextmanager
    def open(self, ref: TargetRef) -> Iterator[Target]:
        machine = next(m for m in self._machines if m.id == ref.id)
        with machine.doing("open"):
            pass
        yield Connection(machine)


# --- the store -------------------------------------------------------------------------------------------


class MemoryBook:
    """A store in memory. ``before`` and ``after`` hold what goes wrong, by the name of the call."""

    def __init__(self) -> None:
        self.journal: list[Entry] = []
        self.saved: list[RunRecord] = []
        self.readings: list[Reading] = []
        self.events: list[Event] = []
        self.calls: Counter[str] = Counter()
        self.before: Callable[[str], None] = lambda call: None
        self.after: Callable[[str], None] = lambda call: None
        self.halt: Callable[[], str | None] = lambda: None

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        self.calls[name] += 1
        self.before(name)
        yield
        self.after(name)

    def claim(self, *intended: Intended) -> None:
        with self._call("claim"):
            taken = {one.ref.id for one in outstanding(self.journal)}
            if both := taken & {one.ref.id for one in intended}:
                raise Blocked([f"{one} is claimed by another run" for one in both])
            self.journal.extend(intended)

    def append(self, *entries: Entry) -> None:
        with self._call("append"):
            self.journal.extend(entries)

    def begin(self, record: RunRecord) -> None:
        with self._call("begin"):
            self.saved.append(record)

    def save(self, record: RunRecord) -> None:
        with self._call("save"):
            self.saved.append(record)

    def extend(self, run: str, readings: Sequence[Reading], events: Sequence[Event]) -> None:
        with self._call("extend"):
            self.readings.extend(readings)
            self.events.extend(events)

    def heartbeat(self, run: str, at: datetime) -> None:
        with self._call("heartbeat"):
            pass

    def halted(self, run: str) -> str | None:
        with self._call("halted"):
            return self.halt()


class MemoryGuardian:
    """A guardian in memory: ``held`` is what it would undo. ``before`` and ``after`` hold what goes wrong."""

    def __init__(self) -> None:
        self.held: dict[int, Intended] = {}
        self.reason = ""
        self.disarmed = False
        self.renewals = 0
        self.before: Callable[[str], None] = lambda call: None
        self.after: Callable[[str], None] = lambda call: None

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        self.before(name)
        yield
        self.after(name)

    def arm(self, intended: Sequence[Intended]) -> None:
        with self._call("arm"):
            self.held.update({one.n: one for one in intended})

    def renew(self) -> None:
        with self._call("renew"):
            self.renewals += 1

    def lost(self) -> str:
        return self.reason

    def release(self, n: int) -> None:
        with self._call("release"):
            del self.held[n]

    def disarm(self) -> None:
        with self._call("disarm"):
            self.disarmed = True


class Silence:
    """A narrator that says nothing."""

    def phase(self, name: PhaseName, until: float | None) -> None:
        pass

    def reading(self, reading: Reading) -> None:
        pass

    def event(self, event: Event) -> None:
        pass

    def injection(self, injection: InjectionRecord) -> None:
        pass


# --- the experiment --------------------------------------------------------------------------------------


def step(group: str = "web", duration: str = "5s", pick: object = 1) -> dict[str, object]:
    return {"kind": "machine.break", "target": group, "duration": duration, "pick": pick}


def experiment(**changes: object) -> Experiment:
    """One check, one abort condition, one fault on one machine of the group ``web`` for five seconds."""
    raw: dict[str, object] = {
        "apiVersion": "chaoskit/v1",
        "kind": "Experiment",
        "name": "e",
        "title": "An experiment",
        "targets": {"web": {"local": {"name": "web"}}, "db": {"local": {"name": "db"}}},
        "steady_state": [check("up")],
        "faults": [step()],
        "blast_radius": {"max_targets": 1000},
        "abort_when": [condition("errors")],
        "sampling": {"tick": "1s", "baseline": "2s"},
    }
    return Experiment.model_validate(raw | changes)


def check(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "promql": name, "at_least": 1, **more}


def condition(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "promql": name, "above": 0.5, **more}


GOOD: dict[str, Sample] = {
    "check": Sample(values=(1.0,)),
    "abort": Sample(values=(0.0,)),
    "detection": Sample(values=(0.0,)),
}
BAD: dict[str, Sample] = {
    "check": Sample(values=(0.0,)),
    "abort": Sample(values=(1.0,)),
    "detection": Sample(values=(1.0,)),
}
BLIND = Sample(problem="monitoring is away")
Look = Callable[[], Sample]


class Outcome(NamedTuple):
    """What came of one run."""

    record: RunRecord
    journal: tuple[Entry, ...]


class World:
    """Machines, probes, a store and a clock; :meth:`run` runs the engine over them."""

    def __init__(self, plan: Experiment | None = None, machines: int = 1, group: str = "web") -> None:
        self.clock = VirtualClock()
        self.future = Future(self.clock)
        self.book = MemoryBook()
        self.guardian = MemoryGuardian()
        self.timers = MemoryTimers(self.clock)
        self.lease = LEASE
        self.halt = Halt()
        self.narrator: Narrator = Silence()
        self.experiment = plan or experiment()
        self.machines: dict[str, list[Machine]] = {"web": [], "db": []}
        self.add(group, machines)
        self.probes: dict[Key, Probe] = {key: FakeProbe(self._good(key)) for key in expected(self.experiment)}
        self.begin = self.clock.now()

    @staticmethod
    def _good(key: Key) -> Look:
        return lambda: GOOD[key.role]

    def add(self, group: str, machines: int) -> None:
        for i in range(machines):
            self.machines[group].append(Machine(id=f"fake://{group}-{i}", name=f"{group}-{i}"))

    @property
    def all(self) -> list[Machine]:
        return [machine for group in self.machines.values() for machine in group]

    @property
    def one(self) -> Machine:
        """The first web machine."""
        return self.machines["web"][0]

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return self.clock.now() - self.begin

    @property
    def faulty(self) -> bool:
        """Whether any fault is in."""
        return any(machine.broken for machine in self.all)

    def when(self, role: str, name: str, look: Look, bound: float = 1.0, took: float = 0.0) -> None:
        """From now on that probe answers what ``look`` says."""
        self.probes[Key(role, name)] = FakeProbe(look, bound, took)

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        """Let ``what`` happen that many seconds after the world began."""
        self.future.at(self.begin + seconds, what)

    def sources(self, spec: TargetSpec) -> Inventory:
        assert spec.local is not None
        return Inventory(self.machines[spec.local.name or ""])

    def job(self, **changes: object) -> Job:
        brief = Brief(
            experiment=self.experiment,
            faults=tuple(Break.model_validate(one.parameters) for one in self.experiment.faults),
            path="e.yaml",
            text="",
            sha256="",
            seed="1",
            protected=Protection(),
            scrape=None,
            slowest_abort_probe=1.0,
        )
        me = Runner(host="h", user="u", pid=1, pid_started=0.0, version="0", python="3")
        job = Job(RUN, brief, me, "test", "chaoskit run", self.sources, self.probes, revive)
        return job._replace(**changes)  # type: ignore[arg-type]  # each test names fields of Job

    def run(self, **changes: object) -> RunRecord:
        """Run the experiment to its end in virtual time."""
        with self.virtual_time():
            return execute(self.job(**changes), self.desk())

    def desk(self, clock: Clock | None = None) -> Desk:
        """What every part of a run works with."""
        time = clock or self.clock
        return Desk(self.book, time, self.halt, self.narrator, Lease(self.lease, self.guardian, time), self.timers)

    @contextmanager
    def virtual_time(self) -> Iterator[None]:
        def sampler(tick: float, clock: VirtualClock, inbox: VirtualInbox) -> VirtualSampler:
            return VirtualSampler(tick, clock, inbox, self)

        with patch.object(runner, "SimpleQueue", lambda: VirtualInbox(self)), patch.object(runner, "Sampler", sampler):
            yield

    def restore_from_journal(self) -> list[Undone]:
        """What another process does after this one died: all it has is the journal."""
        return self._restore(outstanding(self.book.journal))

    def restore_by_guardian(self) -> list[Undone]:
        """What the guardian does after this one died: all it has is what it was handed."""
        return self._restore(list(reversed(self.guardian.held.values())))

    def _restore(self, intended: Sequence[Intended]) -> list[Undone]:
        return roll_back(intended, Access(self.sources), revive, self.timers, self.clock, lambda undone: None)


def must_be_a_book(book: MemoryBook) -> Book:
    """The type checker sees that the memory book is a Book."""
    return book


# --- trouble ---------------------------------------------------------------------------------------------


def raising(error: BaseException, times: float = float("inf")) -> Trouble:
    """Raise ``error``, the first ``times`` times."""
    left = times

    def trouble() -> None:
        nonlocal left
        if left > 0:
            left -= 1
            raise error

    return trouble


def lost(times: float = float("inf")) -> Trouble:
    return raising(TargetTimeout("no answer"), times)


def away(times: float = float("inf")) -> Trouble:
    return raising(Unreachable("nobody answers"), times)
