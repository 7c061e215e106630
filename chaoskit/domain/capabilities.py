"""What a target can do: the capabilities that faults ask of it, as protocols. Each call is bounded."""

import shlex
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from chaoskit.domain.errors import Unsupported
from chaoskit.domain.quantities import Value

_SHOWN = 120


def shown(argv: Sequence[str]) -> str:
    """A command for messages: one line, cut short when it holds a whole script."""
    line = " ".join(" ".join(argv).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


class Completed(NamedTuple):
    """A command that ended: its exit status and what it printed."""

    status: int
    stdout: str
    stderr: str


class Target(Protocol):
    """An open connection to one target."""

    @property
    def id(self) -> str:
        """The id of its :class:`TargetRef`."""

    def identity(self) -> str:
        """Which life of the target this is. Raises TargetGone, Unreachable or TargetTimeout."""

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:
        """Run a command on the target, bounded by ``timeout`` seconds. Raises TargetError."""


class Handle(Value):
    """How a person reaches an instance by hand: the engine's command with its connection, and the instance's id."""

    command: tuple[str, ...] = ("docker",)
    instance: str

    def line(self, *words: str) -> str:
        """One command line, quoted for a shell."""
        return shlex.join((*self.command, *words))


class InstanceState(Value):
    """What an instance is doing, as its engine tells it.

    ``running``: it has a main process; one that ended and waits for its restart has none, whatever the engine says.
    ``auto_remove``: the engine deletes it as soon as it ends. ``dynamic``: what the engine gives anew at every start
    or attachment (host ports, addresses), by name.
    """

    status: str
    running: bool
    paused: bool = False
    pid: int = 0
    started_at: str = ""
    exit_code: int | None = None
    health: str = ""
    restart_policy: str = "no"
    restart_count: int = 0
    auto_remove: bool = False
    dynamic: dict[str, str] = {}

    @property
    def serving(self) -> bool:
        """Running, not frozen, and not in the middle of a restart."""
        return self.running and not self.paused and self.status == "running"


@runtime_checkable
class Lifecycle(Protocol):
    """A target that can be killed, stopped, frozen and started. Each call raises TargetError and is bounded."""

    @property
    def handle(self) -> Handle:
        """How a person reaches this instance by hand."""

    def state(self) -> InstanceState:
        """What the instance is doing now, read afresh."""

    def changed(self, since: InstanceState, within: float) -> InstanceState:
        """Wait until it ended or started anew ``since`` then, at most ``within`` seconds; what it is doing now."""

    def dependents(self) -> tuple[str, ...]:
        """Names of other instances that live in this one's network, and lose theirs when this one ends."""

    def signal(self, name: str) -> None:
        """Send a signal (``KILL``, ``TERM`` …) to the main process through the engine; harmless when not running."""

    def crash(self, name: str) -> None:
        """Send a signal to the main process past the engine, so that its restart policy reacts."""

    def uncrashable(self) -> str:
        """Why :meth:`crash` cannot work on this instance; empty when it can."""

    def stop(self, grace: float) -> None:
        """Stop; the engine kills after ``grace`` seconds."""

    def start(self) -> bool:
        """Start, and see that it stays up for a moment; False when it came up by itself and nothing had to be done."""

    def restart(self, grace: float) -> None:
        """Stop and start again; the engine kills after ``grace`` seconds."""

    def pause(self) -> None:
        """Freeze every process; harmless when already frozen."""

    def unpause(self) -> None:
        """Thaw; harmless when not frozen."""


class Endpoint(Value):
    """One attachment of an instance to a network, with all that is needed to make it again.

    An address that is not static was chosen by the engine, which may choose another one next time. ``irreversible``
    says why the engine could not make this attachment again; empty when it can.
    """

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
    irreversible: str = ""


@runtime_checkable
class Networks(Protocol):
    """A target whose network attachments can be taken away and given back."""

    @property
    def handle(self) -> Handle:
        """How a person reaches this instance by hand."""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The present attachments, read afresh, in a stable order."""

    def addresses(self) -> frozenset[str] | None:
        """The IPv4 addresses that the instance itself has, seen past the engine; None when that cannot be seen."""

    def disconnect(self, endpoint: Endpoint) -> None:
        """Detach; harmless when not attached."""

    def connect(self, endpoint: Endpoint) -> None:
        """Attach again with the same addresses and aliases; harmless when already attached so."""


class Owner(Value):
    """Whose rights a process has: its ids, effective and real ones, and its groups; see credentials(7).

    Two processes with equal owners have the same rights, capabilities apart. So ``groups`` holds the effective one
    too, and is empty for root, who needs none.
    """

    uid: int
    gid: int
    real_uid: int
    real_gid: int
    groups: tuple[int, ...] = ()

    def __str__(self) -> str:
        real = f" (really {self.real_uid} and {self.real_gid})" if self._changed else ""
        groups = f", groups {','.join(map(str, self.groups))}" if set(self.groups) - {self.gid} else ""
        return f"uid {self.uid}, gid {self.gid}{real}{groups}"

    @property
    def _changed(self) -> bool:
        return (self.uid, self.gid) != (self.real_uid, self.real_gid)


class ProcessState(Value):
    """What a process is doing: ``pid`` is 0 and ``running`` False when it is gone. A zombie is not running.

    ``started_at`` is in seconds since boot; ``ticks`` is the same as the kernel itself counts it (field 22 of
    /proc/PID/stat), 0 where it is not known.
    """

    pid: int
    running: bool
    stopped: bool = False
    started_at: float = 0.0
    ticks: int = 0
    argv: tuple[str, ...] = ()
    cwd: str = ""
    owner: Owner | None = None


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

    def spawns_as(self) -> Owner | None:
        """Whose rights a spawned process gets; None when that cannot be read."""


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
