"""One container as a target: its life, its networks, and commands inside it."""

import math
import time
from collections.abc import Callable

from chaoskit.domain.errors import TargetError, TargetGone, Unreachable, Unsupported
from chaoskit.domain.ports import Completed, Endpoint, Handle, InstanceState
from chaoskit.targets.docker_engine import Engine
from chaoskit.targets.docker_exec import run_bounded
from chaoskit.targets.docker_facts import (
    WAITING,
    Facts,
    container_of,
    endpoints_of,
    identity_of,
    instance_state,
    name_of,
)
from chaoskit.targets.docker_process import addresses_in, host_process, local_addresses, signal_number

STEADY = 1.0
"""Seconds a container must stay up after a start to count as started."""
_RESTARTS_WITHIN = 3.0
_NOTICED_WITHIN = 5.0
_ENDS_WITHIN = 1.0
_LOOK_EVERY = 0.05

Reached = Callable[[InstanceState], bool]


def _is_up(state: InstanceState) -> bool:
    return state.running


def _is_down(state: InstanceState) -> bool:
    # One that waits for its restart is neither: whoever wants it down must say so, or it comes up again.
    return not state.running and state.status != WAITING


class DockerTarget:
    """A container addressed by its full id: one of the same name that replaced it is another target.

    It implements :class:`Target`, :class:`Lifecycle` and :class:`Networks`. Changes look before they ask and after
    they were refused, for engines answer "nothing to do" with changing errors.
    """

    def __init__(self, engine: Engine, target_id: str) -> None:
        """Bind to the container. Raises TargetGone when it no longer exists, Unreachable when it is elsewhere."""
        self.id = target_id
        self._engine = engine
        home, self._container = container_of(target_id)
        self._name = target_id.removeprefix("docker://").partition("/")[2].rpartition("@")[0]
        try:
            self._facts()
        except TargetGone:
            if home != engine.name:
                raise Unreachable(
                    f"{self._name} lives on the Docker engine {home!r}, but {engine.host} is {engine.name!r}; "
                    "set DOCKER_HOST to its own engine"
                ) from None
            raise

    # --- Target ----------------------------------------------------------------------------------------

    def identity(self) -> str:
        """The container's id and the moment it was started."""
        return identity_of(self._facts())

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:
        """Run a command in the container. Raises TargetError."""
        return run_bounded(self._engine, self._container, self._name, argv, timeout)

    # --- Lifecycle: looking ----------------------------------------------------------------------------

    @property
    def handle(self) -> Handle:
        """The docker command for this engine, and the full id."""
        return Handle(command=self._engine.command, instance=self._container)

    def state(self) -> InstanceState:
        """What the container is doing now."""
        return instance_state(self._facts())

    def changed(self, since: InstanceState, within: float) -> InstanceState:
        """Wait until it ended or started anew, at most ``within`` seconds."""
        return self._wait(lambda now: not _is_up(now) or now.started_at != since.started_at, within)

    def dependents(self) -> tuple[str, ...]:
        """Containers whose network is this one's (``--network container:…``), chaoskit's own left out."""
        shared = {f"container:{self._container}", f"container:{self._name}"}
        with self._engine.doing("list containers"):
            rows = self._engine.api.containers(all=True)
        sharing = [row for row in rows if row["HostConfig"].get("NetworkMode") in shared]
        return tuple(sorted(name_of({"Name": row["Names"][0]}) for row in sharing if row["Names"]))

    def uncrashable(self) -> str:
        """Why the main process cannot be signalled past the engine."""
        if not self._engine.local:
            return f"the engine at {self._engine.host} runs on another machine; run chaoskit there, or use via: engine"
        try:
            with host_process(self.state().pid, self._container) as process:
                process.send(0)
        except TargetGone:
            raise
        except TargetError as error:
            return str(error)
        return ""

    # --- Lifecycle: changing ---------------------------------------------------------------------------

    def signal(self, name: str) -> None:
        """``docker kill``: engines take any such signal as a wish to stop, and suspend the restart policy."""

        def kill() -> None:
            self._engine.api.kill(self._container, name)

        self._reach(f"send SIG{name} to", kill, _is_down)

    def crash(self, name: str) -> None:
        """Signal the main process on the host; returns once the engine knows of its end, if it ends at once."""
        before = self.state()
        if not before.running or not before.pid:
            return
        if not self._engine.local:
            raise Unsupported(self.uncrashable())
        with host_process(before.pid, self._container) as process:
            process.send(signal_number(name))
            ended = process.ends(_ENDS_WITHIN)
        if ended:
            self._wait(lambda now: now.pid != before.pid, _NOTICED_WITHIN)

    def stop(self, grace: float) -> None:
        """``docker stop``; ``grace`` is rounded up to whole seconds."""
        seconds = math.ceil(grace)
        self._reach("stop", lambda: self._engine.api.stop(self._container, seconds), _is_down)

    def start(self) -> bool:
        """``docker start``. One that the engine is about to restart is given a moment to come by itself."""
        if self.state().status == WAITING:
            self._wait(_is_up, _RESTARTS_WITHIN)
        if _is_up(self.state()):
            return False
        self._reach("start", self._start_or_restart, _is_up)
        self._stays_up()
        return True

    def restart(self, grace: float) -> None:
        """``docker restart``; ``grace`` is rounded up to whole seconds."""
        seconds = math.ceil(grace)
        with self._engine.doing(f"restart {self._name}"):
            self._engine.api.restart(self._container, seconds)

    def pause(self) -> None:
        """``docker pause``."""
        self._reach("pause", lambda: self._engine.api.pause(self._container), lambda state: state.paused)

    def unpause(self) -> None:
        """``docker unpause``."""
        self._reach("unpause", lambda: self._engine.api.unpause(self._container), lambda state: not state.paused)

    # --- Networks --------------------------------------------------------------------------------------

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The present attachments."""
        return endpoints_of(self._facts())

    def addresses(self) -> frozenset[str] | None:
        """The IPv4 addresses in the container's network namespace, read from the kernel where that is possible."""
        pid = self.state().pid
        if not pid:
            return None
        if self._engine.local:
            try:
                with host_process(pid, self._container):
                    return local_addresses(pid)
            except Unsupported:
                pass
        shown = self.run("cat", "/proc/net/fib_trie")
        return addresses_in(shown.stdout) if shown.status == 0 else None

    def disconnect(self, endpoint: Endpoint) -> None:
        """``docker network disconnect``."""
        if self._attachment(endpoint) is None:
            return
        try:
            with self._engine.doing(f"disconnect {self._name} from {endpoint.network}"):
                self._engine.api.disconnect_container_from_network(self._container, endpoint.network_id)
        except TargetError:
            if self._attachment(endpoint) is not None:
                raise

    def connect(self, endpoint: Endpoint) -> None:
        """``docker network connect``.

        A dynamic address is not asked for: engines would take it for a fixed one from then on, and refuse to start
        the container when another one has it. The engine gives the lowest free address, mostly the same.
        """
        present = self._attachment(endpoint)
        if present is not None and same_attachment(endpoint, present):
            return
        if present is not None:
            self.disconnect(endpoint)
        with self._engine.doing(f"connect {self._name} to {endpoint.network}"):
            self._engine.api.connect_container_to_network(
                self._container,
                endpoint.network_id,
                ipv4_address=endpoint.ipv4 if endpoint.static_ipv4 else None,
                ipv6_address=endpoint.ipv6 if endpoint.static_ipv6 else None,
                aliases=list(endpoint.aliases) or None,
                links=[_link(link) for link in endpoint.links] or None,
                driver_opt=endpoint.driver_opts or None,
            )

    # --- parts -----------------------------------------------------------------------------------------

    def _facts(self) -> Facts:
        with self._engine.doing(f"inspect {self._name}"):
            facts: Facts = self._engine.api.inspect_container(self._container)
            return facts

    def _attachment(self, endpoint: Endpoint) -> Endpoint | None:
        """The present attachment to the network of ``endpoint``; one made while stopped has no network id yet."""
        wanted = {(endpoint.network, endpoint.network_id), (endpoint.network, "")}
        return next((e for e in self.endpoints() if (e.network, e.network_id) in wanted), None)

    def _reach(self, verb: str, ask: Callable[[], object], reached: Reached) -> None:
        """Ask the engine unless the end is reached already; a refusal counts only when the end is not reached then."""
        if reached(self.state()):
            return
        try:
            with self._engine.doing(f"{verb} {self._name}"):
                ask()
        except TargetError:
            if not reached(self.state()):
                raise

    def _start_or_restart(self) -> None:
        # One that waits for its next restart counts as started already, and only a restart cuts the wait short.
        if self.state().status == WAITING:
            self._engine.api.restart(self._container, 0)
        else:
            self._engine.api.start(self._container)

    def _stays_up(self) -> None:
        started = self.state()
        now = self.changed(started, STEADY)
        if not _is_up(now) or now.started_at != started.started_at:
            raise TargetError(
                f"{self._name} was started, but ended again at once (status {now.status}, exit code {now.exit_code}); "
                f"see `{self.handle.line('logs', '--tail', '20', self._container)}`"
            )

    def _wait(self, reached: Reached, within: float) -> InstanceState:
        deadline = time.monotonic() + within
        while not reached(now := self.state()) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)
        return now


def _link(written: str) -> tuple[str, str]:
    peer, _, alias = written.partition(":")
    return peer, alias or peer


def same_attachment(wanted: Endpoint, present: Endpoint) -> bool:
    """Whether ``present`` is all that was asked for: what is dynamic may differ."""
    return (
        set(wanted.aliases) <= set(present.aliases)
        and set(wanted.links) <= set(present.links)
        and wanted.driver_opts == present.driver_opts
        and (not wanted.static_ipv4 or wanted.ipv4 == present.ipv4)
        and (not wanted.static_ipv6 or wanted.ipv6 == present.ipv6)
    )
