"""What a run costs beyond its fault: time of the engine, memory, and the way from a breach to restored."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaoskit.demo.bed import BedInfo
from tests.benchmarks.figures import peak_memory, show

DURATION = 1.0
TRIVIAL = """
apiVersion: chaoskit/v1
kind: Experiment
name: trivial
title: A process is frozen for a second
targets: {it: {local: {cmdline: "%s"}}}
steady_state: [{name: true, command: {run: ["true"]}}]
faults: [{kind: process.pause, target: it, duration: 1s}]
sampling: {tick: 100ms, baseline: 0s, min_samples: 1}
%s
"""


@pytest.fixture
def sleeper() -> Iterator[str]:
    """A process to freeze; returns what marks its command line."""
    mark = "chaoskit-benchmark-sleeper"
    process = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(300)  # {mark}"])
    yield mark
    process.kill()
    process.wait()


def _experiment(folder: Path, mark: str, extra: str = "") -> Path:
    path = folder / "trivial.yaml"
    path.write_text(TRIVIAL.replace("name: true", "name: fine") % (mark, extra))
    return path


def _argv(folder: Path, experiment: Path) -> list[str]:
    rest = ["--store", str(folder / "ck.db"), "--reports", str(folder / "reports"), "--json"]
    return [sys.executable, "-m", "chaoskit", "run", str(experiment), *rest]


def test_a_trivial_run_costs_little_beyond_its_fault(
    tmp_path: Path, sleeper: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = _argv(tmp_path, _experiment(tmp_path, sleeper))
    spans = []
    for _ in range(7):
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
        spans.append(json.loads(done.stdout)["run"]["ended_at"] - DURATION)
    overhead = statistics.median(spans)
    rows = {"median": f"{overhead * 1000:.0f} ms", "all": ", ".join(f"{span * 1000:.0f}" for span in spans)}
    show(capsys, "engine time of a trivial run beyond the fault's duration", rows)
    assert overhead / DURATION < 0.25


def test_a_trivial_run_stays_small(
    tmp_path: Path, sleeper: str, local_bed: BedInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = peak_memory(_argv(tmp_path, _experiment(tmp_path, sleeper)), {}, tmp_path)
    rows = {"without Prometheus": f"{bare:.0f} MiB"}
    if local_bed.prometheus_url:
        extra = f'prometheus: {{url: "{local_bed.prometheus_url}"}}\nabort_when: [{{promql: "vector(0)", above: 1}}]'
        judged = peak_memory(_argv(tmp_path, _experiment(tmp_path, sleeper, extra)), {}, tmp_path)
        rows["with Prometheus"] = f"{judged:.0f} MiB"
    show(capsys, "peak resident memory of a trivial run", rows)
    assert bare <= 60
