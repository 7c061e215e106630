"""Runs of chaoskit as processes of their own, with a store of their own, to be watched and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LEASE = 3.0
SLACK = 2.0
"""Seconds beyond the lease in which a guarded fault must be gone."""
PATIENCE = 30.0


def eventually(holds: Callable[[], bool], within: float = PATIENCE) -> bool:
    """Whether ``holds`` becomes true within so many seconds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Bed(ABC):
    """An experiment whose fault freezes something, and chaoskit to run it."""

    def __init__(self, folder: Path, experiment: str, settings: Mapping[str, str]) -> None:
        """``settings`` are variables of the environment, on top of ours."""
        self.folder = folder
        self.file = folder / "guarded.yaml"
        self.file.write_text(experiment)
        self.store = folder / "state" / "ck.db"
        self.settings = dict(settings)
        self.runner: subprocess.Popen[str] | None = None
        self.output = folder / "output"

    @abstractmethod
    def frozen(self) -> bool:
        """Whether the fault is in."""

    def argv(self, command: str, *more: str) -> list[str]:
        """A command line of chaoskit on this bed's store."""
        return [sys.executable, "-m", "chaoskit", command, *more, "--store", str(self.store)]

    def environment(self) -> dict[str, str]:
        """What the commands run in."""
        reports = str(self.folder / "reports")
        return {**os.environ, "CHAOSKIT_LEASE": f"{LEASE:g}s", "CHAOSKIT_REPORTS": reports, **self.settings}

    def run(self) -> subprocess.Popen[str]:
        """A run whose fault is in, and whose guardian has had time to load what it needs."""
        with self.output.open("w") as output:
            self.runner = subprocess.Popen(
                self.argv("run", str(self.file), "--plain"),
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        assert eventually(lambda: self.frozen() or self.runner is None or self.runner.poll() is not None)
        assert self.frozen(), self.output.read_text()
        return self.runner

    def chaoskit(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        return subprocess.run(
            self.argv(command, *more), env=self.environment(), capture_output=True, text=True, timeout=60, check=False
        )

    def guardian(self) -> dict[str, Any]:
        """What the newest guardian says that it does."""
        (path,) = (self.store.parent / "guardians").glob("*.json")
        told: dict[str, Any] = json.loads(path.read_text())
        return told

    def log(self) -> str:
        """What the newest guardian has written."""
        (path,) = (self.store.parent / "guardians").glob("*.log")
        return path.read_text()

    def record(self) -> dict[str, Any]:
        """The newest run, judged anew."""
        done = self.chaoskit("report", "last", "--format", "json")
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def thawed_after(self) -> float:
        """Seconds from now until the fault is gone."""
        begin = time.monotonic()
        assert eventually(lambda: not self.frozen()), self.log()
        return time.monotonic() - begin

    def guardian_ends(self) -> bool:
        """Whether no guardian of this store is alive any more, after a while."""
        return eventually(lambda: not any(one["alive"] for one in self.status()["guardians"]))

    def status(self) -> dict[str, Any]:
        """What ``chaoskit status`` tells."""
        told: dict[str, Any] = json.loads(self.chaoskit("status", "--json").stdout)
        return told

    def kill_both(self) -> None:
        """What the loss of their machine does to runner and guardian: neither sees the other go."""
        assert self.runner is not None
        self.runner.send_signal(signal.SIGSTOP)
        os.kill(self.guardian()["pid"], signal.SIGKILL)
        self.runner.kill()
        self.runner.wait(PATIENCE)

    def close(self) -> None:
        """End whatever of it still runs."""
        pids = [self.runner.pid] if self.runner is not None and self.runner.poll() is None else []
        for path in (self.store.parent / "guardians").glob("*.json"):
            told = json.loads(path.read_text())
            if any(one["pid"] == told["pid"] and one["alive"] for one in self.status()["guardians"]):
                pids.append(told["pid"])
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        if self.runner is not None:
            self.runner.wait(10)
