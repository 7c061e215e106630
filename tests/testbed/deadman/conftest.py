"""Where the timers of these tests run: this machine under each shell with nothing but what is promised, a container."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.deadman.timers import TOOLS, Place, Timer, With, this_machine, timer, tools
from tests.testbed.docker import docker_parts as parts

EVERYWHERE = ("dash", "bash", "container")
ALIKE = ("dash", "container")
"""Where it runs when the shell matters less."""


@pytest.fixture(scope="session")
def busybox_image(docker_engine: None) -> Iterator[str]:
    """An image of busybox with the tools that a timer needs; it has no setsid."""
    if parts.busybox() is None:
        pytest.skip("missing capability: a static busybox (Debian package busybox-static)")
    with parts.image(sorted({*parts.APPLETS, *TOOLS})) as made:
        yield made


def in_container(container: str) -> Iterator[Place]:
    """That container as a place, seen from this machine."""
    pid = parts.inspect(container)["State"]["Pid"]
    with parts.opened(container) as target:
        yield Place(target, Path(f"/proc/{pid}/root"), "/dev/shm")


@pytest.fixture
def container(busybox_image: str) -> Iterator[str]:
    with parts.container(busybox_image, "--network", "none") as made:
        yield made


@pytest.fixture
def contained(container: str) -> Iterator[Place]:
    """A container that has nothing but busybox."""
    yield from in_container(container)


@pytest.fixture
def here(tmp_path: Path) -> Place:
    """This machine, as it is."""
    return Place(this_machine(), Path("/"), str(tmp_path))


def bare(tmp_path: Path, shell: str) -> Place:
    """This machine, when it has only the shell and the promised tools."""
    if shutil.which(shell) is None:
        pytest.skip(f"missing capability: the shell {shell}")
    path = tools(tmp_path / "bin", shell)
    return Place(With(this_machine(), path), Path("/"), str(tmp_path))


@pytest.fixture(params=ALIKE)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Several places in turn; a test may name others."""
    if request.param == "container":
        found: Place = request.getfixturevalue("contained")
        return found
    return bare(tmp_path, request.param)


@pytest.fixture
def it(place: Place) -> Iterator[Timer]:
    """One timer, in several places in turn."""
    with timer(place) as made:
        yield made


@pytest.fixture
def mine(here: Place) -> Iterator[Timer]:
    """One timer, on this machine as it is."""
    with timer(here) as made:
        yield made


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="missing capability: root")
