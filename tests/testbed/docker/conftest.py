"""The image and the networks that the tests of this folder share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from chaoskit.domain.ports import Target
from tests.testbed.docker import docker_parts as parts


class Place(NamedTuple):
    """Where containers of these tests run: an image, a network of each kind, and containers nobody may touch."""

    image: str
    plain: str
    subnet: str
    bystanders: tuple[str, ...]
    prefix: str

    def address(self, last: int) -> str:
        """An address of the network whose subnet we chose."""
        return f"{self.prefix}.{last}"


@pytest.fixture(scope="session")
def place(docker_engine: None) -> Iterator[Place]:
    """One network whose subnet the engine chose, one whose subnet we chose, a neighbour and a paused one."""
    if parts.busybox() is None:
        pytest.skip("missing capability: a static busybox (Debian package busybox-static)")
    # Two sessions of tests may share one engine.
    with parts.image() as image, furnished(image, f"10.213.{os.getpid() % 256}") as place:
        yield place


@contextmanager
def furnished(image: str, prefix: str) -> Iterator[Place]:
    """A place with networks and bystanders of its own."""
    with (
        parts.network() as plain,
        parts.network("--subnet", f"{prefix}.0/24") as subnet,
        parts.container(image, "--network", plain) as running,
        parts.container(image, "--network", subnet) as paused,
    ):
        parts.docker("pause", paused)
        yield Place(image, plain, subnet, (running, paused), prefix)
        parts.docker("unpause", paused)


@pytest.fixture
def web(place: Place) -> Iterator[str]:
    """A container on the network whose subnet the engine chose."""
    with parts.container(place.image, "--network", place.plain) as made:
        yield made


@pytest.fixture
def target(web: str) -> Iterator[Target]:
    """That container, open; a module may give another ``web``."""
    with parts.opened(web) as it:
        yield it
