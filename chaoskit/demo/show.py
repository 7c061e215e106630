"""The demo's main job: bring the bed up, run one experiment on it, show the verdict, take the bed down.

The experiment is run by the ``chaoskit`` command itself, as anybody would run it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaoskit.demo.bed import BedInfo, Progress

EXPERIMENTS = Path("experiments")
REPORTS = Path("chaoskit-reports")


def default_experiment(info: BedInfo) -> Path:
    """The replica-loss experiment that fits the bed: with Prometheus where there is one, else with HTTP checks."""
    if info.kind == "docker":
        return EXPERIMENTS / "replica-loss.yaml"
    return EXPERIMENTS / ("replica-loss-local.yaml" if info.prometheus_url else "replica-loss-bare.yaml")


def variables(info: BedInfo) -> dict[str, str]:
    """What the shipped experiments want to know about the bed."""
    found = {"BED": info.bed_id, "FRONT_URL": info.front_url, "SOLO_URL": info.solo_url, "CHAOSKIT_TRIGGER": "demo"}
    if info.prometheus_url:
        found["PROMETHEUS_URL"] = info.prometheus_url
    return found


def run_experiment(info: BedInfo, experiment: Path, tell: Progress, *, fresh: bool) -> int:
    """Run ``experiment`` on the bed; returns the exit code of ``chaoskit run``.

    The demo has a database of its own: what else this machine runs is not its concern, nor the other way round. A
    ``fresh`` bed begins with a fresh one, for what an earlier one holds is about targets that are no more.
    """
    tell(f"chaoskit run {experiment}")
    REPORTS.mkdir(exist_ok=True)
    for suffix in ("", "-wal", "-shm") if fresh else ():
        Path(f"{REPORTS / 'demo.db'}{suffix}").unlink(missing_ok=True)
    argv = [sys.executable, "-m", "chaoskit", "run", str(experiment)]
    argv += ["--store", str(REPORTS / "demo.db"), "--reports", str(REPORTS)]
    with subprocess.Popen(argv, env={**os.environ, **variables(info)}) as process, _leave_ctrl_c_to_it():
        return process.wait()


@contextmanager
def _leave_ctrl_c_to_it() -> Iterator[None]:
    """Ctrl-C reaches the runner too, which rolls back; the bed must stand until it has."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
