"""Exit codes where standard output or error is in trouble: real pipes of a shell, a full device, closed streams."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from chaoskit.domain.targeting import TargetSpec
from chaoskit.store.store import Store
from tests.unit.store.builders import begun, intended

ROOT = Path(__file__).parents[3]
SLEEPER = ("sleep", f"90.{os.getpid():09d}")
PASSES = '["true"]'
FAILS = f'["pgrep", "-xf", "{" ".join(SLEEPER)}"]'
EXPERIMENT = """
apiVersion: chaoskit/v1
kind: Experiment
name: piped
title: The verdict is not in the pipe
targets: {sleeper: {local: {name: sleep, cmdline: "%s"}}}
steady_state: [{name: check, command: {run: %s}}]
faults: [{kind: process.kill, target: sleeper, duration: 1s, restart: ["%s", "%s"]}]
sampling: {baseline: 0.2s, tick: 0.2s}
"""


class Shell:
    """Runs command lines in which ``chaoskit`` is the command under test, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "ck.db"
        self.env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CHAOSKIT_STORE": str(self.store),
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def __call__(self, line: str) -> "subprocess.CompletedProcess[str]":
        command = f'chaoskit() {{ {shlex.quote(sys.executable)} -m chaoskit "$@"; }}; {line}'
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def code(self, line: str) -> int:
        """The exit code of the first command of a pipe, and nothing about a defect on standard error."""
        done = self(f"{line}; exit ${{PIPESTATUS[0]}}")
        assert "defect" not in done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode

    def verdicts(self) -> list[str | None]:
        with Store(self.store) as store:
            return [run.verdict for run in store.runs()]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    for name, check in (("passes", PASSES), ("fails", FAILS)):
        (tmp_path / f"{name}.yaml").write_text(EXPERIMENT % (" ".join(SLEEPER), check, *SLEEPER))
    return Shell(tmp_path)


@pytest.fixture
def sleeper() -> Iterator[None]:
    """A process to kill, and whatever was started in its place, gone at the end."""
    started = subprocess.Popen(SLEEPER, start_new_session=True)
    try:
        yield
    finally:
        found = subprocess.run(["pgrep", "-xf", " ".join(SLEEPER)], capture_output=True, text=True, check=False)
        for pid in found.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        started.wait(5)


BROKEN = ["| head -1", "> /dev/full", ">&-", "2>/dev/full", "2>&- >&- <&-"]


@pytest.mark.parametrize("broken", [*BROKEN, "--json > /dev/full", "--json >&-"])
def test_the_exit_code_of_a_run_is_its_verdict(sleeper: None, shell: Shell, broken: str) -> None:
    assert shell.code(f"chaoskit run passes.yaml {broken}") == 0
    assert shell.verdicts() == ["passed"]


@pytest.mark.parametrize("broken", ["| head -1", "--json > /dev/full"])
def test_also_of_one_that_failed(sleeper: None, shell: Shell, broken: str) -> None:
    assert shell.code(f"chaoskit run fails.yaml {broken}") == 1
    assert shell.verdicts() == ["failed"]


def test_a_stream_that_cannot_hold_a_sign_gets_its_code(sleeper: None, shell: Shell) -> None:
    shell.env["PYTHONIOENCODING"] = "ascii"
    done = shell("chaoskit run passes.yaml")
    assert done.returncode == 0, done.stderr
    assert "\\u2713 check" in done.stdout


def leave_residue(path: Path) -> None:
    """A dead run whose target is out of reach, in the store at ``path``."""
    target = "local://elsewhere/nginx@12:345.abc"
    injection = {"tag": "chaoskit-r1-1", "target": target, "before": {"pid": 12, "running": True}}
    ref = intended().ref.model_copy(update={"id": target})
    changes = {"kind": "process.pause", "spec": TargetSpec.model_validate({"local": {"name": "nginx"}}), "ref": ref}
    with Store(path) as store:
        store.begin(begun())
        store.append(intended().model_copy(update={**changes, "injection": injection}))


def test_residue_is_told_by_the_exit_code_alone(shell: Shell) -> None:
    leave_residue(shell.store)
    for broken in BROKEN:
        assert shell.code(f"chaoskit status {broken}") == 6
    assert shell.code("chaoskit rollback | head -0") == 6
    assert shell.code("chaoskit rollback > /dev/full") == 6
    assert shell.code("chaoskit rollback --json >&-") == 6


def test_output_that_is_all_there_is_to_a_command_must_be_whole(shell: Shell) -> None:
    for line in ("--version", "schema", "history", "validate passes.yaml"):
        done = shell(f"chaoskit {line} > /dev/full")
        assert (done.returncode, done.stdout) == (7, "")
        assert done.stderr == "chaoskit: the output could not be written whole: No space left on device\n"
        assert shell.code(f"chaoskit {line} >&-") == 0


def test_what_cannot_be_told_on_standard_error_is_told_by_the_exit_code(shell: Shell) -> None:
    for stream in ("2>/dev/full", "2>&-"):
        assert shell.code(f"chaoskit validate none.yaml {stream}") == 2
        assert shell.code(f"chaoskit run none.yaml {stream}") == 2
        assert shell.code(f"chaoskit rub {stream}") == 2


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def unread(shell: Shell, *args: str) -> Iterator["subprocess.Popen[str]"]:
    """The command with a pipe as its standard output that is full and never read."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, b"x" * 4096):
            pass
    os.set_blocking(writing, True)
    argv = [sys.executable, "-m", "chaoskit", *args]
    process = subprocess.Popen(argv, cwd=shell.folder, env=shell.env, stdout=writing, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        os.close(writing)
        os.close(reading)
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=10)


def interrupted(run: "subprocess.Popen[str]") -> str:
    """Press Ctrl-C until it ends; what it said on standard error."""
    for _ in range(100):
        run.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return run.communicate(timeout=0.3)[1]
    raise AssertionError("Ctrl-C does not end it")


def test_ctrl_c_at_a_reader_that_sleeps_ends_the_showing_and_not_the_verdict(sleeper: None, shell: Shell) -> None:
    with unread(shell, "run", "fails.yaml", "--json") as run:
        wait_for(lambda: shell.store.exists() and shell.verdicts() == ["failed"], "the run has no verdict")
        assert run.poll() is None, "it was to wait for its reader"
        errors = interrupted(run)
        assert run.returncode == 1
        assert "nothing was started" not in errors
        assert "Traceback" not in errors


def test_a_reader_that_sleeps_does_not_hold_up_a_rollback(shell: Shell) -> None:
    leave_residue(shell.store)
    with unread(shell, "rollback") as rollback:
        _, errors = rollback.communicate(timeout=60)
        assert (rollback.returncode, errors) == (6, "")
