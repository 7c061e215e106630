"""What the benchmarks share: quiet repetition, medians, and a table that ends up in the terminal."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

REPEATS = 15


def interleaved(commands: Mapping[str, Sequence[str]], cwd: Path, repeats: int = REPEATS) -> dict[str, float]:
    """The median seconds of each command, run in ``cwd``; turn by turn, so that a noisy minute is everybody's noise."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(repeats + 1):
        for name, argv in commands.items():
            begin = time.perf_counter()
            subprocess.run(argv, check=True, capture_output=True, timeout=60, cwd=cwd)
            if number:
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(found) for name, found in times.items()}


def peak_memory(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> float:
    """The largest resident set of one run of a command, in MiB, as the kernel reports it when the child is reaped."""
    child = subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, env={**os.environ, **env}, cwd=cwd
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, f"{argv} ended with {child.returncode}"
    assert isinstance(usage, resource.struct_rusage)
    return usage.ru_maxrss / 1024


def show(capsys: object, title: str, rows: Mapping[str, str]) -> None:
    """Print figures past pytest's capture, so that they are seen without -s."""
    with capsys.disabled():  # type: ignore[attr-defined]  # pytest's fixture; its class is private
        lines = [f"\n  {title}", *(f"    {name:<44} {value}" for name, value in rows.items())]
        sys.stdout.write("\n".join(lines) + "\n")
