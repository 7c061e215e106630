"""The product's image: built offline from a wheelhouse, run as an ordinary user, with the host's engine in reach."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest

import chaoskit
from chaoskit.demo import provision
from chaoskit.demo.bed import not_ready, wait_until
from chaoskit.demo.docker_parts import TARGETS_UP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient
    from docker.models.containers import Container

    from chaoskit.demo.bed import BedInfo

SOCKET = Path("/var/run/docker.sock")
RUN_TIMEOUT = 90  # seconds

EXPERIMENT = """\
apiVersion: chaoskit/v1
kind: Experiment
name: image-replica-loss
title: One of three replicas dies, asked from inside a container
prometheus: {{url: "http://prometheus:9090"}}
targets:
  web: {{docker: {{compose: {{project: "{bed}", service: web}}}}}}
steady_state:
  - name: availability
    promql: >-
      sum(rate(client_requests_total{{service="web",code="200"}}[5s]))
      / sum(rate(client_requests_total{{service="web"}}[5s]))
    at_least: 97%
expect:
  recover_within: 30s
faults:
  - kind: instance.kill
    target: web
    pick: 1
    duration: 6s
blast_radius: {{max_targets: 1, max_percent: 34%, min_healthy: 2, require_label: chaoskit.allow=true}}
abort_when:
  - no_data_for: 10s
"""


@pytest.fixture(scope="module")
def client(docker_engine: None) -> Iterator[DockerClient]:
    client = docker.from_env(timeout=RUN_TIMEOUT)
    yield client
    client.close()


@pytest.fixture(scope="module")
def product_image(docker_engine: None) -> str:
    return provision.ensure_product_image()


def run(client: DockerClient, image: str, command: list[str], **settings: Any) -> tuple[int, str]:
    """Run one command in a container of its own; returns its exit code and all it said."""
    container = client.containers.create(image, command, **settings)
    try:
        return started(container)
    finally:
        container.remove(force=True, v=True)


def started(container: Container) -> tuple[int, str]:
    container.start()
    status = container.wait(timeout=RUN_TIMEOUT)["StatusCode"]
    return status, container.logs().decode()


def test_the_image_tells_the_version_of_this_checkout(client: DockerClient, product_image: str) -> None:
    assert run(client, product_image, ["--version"], network_mode="none") == (0, f"chaoskit {chaoskit.__version__}\n")


def test_its_user_is_not_root_and_owns_the_state_folder(client: DockerClient, product_image: str) -> None:
    program = 'test "$(id -u)" -ne 0 && touch ~/probe && stat -c "%U %a %n" ~'
    status, said = run(client, product_image, ["-c", program], entrypoint="sh", network_mode="none")
    assert (status, said) == (0, "chaoskit 700 /var/lib/chaoskit\n")


@pytest.mark.parametrize("tool", ["tc", "ip", "iptables", "nsenter", "ssh", "ps", "python3"])
def test_it_has_the_tools_that_faults_need(client: DockerClient, product_image: str, tool: str) -> None:
    status, said = run(client, product_image, ["-c", f"command -v {tool}"], entrypoint="sh", network_mode="none")
    assert status == 0, f"{tool} is missing: {said}"


def test_its_root_changes_packet_rules_with_net_admin_alone(client: DockerClient, product_image: str) -> None:
    program = "iptables -N PROBE && iptables -A PROBE -j DROP && iptables -S PROBE && tc qdisc show dev lo"
    sidecar = {"user": "0", "cap_drop": ["ALL"], "cap_add": ["NET_ADMIN"], "network_mode": "none"}
    status, said = run(client, product_image, ["-c", program], entrypoint="sh", **sidecar)
    assert (status, "-A PROBE -j DROP" in said) == (0, True), said


def test_nothing_of_the_build_is_left_in_it(client: DockerClient, product_image: str) -> None:
    status, said = run(client, product_image, ["-c", "ls -d /src /tmp/*"], entrypoint="sh", network_mode="none")
    assert status != 0, said
    history = str(client.images.get(product_image).history())
    assert "wheelhouse" not in history


def test_an_image_that_is_up_to_date_is_not_built_again(client: DockerClient, bed_image: str) -> None:
    before = client.images.get(bed_image).id
    told: list[str] = []
    assert provision.ensure_bed_image(told.append) == bed_image
    assert told == []
    assert client.images.get(bed_image).id == before


@pytest.mark.skipif(
    "DOCKER_HOST" in os.environ or not SOCKET.is_socket(), reason="missing capability: the engine's socket on this host"
)
def test_an_experiment_runs_inside_it_through_the_mounted_socket(
    client: DockerClient, product_image: str, docker_bed: BedInfo
) -> None:
    container = client.containers.create(
        product_image,
        ["run", "experiment.yaml", "--seed", "7", "--plain"],
        network=docker_bed.bed_id,
        group_add=[SOCKET.stat().st_gid],
        volumes=[f"{SOCKET}:{SOCKET}"],
    )
    try:
        container.put_archive("/experiments", packed("experiment.yaml", EXPERIMENT.format(bed=docker_bed.bed_id)))
        status, said = started(container)
        assert status == 0, said
        reports = [member.name for member in unpacked(container, "/var/lib/chaoskit/reports") if member.isfile()]
        assert any(name.endswith(".html") for name in reports), reports
    finally:
        container.remove(force=True, v=True)
    wait_until(lambda: not_ready(docker_bed.prometheus_url or "", TARGETS_UP), 20, "the bed after the experiment")
    states = {name: client.containers.get(made).status for name, made in docker_bed.containers.items()}
    assert set(states.values()) == {"running"}, states


def packed(name: str, text: str) -> bytes:
    """Return a tar archive with one file in it that everybody may read."""
    buffer, content = io.BytesIO(), text.encode()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o644
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def unpacked(container: Container, folder: str) -> list[tarfile.TarInfo]:
    chunks, _ = container.get_archive(folder)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        return archive.getmembers()
