"""Targets that exist on paper only: faults look at them, and say what they would do to such a one."""

from collections.abc import Sequence

from chaoskit.domain.capabilities import Completed, Endpoint, Handle, InstanceState, Owner, ProcessState

_HOST = ("docker", "--host", "unix:///var/run/docker.sock")
ROOT = Owner(uid=0, gid=0, real_uid=0, real_gid=0)


class OnPaper:
    """A target that can be looked at and never touched."""

    id = "TARGET"

    def identity(self) -> str:
        """The one life it has."""
        return self.id

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:  # noqa: ARG002 the protocol's own parameters
        """Nothing runs; whatever a fault looks for is there."""
        return Completed(0, "", "")


class ExampleInstance(OnPaper):
    """A container on two networks."""

    handle = Handle(command=_HOST, instance="CONTAINER")

    def state(self) -> InstanceState:
        """It runs, and nobody restarts it."""
        return InstanceState(status="running", running=True, pid=4242, started_at="2030-01-01T00:00:00Z")

    def changed(self, since: InstanceState, within: float) -> InstanceState:  # noqa: ARG002 as above
        """It never changes."""
        return self.state()

    def dependents(self) -> tuple[str, ...]:
        """Nobody lives in its network."""
        return ()

    def uncrashable(self) -> str:
        """Its main process can be signalled."""
        return ""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """One network with a fixed address, one without."""
        fixed = Endpoint(network="backend", network_id="BACKEND", aliases=("web",), ipv4="10.9.8.7", static_ipv4=True)
        return (fixed, Endpoint(network="frontend", network_id="FRONTEND", aliases=("web",)))

    def addresses(self) -> frozenset[str] | None:
        """Those it was given."""
        return frozenset({"10.9.8.7"})

    # What follows is never called: prepare only looks.
    def signal(self, name: str) -> None: ...
    def crash(self, name: str) -> None: ...
    def stop(self, grace: float) -> None: ...
    def start(self) -> None: ...
    def restart(self, grace: float) -> None: ...
    def pause(self) -> None: ...
    def unpause(self) -> None: ...
    def disconnect(self, endpoint: Endpoint) -> None: ...
    def connect(self, endpoint: Endpoint) -> None: ...


class ExampleProcess(OnPaper):
    """A web server."""

    def process(self) -> ProcessState:
        """It runs."""
        argv = ("/usr/sbin/nginx", "-g", "daemon off;")
        return ProcessState(
            pid=4242, running=True, started_at=1000.0, ticks=100000, argv=argv, cwd="/srv/www", owner=ROOT
        )

    def successors(self) -> tuple[ProcessState, ...]:
        """It is the only one."""
        return ()

    def spawns_as(self) -> Owner:
        """As root, as it runs."""
        return ROOT

    # Never called, as above.
    def signal_process(self, name: str) -> None: ...
    def spawn(self, argv: Sequence[str], cwd: str, output: str) -> int:  # noqa: ARG002 as above
        return 0
