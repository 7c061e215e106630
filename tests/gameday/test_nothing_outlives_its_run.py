"""Whatever ends a run, its faults end too: signals, a halt from elsewhere, and SIGKILL with a rollback after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from chaoskit.demo.bed import BedInfo
from tests.gameday.kit import EXPERIMENTS, Chaoskit, wait_until

DOOMED = """
apiVersion: chaoskit/v1
kind: Experiment
name: doomed
title: The target is removed while the fault is in
targets: {it: {docker: {names: ["%s"]}}}
steady_state: [{name: fine, command: {run: ["true"]}}]
faults: [{kind: instance.pause, target: it, duration: 60s}]
expect: {recover_within: 1s}
sampling: {baseline: 0s}
"""
FROZEN = str(EXPERIMENTS / "frozen-replica.yaml")


def _paused(engine: docker.DockerClient, info: BedInfo) -> list[str]:
    names = (f"web-{n}" for n in (1, 2, 3))
    return [name for name in names if engine.containers.get(info.containers[name]).status == "paused"]


def _start_and_wait(kit: Chaoskit, engine: docker.DockerClient, info: BedInfo) -> subprocess.Popen[str]:
    process = kit.start("run", FROZEN)
    wait_until(lambda: bool(_paused(engine, info)), 40, "a replica is paused")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_in_a_rolled_back_system(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo, number: signal.Signals
) -> None:
    process = _start_and_wait(chaoskit, engine, docker_bed)
    process.send_signal(number)
    begin = time.monotonic()
    wait_until(lambda: not _paused(engine, docker_bed), 5, "the replica is thawed")
    assert time.monotonic() - begin < 3
    process.send_signal(number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 4, output
    report = chaoskit.report("frozen-replica")
    assert report["run"]["abort"]["cause"] == "halt"
    assert number.name in report["run"]["abort"]["reason"]


def test_a_halt_from_another_process_stops_the_run(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo
) -> None:
    process = _start_and_wait(chaoskit, engine, docker_bed)
    done = chaoskit("halt", "--all", "--reason", "incident 42")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: not _paused(engine, docker_bed), 5, "the replica is thawed")
    assert process.wait(timeout=60) == 4
    blocked = chaoskit("run", FROZEN)
    assert blocked.returncode == 3
    assert "incident 42" in blocked.stdout
    assert chaoskit("halt", "--all", "--release").returncode == 0
    status = chaoskit("status", "--json")
    assert json.loads(status.stdout)["halts"] == []


def test_after_sigkill_the_guardian_restores_at_once_and_the_next_run_may_start(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo
) -> None:
    process = _start_and_wait(chaoskit, engine, docker_bed)
    process.kill()
    process.wait(timeout=10)
    wait_until(lambda: not _paused(engine, docker_bed), 2, "the guardian has thawed the replica")
    wait_until(lambda: chaoskit("status").returncode == 0, 30, "the books are closed")
    dead = json.loads(chaoskit("history", "--json").stdout)[0]
    assert dead["verdict"] == "error"
    assert "its guardian undid what it left" in chaoskit("report", dead["run"], "--format", "markdown").stdout
    again = _start_and_wait(chaoskit, engine, docker_bed)
    again.send_signal(signal.SIGINT)
    assert again.wait(timeout=60) == 4


def test_after_both_are_killed_the_next_run_is_refused_until_rollback_has_restored(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo
) -> None:
    process = _start_and_wait(chaoskit, engine, docker_bed)
    process.send_signal(signal.SIGSTOP)
    (guardian,) = json.loads(chaoskit("status", "--json").stdout)["guardians"]
    os.kill(guardian["pid"], signal.SIGKILL)
    process.kill()
    process.wait(timeout=10)
    assert _paused(engine, docker_bed), "with its guardian dead too, the fault stays: that is what the journal is for"

    status = chaoskit("status")
    assert status.returncode == 6
    assert "residue" in status.stdout
    refused = chaoskit("run", FROZEN)
    assert refused.returncode == 3
    assert "chaoskit rollback" in refused.stdout

    dry = chaoskit("rollback", "--dry-run")
    assert dry.returncode == 0
    assert "would restore" in dry.stdout
    assert _paused(engine, docker_bed), "a dry run touches nothing"

    restored = chaoskit("rollback")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert "restored" in restored.stdout
    assert not _paused(engine, docker_bed)
    assert chaoskit("status").returncode == 0
    assert chaoskit("rollback").stdout.strip() == "nothing to restore"
    dead = [run for run in json.loads(chaoskit("history", "--json").stdout) if run["verdict"] == "error"]
    assert len(dead) == 1
    text = chaoskit("report", dead[0]["run"], "--format", "text").stdout
    assert "died" in text


def test_rollback_leaves_a_live_run_alone(chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo) -> None:
    process = _start_and_wait(chaoskit, engine, docker_bed)
    done = chaoskit("rollback")
    assert done.returncode == 3
    assert "alive" in done.stdout
    assert _paused(engine, docker_bed)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 4


def test_of_two_runs_on_one_target_the_second_is_blocked_with_who_holds_it(
    chaoskit: Chaoskit, engine: docker.DockerClient, docker_bed: BedInfo
) -> None:
    first = chaoskit.start("run", FROZEN, "--seed", "same")
    wait_until(lambda: bool(_paused(engine, docker_bed)), 40, "a replica is paused")
    run = json.loads(chaoskit("status", "--json").stdout)["live"][0]["run"]
    second = chaoskit("run", FROZEN, "--seed", "same")
    assert second.returncode == 3, second.stdout
    assert run in second.stdout
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=60) == 4


def test_a_target_that_is_gone_stays_residue_until_a_person_vouches_for_it(
    chaoskit: Chaoskit, engine: docker.DockerClient, bed_image: str, tmp_path: Path
) -> None:
    doomed = engine.containers.run(bed_image, ["sleep", "120"], detach=True, labels={"chaoskit.test": tmp_path.name})
    try:
        file = tmp_path / "doomed.yaml"
        file.write_text(DOOMED % doomed.name)
        process = chaoskit.start("run", str(file))
        wait_until(lambda: str(engine.containers.get(str(doomed.id)).status) == "paused", 20, "it is paused")
        doomed.remove(force=True)
        assert process.wait(timeout=120) == 6
        run = json.loads(chaoskit("history", "--json").stdout)[0]["run"]
        assert chaoskit("rollback").returncode == 6
        assert chaoskit("rollback", "--accept", "removed on purpose").returncode == 2
        assert chaoskit("rollback", run, "--accept", "removed on purpose").returncode == 0
        assert chaoskit("status").returncode == 0
        text = chaoskit("report", run, "--format", "markdown").stdout
        assert "removed on purpose" in text
        assert "dirty" in text.lower()
    finally:
        with suppress(docker.errors.NotFound):
            doomed.remove(force=True)
