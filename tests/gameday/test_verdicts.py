"""The shipped experiments, run for real: each ends with the verdict that its first line promises."""

from __future__ import annotations

import threading
import time
import xml.etree.ElementTree as ET

import docker
import pytest

from chaoskit.demo.bed import BedInfo
from chaoskit.demo.docker_bed import DockerBed
from tests.gameday.kit import EXPERIMENTS, Chaoskit, wait_until


def _status(engine: docker.DockerClient, container: str) -> str:
    return str(engine.containers.get(container).status)


def test_replica_loss_passes_and_its_report_proves_the_effect(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo
) -> None:
    web = [docker_bed.containers[f"web-{n}"] for n in (1, 2, 3)]
    down: set[str] = set()
    process = chaoskit.start("run", str(EXPERIMENTS / "replica-loss.yaml"), "--seed", "gameday")
    while process.poll() is None:
        down |= {one for one in web if _status(engine, one) == "exited"}
        time.sleep(0.2)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    assert len(down) == 1, "exactly one replica was seen dead from outside"
    assert all(_status(engine, one) == "running" for one in web)
    report = chaoskit.report("replica-loss")
    assert report["judgement"]["verdict"] == "passed"
    (injection,) = report["run"]["injections"]
    assert injection["effect"]["bit"] is True
    assert injection["target_id"].endswith(down.pop())
    assert injection["restored_at"] > injection["injected_at"] + 19
    assert "PASSED" in output
    assert "by chaoskit" in injection["note"] or "policy" in injection["note"]


def test_single_replica_loss_fails_and_the_report_shows_what_users_saw(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo
) -> None:
    done = chaoskit("run", str(EXPERIMENTS / "single-replica-loss.yaml"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert _status(engine, docker_bed.containers["solo-1"]) == "running"
    judgement = chaoskit.report("single-replica-loss")["judgement"]
    availability = next(check for check in judgement["checks"] if check["name"] == "availability")
    assert availability["outcome"] == "deviated"
    assert availability["worst_value"] < 0.5
    assert judgement["recovery"] == "held"
    (junit,) = (chaoskit.reports / "single-replica-loss").glob("*/junit.xml")
    suite = ET.parse(junit).getroot()
    failed = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert any("availability" in (name or "") for name in failed)
    (page,) = (chaoskit.reports / "single-replica-loss").glob("*/report.html")
    assert "<svg" in page.read_text()


def test_the_brake_aborts_within_its_promise_and_restores(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo
) -> None:
    begin = time.monotonic()
    done = chaoskit("run", str(EXPERIMENTS / "abort-on-errors.yaml"))
    assert done.returncode == 4, done.stdout + done.stderr
    assert time.monotonic() - begin < 60, "the fault asks for two minutes; the brake ended it long before"
    assert _status(engine, docker_bed.containers["solo-1"]) == "running"
    report = chaoskit.report("abort-on-errors")
    assert report["run"]["abort"]["cause"] == "condition"
    latency = report["run"]["plan"]["latency"]
    promised = sum(latency[part] for part in ("evaluate", "held", "revert"))
    assert report["judgement"]["time_to_abort"] <= promised


def test_too_wide_a_blast_radius_blocks_with_every_reason_and_touches_nothing(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo
) -> None:
    web = [docker_bed.containers[f"web-{n}"] for n in (1, 2, 3)]
    before = [engine.containers.get(one).attrs["State"]["StartedAt"] for one in web]
    done = chaoskit("run", str(EXPERIMENTS / "too-wide.yaml"))
    assert done.returncode == 3, done.stdout + done.stderr
    for limit in ("max_targets", "max_percent", "min_healthy"):
        assert limit in done.stdout
    assert [engine.containers.get(one).attrs["State"]["StartedAt"] for one in web] == before
    assert chaoskit.report("too-wide")["judgement"]["verdict"] == "blocked"


def test_prometheus_killed_mid_run_is_inconclusive_and_restored(
    chaoskit: Chaoskit, engine: docker.DockerClient, bed_image: str, unique_id: str
) -> None:
    bed = DockerBed(f"{unique_id}-blind", image=bed_image)
    try:
        info = bed.up()
        bed.wait_ready(60)
        kit = Chaoskit(chaoskit.folder, info)
        web = [info.containers[f"web-{n}"] for n in (1, 2, 3)]
        process = kit.start("run", str(EXPERIMENTS / "frozen-replica.yaml"))
        wait_until(lambda: any(_status(engine, one) == "paused" for one in web), 40, "a replica is paused")
        engine.containers.get(info.containers["prometheus"]).kill()
        output = process.communicate(timeout=90)[0]
        assert process.returncode == 5, output
        assert all(_status(engine, one) == "running" for one in web)
        report = kit.report("frozen-replica")
        assert report["run"]["abort"]["cause"] == "blind"
        assert report["judgement"]["restored"] == report["judgement"]["injected"] == 1
    finally:
        bed.down()


def test_a_replica_replaced_by_somebody_else_makes_the_run_inconclusive(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo
) -> None:
    web = [docker_bed.containers[f"web-{n}"] for n in (1, 2, 3)]
    process = chaoskit.start("run", str(EXPERIMENTS / "frozen-replica.yaml"))

    def thaw() -> None:
        wait_until(lambda: any(_status(engine, one) == "paused" for one in web), 40, "a replica is paused")
        for one in web:
            if _status(engine, one) == "paused":
                engine.containers.get(one).unpause()

    helper = threading.Thread(target=thaw)
    helper.start()
    output = process.communicate(timeout=90)[0]
    helper.join()
    assert process.returncode == 5, output
    assert chaoskit.report("frozen-replica")["run"]["abort"]["cause"] == "drift"


@pytest.mark.parametrize("experiment", ["frozen-replica", "replica-isolated"])
def test_the_other_shipped_experiments_pass(chaoskit: Chaoskit, experiment: str) -> None:
    done = chaoskit("run", str(EXPERIMENTS / f"{experiment}.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
