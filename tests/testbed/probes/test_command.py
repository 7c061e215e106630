"""The command probe with real commands, children of theirs, floods and hangs."""

import time
from pathlib import Path

import psutil
import pytest

from chaoskit.domain.checks import ProbeSpec
from chaoskit.domain.ports import Sample
from chaoskit.probes.build import build
from tests.patience import best_of_three
from tests.testbed.probes.parts import wait_for


def run(*argv: str, within: str = "2s", status: int = 0, wants_number: bool = False) -> Sample:
    parsed = ProbeSpec.model_validate({"command": {"run": argv, "within": within, "status": status}})
    return build(parsed, wants_number=wants_number, prometheus=None).sample()


def sh(script: str, within: str = "2s", *, wants_number: bool = False) -> Sample:
    return run("sh", "-c", script, within=within, wants_number=wants_number)


def running(pidfile: Path) -> bool:
    try:
        return psutil.Process(int(pidfile.read_text())).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_exit_status_is_the_judgement() -> None:
    assert run("true") == Sample(holds=True)
    assert run("false", status=1) == Sample(holds=True)
    assert run("false") == Sample(holds=False, problem="`false`: status 1, not 0")
    assert sh("echo first; echo because >&2; exit 3").problem.endswith("status 3, not 0 (because)")


def test_the_last_line_is_the_number_where_one_is_wanted() -> None:
    assert sh("echo noise; echo 0.93; echo", wants_number=True) == Sample(values=(0.93,), holds=True)
    assert run("echo", "-1e3", wants_number=True).values == (-1000.0,)
    for words in ("NaN", "inf", "fine", " "):
        taken = run("echo", words, wants_number=True)
        assert (taken.holds, taken.values) == (None, ())
        assert "the last line must be a number" in taken.problem
    assert sh("echo 5; exit 1", wants_number=True).holds is False


def test_arguments_never_meet_a_shell() -> None:
    assert run("test", "$HOME; false `id`", "=", "$HOME; false `id`").holds is True


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (("no-such-command-here",), "cannot be run (no such file or directory)"),
        (("/etc/passwd",), "cannot be run (permission denied)"),
        (("echo", "\0"), "cannot be run (embedded null byte)"),
        (("sh", "-c", "kill -SEGV $$"), "was killed by SIGSEGV"),
    ],
)
def test_a_command_that_cannot_run_or_is_killed_is_unknown(argv: tuple[str, ...], problem: str) -> None:
    taken = run(*argv)
    assert taken.holds is None
    assert problem in taken.problem


def test_a_late_command_is_unknown_and_killed_with_its_children(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    for attempt in best_of_three():
        begin = time.monotonic()
        taken = sh(f"trap '' TERM INT HUP; sleep 60 & echo $! > {pidfile}; wait", within="500ms")
        took = time.monotonic() - begin
        attempt.expect(took < 1.0, took)
        assert took > 0.4
        assert (taken.holds, "was not over within 0.5s and was killed" in taken.problem) == (None, True)
        wait_for(lambda: not running(pidfile), 10)


def test_a_child_that_holds_the_output_open_is_neither_waited_for_nor_left(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    for attempt in best_of_three():
        begin = time.monotonic()
        assert sh(f"sleep 60 & echo $! > {pidfile}; echo 7", wants_number=True).values == (7.0,)
        took = time.monotonic() - begin
        attempt.expect(took < 1.0, took)
        wait_for(lambda: not running(pidfile), 10)


def test_a_child_that_floods_the_output_is_cut_off_when_the_command_ends() -> None:
    for attempt in best_of_three():
        begin = time.monotonic()
        assert sh("yes >&2 & echo 7", wants_number=True).values == (7.0,)
        took = time.monotonic() - begin
        attempt.expect(took < 1.0, took)


def test_a_flood_of_output_is_bounded_in_memory_and_time() -> None:
    before = psutil.Process().memory_info().rss
    assert sh("head -c 100000000 /dev/zero | tr '\\0' x; echo; echo 4", within="20s", wants_number=True).values == (
        4.0,
    )
    assert "was not over within 0.3s" in run("yes", within="300ms").problem
    assert psutil.Process().memory_info().rss - before < 20_000_000


def test_a_command_that_closes_its_output_early_is_still_judged() -> None:
    assert sh("exec >&- 2>&-; sleep 0.2; exit 0").holds is True


def test_nothing_is_left_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for script in ("true", "exit 2", "sleep 9", "kill -9 $$"):
        sh(script, within="100ms")
    run("no-such-command-here")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
