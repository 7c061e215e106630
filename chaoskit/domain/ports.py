"""The protocols between the engine and the drivers. The one idea: an injection is data.

A :class:`Fault` (what the file says) looks at one target and returns an :class:`Injection`: a frozen value that
survives JSON and knows how to make, undo and check itself. It is in the journal before the target is touched;
after a crash it is all there is.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import ClassVar, Literal, Protocol, runtime_checkable

from chaoskit.domain.capabilities import (
    Completed,
    Endpoint,
    Handle,
    InstanceState,
    Lifecycle,
    Networks,
    Processes,
    ProcessState,
    Target,
    lifecycle,
    networks,
    processes,
)
from chaoskit.domain.quantities import Value
from chaoskit.domain.targeting import TargetSpec

__all__ = [
    "NOT_AS_BEFORE",
    "Capability",
    "Clock",
    "Completed",
    "Effect",
    "Endpoint",
    "Fault",
    "Handle",
    "Injection",
    "InstanceState",
    "KeepsAside",
    "Lifecycle",
    "Networks",
    "Probe",
    "ProcessState",
    "Processes",
    "Residue",
    "Sample",
    "SelfReverting",
    "Sources",
    "Target",
    "TargetRef",
    "TargetSource",
    "lifecycle",
    "networks",
    "processes",
]

Residue = tuple[str, ...]
"""What is still wrong on a target, one line each; ``()`` means restored."""

Capability = Literal["lifecycle", "networks", "process"]


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


NOT_AS_BEFORE = "; not as before: "
"""Stands in the words of :meth:`Injection.revert` before what came back different, though it counts as restored."""


class Effect(Value):
    """Whether the fault bit: ``bit`` is None when that could not be told. Requested against measured, in words."""

    bit: bool | None
    requested: str
    measured: str


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
        """Undo it; idempotent, harmless if never or half injected. Returns what was done, in words.

        What could not be kept (an address that the engine chose anew) is told after :data:`NOT_AS_BEFORE`.
        """

    @abstractmethod
    def verify(self, target: Target) -> Residue:
        """Read the target back, without touching it, against the state before. ``()`` means restored."""

    @abstractmethod
    def effect(self, target: Target) -> Effect:
        """Look, without touching, whether the fault bit."""

    @abstractmethod
    def drift(self, target: Target) -> str:
        """Why the fault is no longer in force or the target no longer the same; empty when all is as injected."""


@runtime_checkable
class KeepsAside(Protocol):
    """An injection that puts something aside for its undo: what no journal may hold, for it may be secret."""

    def discard(self, target: Target) -> None:
        """Remove it, for the undo will never come; harmless when nothing is there. Raises TargetError."""


@runtime_checkable
class SelfReverting(Protocol):
    """An injection that its target can undo by itself, without chaoskit: it is armed there before it is made."""

    def undo_script(self) -> str:
        """Shell that the target runs alone, as the target's user: the injection's own undo.

        Idempotent, harmless if never injected; needs only a POSIX sh (dash, busybox ash, bash). It ends with status 0
        when nothing is left to undo; else it is run again.
        """


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
