"""Fixtures that need real parts, and the rule that a test's folder decides its tier."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Modules that assert for others; here, because it must come before anything imports them.
pytest.register_assert_rewrite(
    "tests.contract",
    "tests.testbed.crash",
    "tests.testbed.docker.docker_parts",
    "tests.testbed.guardian.kit",
    "tests.testbed.local.process_parts",
    "tests.testbed.trouble",
)

from chaoskit.demo import provision  # noqa: E402 - see above
from chaoskit.demo.docker_bed import DockerBed  # noqa: E402
from chaoskit.demo.local_bed import LocalBed  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaoskit.demo.bed import BedInfo

TESTS = Path(__file__).parent
LONG = {"trouble", "test_matrix.py", "test_deadman.py", "test_deadman_in_containers.py"}
"""Folders and files that take minutes each: .ci/soak runs them."""
MARKERS = {"testbed": pytest.mark.testbed, "gameday": pytest.mark.gameday, "benchmarks": pytest.mark.benchmark}


def pytest_configure() -> None:
    """Let SIGHUP and SIGINT stop what tests start, even when the tests run under nohup or in the background."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by the folder it lies in."""
    for item in items:
        marker = MARKERS.get(item.path.relative_to(TESTS).parts[0])
        if marker is not None:
            item.add_marker(marker)
        if marker is MARKERS["testbed"] and (item.path.name in LONG or item.path.parent.name in LONG):
            item.add_marker(pytest.mark.soak)


@pytest.fixture(scope="session")
def unique_id() -> str:
    """A name for what this pytest process makes; beds of other processes live beside it."""
    return f"ckbed-{os.getpid()}-{secrets.token_hex(2)}"


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """Ask for a Docker engine; the test is skipped where none answers."""
    trouble = provision.engine_trouble()
    if trouble is not None:
        pytest.skip(f"missing capability: a Docker engine ({trouble})")


@pytest.fixture(scope="session")
def bed_image(docker_engine: None) -> str:
    """The bed's image, built when missing; it also has python3, iproute2, iptables, procps, curl and ping."""
    return provision.ensure_bed_image()


@pytest.fixture(scope="session")
def docker_bed(bed_image: str, unique_id: str) -> Iterator[BedInfo]:
    """A Docker bed under load and ready; whoever breaks a part of it mends it again."""
    bed = DockerBed(unique_id, image=bed_image)
    try:
        info = bed.up()
        bed.wait_ready(60)
        yield info
    finally:
        bed.down()


@pytest.fixture(scope="session")
def local_bed(tmp_path_factory: pytest.TempPathFactory, unique_id: str) -> Iterator[BedInfo]:
    """A bed of local processes under load and ready; whoever breaks a part of it mends it again."""
    bed = LocalBed(f"{unique_id}-local", tmp_path_factory.mktemp("bed"))
    try:
        info = bed.up()
        bed.wait_ready(60)
        yield info
    finally:
        bed.down()
