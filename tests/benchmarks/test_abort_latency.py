"""From a breach that Prometheus shows to a container restored, watched from outside, against the tick."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
import requests
from docker.models.containers import Container

from chaoskit.demo.bed import BedInfo
from tests.benchmarks.figures import show

TICK = 1.0
EXPERIMENT = """
apiVersion: chaoskit/v1
kind: Experiment
name: latency
title: A breach is answered within a tick
prometheus: {url: "%(prometheus)s"}
targets: {it: {docker: {names: ["%(name)s"]}}}
steady_state: [{name: fine, command: {run: ["true"]}}]
faults: [{kind: instance.pause, target: it, duration: 60s}]
abort_when: [{name: breach, promql: "sum(rate(client_requests_total{service='solo',code!='200'}[5s]))", above: 0.5}]
expect: {recover_within: 1s}
sampling: {tick: 1s, baseline: 0s, min_samples: 1}
"""
ROUNDS = 5


def test_a_breach_is_undone_within_a_tick_and_the_revert(
    tmp_path: Path, docker_bed: BedInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    client = docker.from_env(timeout=20)
    solo = client.containers.get(docker_bed.containers["solo-1"])
    experiment = tmp_path / "latency.yaml"
    name = f"{docker_bed.bed_id}-solo-1"
    experiment.write_text(EXPERIMENT % {"prometheus": docker_bed.prometheus_url, "name": name})
    latencies, reverts = [], []
    for number in range(ROUNDS):
        _wait(lambda: _breach(docker_bed) == 0, 60)
        folder = tmp_path / str(number)
        argv = [sys.executable, "-m", "chaoskit", "run", str(experiment), "--json"]
        argv += ["--store", str(folder / "ck.db"), "--reports", str(folder)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        _wait(lambda: _breach(docker_bed) > 0.5, 40)
        seen = time.monotonic()
        _wait(lambda: _running(solo), 20)
        latencies.append(time.monotonic() - seen)
        document = json.loads(process.communicate(timeout=60)[0])
        assert document["judgement"]["verdict"] == "aborted"
        (injection,) = document["run"]["injections"]
        reverts.append(injection["restored_at"] - injection["rollback_at"])
    client.close()
    worst = max(latency - revert for latency, revert in zip(latencies, reverts, strict=True))
    rows = {
        "breach seen in Prometheus to running again": ", ".join(f"{x:.2f} s" for x in latencies),
        "of which the revert and its proof": ", ".join(f"{x:.2f} s" for x in reverts),
        "worst, less the revert, in ticks": f"{worst / TICK:.2f}",
    }
    show(capsys, f"abort latency at a tick of {TICK:g}s", rows)
    assert worst / TICK < 1.3


def _breach(bed: BedInfo) -> float:
    query = "sum(rate(client_requests_total{service='solo',code!='200'}[5s]))"
    answer = requests.get(f"{bed.prometheus_url}/api/v1/query", params={"query": query}, timeout=5).json()
    return float(answer["data"]["result"][0]["value"][1])


def _running(container: Container) -> bool:
    container.reload()
    return bool(container.status == "running")


def _wait(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
