"""The Docker bed: what one lost replica does to its users, and that nothing of it stays behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import docker
import pytest
import requests

from chaoskit.demo.bed import (
    SERVICES,
    SUCCESS_RATIO,
    BedInfo,
    BedUnavailable,
    not_ready,
    users_requests,
    vector,
    wait_until,
)
from chaoskit.demo.docker_bed import DockerBed
from chaoskit.demo.docker_parts import BED_LABEL, TARGETS_UP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient
    from docker.models.containers import Container

FAULT_SECONDS = 4.0


@pytest.fixture
def client(docker_engine: None) -> Iterator[DockerClient]:
    client = docker.from_env(timeout=20)
    yield client
    client.close()


def left_behind(client: DockerClient, bed_id: str) -> list[str]:
    label = f"{BED_LABEL}={bed_id}"
    containers = [str(container.name) for container in client.containers.list(all=True, filters={"label": label})]
    return containers + [str(network.name) for network in client.networks.list(filters={"label": label})]


def requests_while(bed: BedInfo, seconds: float) -> dict[tuple[str, str], int]:
    """Count the users' requests by (service, code) that end within ``seconds``."""
    before = users_requests(bed.users_url)
    time.sleep(seconds)
    return {key: count - before.get(key, 0) for key, count in users_requests(bed.users_url).items()}


def error_ratio(felt: dict[tuple[str, str], int], service: str) -> float:
    total = sum(count for (name, _), count in felt.items() if name == service)
    assert total > FAULT_SECONDS * 10, f"too little load on {service} to judge: {felt}"
    return 1 - felt[service, "200"] / total


@contextmanager
def broken(
    bed: BedInfo, container: Container, break_it: Callable[[], object], mend: Callable[[], object]
) -> Iterator[None]:
    """Break one part for the time of the block; the bed is ready again afterwards."""
    try:
        break_it()
        yield
    finally:
        mend()
        wait_until(lambda: not_ready(bed.prometheus_url or "", TARGETS_UP), 30, f"bed after {container.name}")


def test_prometheus_sees_load_on_both_services_and_only_successes(docker_bed: BedInfo) -> None:
    ratios = vector(docker_bed.prometheus_url or "", SUCCESS_RATIO)
    assert ratios is not None
    assert {service: ratio >= 0.99 for service, ratio in ratios.items()} == dict.fromkeys(SERVICES, True)


def test_users_hardly_notice_a_killed_replica_of_three(docker_bed: BedInfo, client: DockerClient) -> None:
    web = client.containers.get(docker_bed.containers["web-1"])
    with broken(docker_bed, web, web.kill, web.start):
        felt = requests_while(docker_bed, FAULT_SECONDS)
        web.reload()
        assert web.status == "exited"
        assert error_ratio(felt, "web") < 0.02
        assert error_ratio(felt, "solo") == 0


def test_users_hardly_notice_a_paused_replica_of_three(docker_bed: BedInfo, client: DockerClient) -> None:
    web = client.containers.get(docker_bed.containers["web-2"])
    with broken(docker_bed, web, web.pause, web.unpause):
        assert error_ratio(requests_while(docker_bed, FAULT_SECONDS), "web") < 0.02


def test_users_of_the_service_with_one_replica_feel_its_loss_and_an_alert_fires(
    docker_bed: BedInfo, client: DockerClient
) -> None:
    solo = client.containers.get(docker_bed.containers["solo-1"])
    with broken(docker_bed, solo, solo.kill, solo.start):
        felt = requests_while(docker_bed, FAULT_SECONDS)
        assert error_ratio(felt, "solo") > 0.5
        assert error_ratio(felt, "web") == 0
        wait_until(lambda: alert_missing(docker_bed, "HighErrorRate", "solo"), 10, "the alert")


def alert_missing(bed: BedInfo, alert: str, service: str) -> str | None:
    firing = vector(bed.prometheus_url or "", f'ALERTS{{alertname="{alert}",alertstate="firing"}}')
    return None if firing and service in firing else f"{alert} does not fire for {service}: {firing}"


def test_users_of_both_services_feel_the_loss_of_redis(docker_bed: BedInfo, client: DockerClient) -> None:
    redis = client.containers.get(docker_bed.containers["redis"])
    with broken(docker_bed, redis, redis.kill, redis.start):
        felt = requests_while(docker_bed, FAULT_SECONDS)
        assert min(error_ratio(felt, service) for service in SERVICES) > 0.5


def test_names_of_dead_containers_fail_at_once_inside_the_bed(docker_bed: BedInfo, client: DockerClient) -> None:
    web = client.containers.get(docker_bed.containers["web-3"])
    began = time.monotonic()
    status, _ = web.exec_run(["timeout", "5", "getent", "hosts", "no-such-part"])
    assert status == 2
    assert time.monotonic() - began < 2.5


def test_a_replica_leaves_quickly_when_asked_to(docker_bed: BedInfo, client: DockerClient) -> None:
    web = client.containers.get(docker_bed.containers["web-1"])
    began = time.monotonic()
    with broken(docker_bed, web, web.stop, web.start):
        assert time.monotonic() - began < 2
        web.reload()
        assert web.attrs["State"]["ExitCode"] == 0


def test_every_published_port_is_on_loopback(docker_bed: BedInfo, client: DockerClient) -> None:
    hosts = []
    for container in client.containers.list(filters={"label": f"{BED_LABEL}={docker_bed.bed_id}"}):
        bindings = container.attrs["NetworkSettings"]["Ports"].values()
        hosts += [binding["HostIp"] for ports in bindings for binding in ports or ()]
    assert len(hosts) == 4
    assert set(hosts) == {"127.0.0.1"}


def test_bringing_a_running_bed_up_again_changes_nothing(docker_bed: BedInfo) -> None:
    assert DockerBed(docker_bed.bed_id).up() == docker_bed


def test_a_new_process_finds_the_bed_and_takes_it_down(
    docker_bed: BedInfo, client: DockerClient, bed_image: str
) -> None:
    other = f"{docker_bed.bed_id}-2"
    bed = DockerBed(other, image=bed_image, rate=5)
    try:
        info = bed.up()
        assert requests.get(info.front_url, timeout=3).status_code == 200
        told = run_demo("status", "--bed", "docker", "--id", other, "--json")
        assert json.loads(told.stdout)["containers"] == info.containers
        assert run_demo("down", "--bed", "docker", "--id", other).returncode == 0
        assert left_behind(client, other) == []
        assert run_demo("status", "--bed", "docker", "--id", other).returncode == 1
        assert run_demo("down", "--bed", "docker", "--id", other).returncode == 0
    finally:
        bed.down()
    assert DockerBed(docker_bed.bed_id).info() == docker_bed


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "chaoskit.demo", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_a_bed_that_cannot_start_takes_down_what_it_made(client: DockerClient, unique_id: str) -> None:
    other = f"{unique_id}-3"
    with pytest.raises(BedUnavailable, match="no-such-image"):
        DockerBed(other, image="chaoskit-no-such-image").up()
    assert left_behind(client, other) == []


def test_without_an_engine_the_message_names_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(BedUnavailable, match="--bed local"):
        DockerBed("nowhere").info()
