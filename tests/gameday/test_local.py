"""Without Docker and without root: processes of this machine, judged by Prometheus where there is one."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from chaoskit.demo.bed import BedInfo
from chaoskit.demo.show import default_experiment
from tests.gameday.kit import EXPERIMENTS, Chaoskit


@pytest.mark.parametrize("name", ["replica-loss-local", "replica-loss-bare"])
def test_a_killed_replica_process_is_started_again(tmp_path: Path, local_bed: BedInfo, name: str) -> None:
    if name == "replica-loss-local" and not local_bed.prometheus_url:
        pytest.skip("missing capability: a prometheus binary on PATH")
    kit = Chaoskit(tmp_path, local_bed)
    before = _replicas(local_bed)
    done = kit("run", str(EXPERIMENTS / f"{name}.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    after = _replicas(local_bed)
    assert len(before) == len(after) == 3
    assert len(before - after) == 1, "one of them is a new process"


def test_the_demo_takes_what_the_bed_can_give(local_bed: BedInfo) -> None:
    expected = "replica-loss-local.yaml" if local_bed.prometheus_url else "replica-loss-bare.yaml"
    assert default_experiment(local_bed).name == expected


def _replicas(bed: BedInfo) -> set[int]:
    mark = f"--bed {bed.bed_id} --name web-"
    return {p.pid for p in psutil.process_iter(["cmdline"]) if mark in " ".join(p.info["cmdline"] or ())}
