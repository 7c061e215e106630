"""The command line and the engine, on a bed under load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from chaoskit.demo.bed import BedInfo
from tests.gameday.kit import Chaoskit


@pytest.fixture
def chaoskit(tmp_path: Path, docker_bed: BedInfo) -> Iterator[Chaoskit]:
    """The command line on the Docker bed."""
    kit = Chaoskit(tmp_path, docker_bed)
    yield kit
    kit.close()


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    """The engine, asked directly: what chaoskit says is compared with what is."""
    client = docker.from_env(timeout=20)
    yield client
    client.close()
