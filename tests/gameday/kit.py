"""The command line as a user has it, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaoskit.demo.bed import BedInfo
from chaoskit.demo.show import variables

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
LONGEST = 150.0


class Chaoskit:
    """``chaoskit`` with a store, a report folder and a halt file of its own."""

    def __init__(self, folder: Path, info: BedInfo | None = None) -> None:
        self.reports = folder / "reports"
        self.store = folder / "chaoskit.db"
        self.folder = folder
        self.halt_file = folder / "halt"
        self.env = {**os.environ, **(variables(info) if info else {}), "CHAOSKIT_HALT_FILE": str(self.halt_file)}
        self._started: list[subprocess.Popen[str]] = []

    def __call__(self, *args: str, timeout: float = LONGEST) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._argv(args),
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=self.folder,
        )

    def start(self, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._argv(args),
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def report(self, name: str) -> dict[str, Any]:
        """The only report.json of that experiment."""
        (path,) = (self.reports / name).glob("*/report.json")
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=10)

    def _argv(self, args: tuple[str, ...]) -> list[str]:
        command, *rest = args
        extra = ["--store", str(self.store)]
        if command in {"run", "rollback", "report"}:
            extra += ["--reports", str(self.reports)]
        return [sys.executable, "-m", "chaoskit", command, *rest, *extra]


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something outside to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:g}s in vain: {what}"
        time.sleep(0.05)
