"""The protocols between the engine and the drivers. The one idea: an injection is data.

A :class:`Fault` (what the file says) looks at one target and returns an :class:`Injection`: a frozen value that
survives JSON and knows how to make, undo and check itself. It is in the journal before the target is touched;
after a crash it is all there is.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

from chaoskit.domain.errors import Unsupported
from chaoskit.domain.experiment import TargetSpec
from chaoskit.domain.quantities import Value

Residue = tuple[str, ...]
"""What is still wrong on a target, one line each; ``()`` means restored."""

Capability = Literal["lifecycle", "networks", "process"]


class Completed(NamedTuple):
    """A command that ended: its exit status and what it printed."""

    status: int
    stdout: str
    stderr: str


class TargetRef(Value):
    """A target as data: what plans, journals and reports hold in place of a connection.

    ``id`` names the target for ever (``docker://<engine>/<name>@<container id>``); ``identity`` names this life of
    it (the start time, say), so that a restart is noticed. ``exclusion`` says why it must never be picked, if so.
    """

    id: str
    name: str
    labels: dict[str, str] = {}
    identity: str = ""
    healthy: bool = True
    condition: str = "running"
    exclusion: str = ""


class Effect(Value):
    """Whether the fault bit: ``bit`` is None when that could not be told. Requested against measured, in words."""

    bit: bool | None
    requested: str
    measured: str


class Target(Protocol):
    """An open connection to one target."""

    @property
    def id(self) -> str:
        """The id of its :class:`TargetRef`."""

    def identity(self) -> str:
        """Which life of the target this is. Raises TargetGone, Unreachable or TargetTimeout."""

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:
        """Run a command on the target, bounded by ``timeout`` seconds. Raises TargetError."""


class InstanceState(Value):
    """What an instance is doing, as its engine tells it."""

    status: str
    running: bool
    paused: bool = False
    pid: int = 0
    started_at: str = ""
    exit_code: int | None = None
    health: str = ""
    restart_policy: str = "no"
    restart_count: int = 0

    @property
    def serving(self) -> bool:
        """Running, not frozen, and not in the middle of a restart."""
        return self.running and not self.paused and self.status == "running"


@runtime_checkable
class Lifecycle(Protocol):
    """A target that can be killed, stopped, frozen and started. Each call raises TargetError and is bounded."""

    def state(self) -> InstanceState:
        """What the instance is doing now, read afresh."""

    def signal(self, name: str) -> None:
        """Send a signal (``KILL``, ``TERM`` …) to the main process through the engine."""

    def crash(self, name: str) -> None:
        """Send a signal to the main process past the engine, so that its restart policy reacts."""

    def stop(self, grace: float) -> None:
        """Stop; the engine kills after ``grace`` seconds."""

    def start(self) -> None:
        """Start; harmless when already running."""

    def restart(self, grace: float) -> None:
        """Stop and start again; the engine kills after ``grace`` seconds."""

    def pause(self) -> None:
        """Freeze every process; harmless when already frozen."""

    def unpause(self) -> None:
        """Thaw; harmless when not frozen."""


class Endpoint(Value):
    """One attachment of an instance to a network, with all that is needed to make it again."""

    network: str
    network_id: str
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    ipv4: str = ""
    ipv6: str = ""
    mac: str = ""
    static_ipv4: bool = False
    static_ipv6: bool = False
    driver_opts: dict[str, str] = {}


@runtime_checkable
class Networks(Protocol):
    """A target whose network attachments can be taken away and given back."""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The present attachments, read afresh, in a stable order."""

    def disconnect(self, endpoint: Endpoint) -> None:
        """Detach; harmless when not attached."""

    def connect(self, endpoint: Endpoint) -> None:
        """Attach again with the same addresses and aliases; harmless when already attached so."""


class ProcessState(Value):
    """What a process is doing: ``pid`` is 0 and ``running`` False when it is gone. A zombie is not running."""

    pid: int
    running: bool
    stopped: bool = False
    started_at: float = 0.0
    argv: tuple[str, ...] = ()
    cwd: str = ""


@runtime_checkable
class Processes(Protocol):
    """A target that is one process, found again by its selector when it is replaced."""

    def process(self) -> ProcessState:
        """The very process that was selected (same pid and start time), read afresh."""

    def successors(self) -> tuple[ProcessState, ...]:
        """Processes that match the selector now and started after the one that was selected."""

    def signal_process(self, name: str) -> None:
        """Signal the selected process; harmless when it is gone, never sent to a recycled pid."""

    def spawn(self, argv: Sequence[str], cwd: str, output: str) -> int:
        """Start a detached process whose output goes to the file ``output``; returns its pid."""


def lifecycle(target: Target) -> Lifecycle:
    """``target`` as a :class:`Lifecycle`. Raises Unsupported."""
    if isinstance(target, Lifecycle):
        return target
    raise Unsupported(f"{target.id} cannot be killed, stopped or paused as an instance; choose a docker target")


def networks(target: Target) -> Networks:
    """``target`` as :class:`Networks`. Raises Unsupported."""
    if isinstance(target, Networks):
        return target
    raise Unsupported(f"{target.id} has no networks to disconnect from; choose a docker target")


def processes(target: Target) -> Processes:
    """``target`` as :class:`Processes`. Raises Unsupported."""
    if isinstance(target, Processes):
        return target
    raise Unsupported(f"{target.id} is not a process; choose a local target")


class Injection(Value, ABC):
    """A fault bound to one target, as data. Everything it needs to undo itself is in its fields.

    ``tag`` marks everything it creates (``chaoskit-<run>-<n>``); ``target`` is the target's id.
    """

    revert_within: ClassVar[float] = 15.0
    """Worst-case seconds of one :meth:`revert`, for the predicted abort latency."""

    tag: str
    target: str

    @abstractmethod
    def actions(self) -> tuple[str, ...]:
        """What :meth:`inject` does, one line each, as exact as a command."""

    @abstractmethod
    def undo(self) -> tuple[str, ...]:
        """What :meth:`revert` does and what "restored" will mean, one line each."""

    @abstractmethod
    def by_hand(self) -> tuple[str, ...]:
        """Commands a person can run to restore the target when chaoskit could not."""

    @abstractmethod
    def inject(self, target: Target) -> None:
        """Do it. Raises TargetError; a timeout means "perhaps done", so the engine reverts it."""

    @abstractmethod
    def revert(self, target: Target) -> str:
        """Undo it; idempotent, harmless if never or half injected. Returns what was done, in words."""

    @abstractmethod
    def verify(self, target: Target) -> Residue:
        """Read the target back, without touching it, against the state before. ``()`` means restored."""

    @abstractmethod
    def effect(self, target: Target) -> Effect:
        """Look, without touching, whether the fault bit."""

    @abstractmethod
    def drift(self, target: Target) -> str:
        """Why the fault is no longer in force or the target no longer the same; empty when all is as injected."""


class Fault(Value, ABC):
    """A kind of fault; its fields are the parameters of the file."""

    kind: ClassVar[str]
    needs: ClassVar[frozenset[Capability]]
    injection: ClassVar[type[Injection]]
    examples: ClassVar[Sequence[Mapping[str, object]]]
    """Parameter sets that are valid; they feed the contract tests and the documentation."""

    @abstractmethod
    def prepare(self, target: Target, tag: str) -> Injection:
        """Look at the target, without touching it, and bind the fault to it. Raises TargetError, Unsupported."""


class Sample(Value):
    """What one probe saw at one moment; trouble is data, so there is always an answer.

    ``values`` are the numbers (one for each series); ``holds`` is the probe's own judgement where it has one (an
    HTTP status, an exit code); ``problem`` says why there is nothing to judge, or what was wrong.
    """

    values: tuple[float, ...] = ()
    holds: bool | None = None
    problem: str = ""


class Probe(Protocol):
    """What takes one sample."""

    def sample(self) -> Sample:
        """Look once; never raises for trouble of the measured system or of monitoring; always bounded."""

    @property
    def bound(self) -> float:
        """The longest one :meth:`sample` may take, in seconds."""


class TargetSource(Protocol):
    """Where targets of one group are found and opened."""

    def discover(self) -> Sequence[TargetRef]:
        """Everything that matches the selector, excluded ones too, in a stable order. Raises TargetError."""

    def open(self, ref: TargetRef) -> AbstractContextManager[Target]:
        """Connect to one target. Raises TargetGone, Unreachable, AccessDenied, TargetTimeout."""


class Sources(Protocol):
    """Makes the :class:`TargetSource` for a target group; given by the composition root."""

    def __call__(self, spec: TargetSpec) -> TargetSource:
        """The source for ``spec``. Raises TargetError."""


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> float:
        """Monotonic seconds."""

    def utc(self) -> datetime:
        """Wall-clock time, aware, in UTC."""

    def wait(self, seconds: float) -> None:
        """Let that many seconds pass."""
