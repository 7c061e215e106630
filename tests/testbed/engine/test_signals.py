"""Real signals to a real process: the first one stops the run, no further one cuts the rollback short."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import IO, Any

import pytest

from chaoskit.domain.errors import Exit

ROOT = Path(__file__).parents[3]
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def running(result: Path, *prefix: str) -> Iterator[subprocess.Popen[str]]:
    """The program under test; killed by its id if the test ends before it does."""
    argv = [*prefix, sys.executable, "-m", "tests.testbed.engine.run_for_signals", str(result)]
    with subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    """Read what it says until it says ``word``; pytest's timeout bounds this."""
    out: IO[str] | None = process.stdout
    assert out is not None
    for line in out:
        if line.strip() == word:
            return
    raise AssertionError(f"it ended without saying {word!r}: {process.stderr and process.stderr.read()}")


def ended(process: subprocess.Popen[str], result: Path) -> dict[str, Any]:
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    came_of_it: dict[str, Any] = json.loads(result.read_text())
    return came_of_it


@pytest.mark.parametrize(("first", "second"), list(product(STOPPING, STOPPING)))
def test_a_second_signal_during_the_rollback_does_not_cut_it_short(
    first: signal.Signals, second: signal.Signals, tmp_path: Path
) -> None:
    result = tmp_path / "result.json"
    with running(result) as process:
        wait_for(process, "observing")
        process.send_signal(first)
        wait_for(process, "reverting")
        process.send_signal(second)
        wait_for(process, f"again {second.name}")
        process.send_signal(second)
        came_of_it = ended(process, result)
    assert came_of_it["verdict"] == Exit.ABORTED.name.lower()
    assert came_of_it["reason"] == f"stopped by {first.name}"
    assert came_of_it["again"] == [second.name, second.name]
    assert not came_of_it["faulty"]
    assert came_of_it["outstanding"] == 0
    assert came_of_it["ended"] < 30


def test_a_storm_of_signals_changes_nothing(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    with running(result) as process:
        wait_for(process, "observing")
        for number in STOPPING * 20:
            process.send_signal(number)
        wait_for(process, "reverting")
        for number in STOPPING * 20:
            process.send_signal(number)
        came_of_it = ended(process, result)
    assert not came_of_it["faulty"]
    assert came_of_it["outstanding"] == 0


def test_a_terminal_that_hangs_up_and_takes_the_output_with_it_changes_nothing(tmp_path: Path) -> None:
    """Whatever the handler wants to print now raises; the rollback goes on."""
    result = tmp_path / "result.json"
    with running(result) as process:
        wait_for(process, "observing")
        process.send_signal(signal.SIGHUP)
        wait_for(process, "reverting")
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    came_of_it = json.loads(result.read_text())
    assert set(came_of_it["again"]) == {"SIGHUP", "SIGTERM"}
    assert not came_of_it["faulty"]
    assert came_of_it["outstanding"] == 0


def test_a_run_under_nohup_survives_the_hangup_and_heeds_the_rest(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    with running(result, "nohup") as process:
        wait_for(process, "observing")
        process.send_signal(signal.SIGHUP)
        wait_for(process, "observing")
        process.send_signal(signal.SIGTERM)
        came_of_it = ended(process, result)
    assert came_of_it["reason"] == "stopped by SIGTERM"
    assert not came_of_it["faulty"]
