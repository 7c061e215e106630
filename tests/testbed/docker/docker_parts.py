"""Small real containers to break: a busybox image made on the spot, networks, and a bed for the fault contract.

Everything carries the label ``chaoskit.test=<pid>``. What is looked at here is looked at with the docker command,
not through chaoskit.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any

from chaoskit.domain.ports import Target, TargetRef
from chaoskit.domain.targeting import DockerSelector
from chaoskit.targets.docker import DockerSource

OWNER_LABEL = f"chaoskit.test={os.getpid()}"
PORT = 8080
APPLETS = ("sh", "cat", "echo", "httpd", "sleep", "true", "false", "ip", "ls", "yes", "test")
ENDS_ON_TERM = f"trap 'exit 0' TERM; trap : HUP; httpd -p {PORT} -h /www; while :; do sleep 60 & wait $!; done"
"""A web server whose first process ends on SIGTERM and survives SIGHUP."""
IGNORES_TERM = f"trap '' TERM; httpd -p {PORT} -h /www; while :; do sleep 60 & wait $!; done"

_numbers = count(1)


def docker(*words: str) -> str:
    """What ``docker <words>`` prints, at the local engine whatever a test sets; AssertionError with its complaint."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60, check=False, env=plain)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


def unique(what: str) -> str:
    """A name that no other test uses."""
    return f"ck-{os.getpid()}-{next(_numbers)}-{what}"


def inspect(thing: str) -> dict[str, Any]:
    """All that the engine tells of a container or network."""
    facts: dict[str, Any] = json.loads(docker("inspect", thing))[0]
    return facts


def busybox() -> Path | None:
    """The static busybox of this machine."""
    found = shutil.which("busybox")
    return Path(found) if found else None


def image_tar(binary: Path, applets: Sequence[str] = APPLETS) -> bytes:
    """A root file system: the binary, its names, and a page to serve."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in ("bin", "www", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        _add_file(tar, "bin/busybox", binary.read_bytes(), 0o755)
        _add_file(tar, "www/index.html", b"here\n", 0o644)
        for applet in applets:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return packed.getvalue()


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


@contextmanager
def image(applets: Sequence[str] = APPLETS) -> Iterator[str]:
    """An image of busybox alone; removed afterwards."""
    binary = busybox()
    assert binary is not None
    name = unique("image")
    change = f"LABEL {OWNER_LABEL}"
    subprocess.run(
        ["docker", "import", "--change", change, "-", name],
        input=image_tar(binary, applets),
        capture_output=True,
        timeout=60,
        check=True,
    )
    try:
        yield name
    finally:
        docker("rmi", "--force", name)


@contextmanager
def network(*options: str) -> Iterator[str]:
    """A network of its own; removed afterwards. Yields its name."""
    name = unique("net")
    made = docker("network", "create", "--label", OWNER_LABEL, *options, name)
    try:
        yield name
    finally:
        docker("network", "rm", made)


@contextmanager
def container(image: str, *options: str, script: str = ENDS_ON_TERM) -> Iterator[str]:
    """A running container; removed afterwards, if it is still there. Yields its full id."""
    made = docker("run", "--detach", "--label", OWNER_LABEL, *options, image, "/bin/sh", "-c", script)
    try:
        yield made
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", made], capture_output=True, timeout=60, check=False)


def running(container_id: str) -> bool:
    """Whether the engine says so; one that waits for its restart is ``Running`` too, and is not."""
    return str(inspect(container_id)["State"]["Status"]) == "running"


def answers(address: str, port: int = PORT) -> bool:
    """Whether a web server answers there, asked once."""
    connection = HTTPConnection(address, port, timeout=0.5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def lasting(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of what the engine tells: what must be as before once a fault is undone."""
    kept = ("IPAMConfig", "Links", "NetworkID", "IPAddress", "Gateway", "MacAddress", "DriverOpts")
    networks = facts["NetworkSettings"]["Networks"]
    return {
        **{key: facts[key] for key in ("Id", "Name", "Config", "HostConfig", "Mounts", "Created")},
        "State": {key: facts["State"][key] for key in ("Status", "Running", "Paused", "Restarting", "Dead")},
        "Networks": {
            name: {**{key: on[key] or None for key in kept}, "Aliases": sorted(on["Aliases"] or ())}
            for name, on in networks.items()
        },
    }


@dataclass
class DockerBed:
    """A container that serves HTTP, as the bed of the fault contract; ``near`` are containers nobody may touch."""

    id: str
    address: str
    near: Sequence[str] = ()
    ref: TargetRef = field(init=False)

    def __post_init__(self) -> None:
        name = inspect(self.id)["Name"].removeprefix("/")
        with DockerSource(DockerSelector(names=(name,)), default_host=None) as source:
            (self.ref,) = source.discover()

    @contextmanager
    def open(self) -> Iterator[Target]:
        """A connection of a source that never discovered anything."""
        with DockerSource(DockerSelector(names=("nothing",)), default_host=None) as source, source.open(self.ref) as it:
            yield it

    def group(self) -> dict[str, object]:
        """By its name."""
        return {"docker": {"names": [self.ref.name]}}

    def facts(self) -> object:
        """The lasting facts of the container."""
        return lasting(inspect(self.id))

    def trace(self) -> object:
        """All facts but the time that passed since."""
        return inspect(self.id)

    def serving(self) -> bool:
        """Whether it answers at the address it had at first."""
        return answers(self.address)

    def bystanders(self) -> object:
        """All facts of the containers nearby."""
        return [inspect(one) for one in self.near]

    def stop(self) -> None:
        """Somebody stops it."""
        docker("stop", "-t", "0", self.id)

    def remove(self) -> None:
        """Somebody removes it."""
        docker("rm", "--force", self.id)


@contextmanager
def bed(
    image: str, networks: Sequence[str], near: Sequence[str], *options: str, script: str = ENDS_ON_TERM
) -> Iterator[DockerBed]:
    """A bed on some networks, reachable by the first of them."""
    first, *others = networks
    with container(image, "--network", first, "--network-alias", "service", *options, script=script) as made:
        for other in others:
            docker("network", "connect", "--alias", "backup", other, made)
        address = inspect(made)["NetworkSettings"]["Networks"][first]["IPAddress"]
        yield DockerBed(made, address, near)


def ref_of(container_id: str) -> TargetRef:
    """The container as a target, found by its name."""
    name = inspect(container_id)["Name"].removeprefix("/")
    with DockerSource(DockerSelector(names=(name,)), default_host=None) as source:
        return source.discover()[0]


@contextmanager
def opened(container_id: str) -> Iterator[Target]:
    """The container as an open target."""
    ref = ref_of(container_id)
    with DockerSource(DockerSelector(names=("*",)), default_host=None) as source, source.open(ref) as target:
        yield target
