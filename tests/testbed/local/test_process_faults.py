"""Process faults where others have a hand in it: supervisors, several replicas, restarts that fail, a dead runner."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaoskit import cleanup
from chaoskit.domain.errors import TargetError, TargetGone, Unsupported
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.targeting import LocalSelector, TargetSpec
from chaoskit.faults.process_kill import KillInjection, ProcessKill
from chaoskit.faults.process_pause import ProcessPause
from chaoskit.settings import Settings
from chaoskit.store.store import Store
from chaoskit.targets.local import LocalSource, LocalTarget
from tests.testbed.local.process_parts import COMMAND, living_in, server_bed, wait_for
from tests.unit.store.builders import begun, intended

TAG = "chaoskit-run-1"


def prepared(bed_target: object, **parameters: object) -> KillInjection:
    assert isinstance(bed_target, LocalTarget)
    return ProcessKill.model_validate(parameters).prepare(bed_target, TAG)


# --- refused before anything is touched -------------------------------------------------------------------


def test_a_kill_without_a_way_back_is_refused() -> None:
    with server_bed() as bed, bed.open() as target:
        with pytest.raises(
            Unsupported, match=r"no undo here; write restart: \[.*\], restart: same or supervised: true"
        ):
            prepared(target)
        with pytest.raises(Unsupported, match=r"restart: no-such-server cannot be run in .*/bed; give the full path"):
            prepared(target, restart=["no-such-server"])
        assert bed.serving()


def test_a_stopped_or_ended_process_is_refused() -> None:
    with server_bed() as bed, bed.open() as target:
        assert bed.server is not None
        os.kill(bed.server.pid, signal.SIGSTOP)
        wait_for(lambda: bed.server is not None and bed.server.state == "T")
        for fault in (ProcessPause(), ProcessKill(supervised=True)):
            with pytest.raises(Unsupported, match=f"stopped already; let it go on first: kill -CONT {bed.server.pid}"):
                fault.prepare(target, TAG)
        bed.stop()
        for fault in (ProcessPause(), ProcessKill(supervised=True)):
            with pytest.raises(TargetGone, match="run `chaoskit plan`"):
                fault.prepare(target, TAG)


# --- kill -------------------------------------------------------------------------------------------------


def test_what_goes_into_the_journal_holds_no_environment_and_no_arguments() -> None:
    with server_bed() as bed, bed.open() as target:
        text = prepared(target, restart=COMMAND).model_dump_json()
        assert "s3cret" not in text
        assert json.loads(text)["before"]["argv"] == [sys.executable]


def test_the_environment_that_was_put_aside_is_gone_after_the_rollback(state_folder: Path) -> None:
    with server_bed() as bed, bed.open() as target:
        injection = prepared(target, restart=COMMAND)
        injection.inject(target)
        (aside,) = state_folder.rglob("*.environ")
        assert "s3cret greeting" in aside.read_text()
        injection.revert(target)
        assert bed.answer().endswith("s3cret greeting")
        assert not aside.exists()


def test_the_environment_that_was_put_aside_is_gone_when_the_residue_is_accepted(
    state_folder: Path, tmp_path: Path
) -> None:
    settings = Settings(reports=tmp_path / "reports")
    with server_bed() as bed, bed.open() as target, Store(tmp_path / "ck.db") as store:
        injection = prepared(target, restart=COMMAND)
        left = intended(kind="process.kill").model_copy(
            update={
                "spec": TargetSpec(local=bed.selector),
                "ref": bed.ref,
                "injection": injection.model_dump(mode="json"),
            }
        )
        store.begin(begun())
        store.append(left)
        injection.inject(target)
        bed.remove()
        (orphaned,) = cleanup.orphans(store)
        restoration = cleanup.restore(orphaned, store, settings)
        assert not restoration.undone[0].restored
        (aside,) = state_folder.rglob("*.environ")
        assert "s3cret greeting" in aside.read_text(), "a later rollback will need it"
        cleanup.accept(orphaned, store, settings, "the server is not needed any more")
        assert not aside.exists()
        assert cleanup.orphans(store) == []


def test_a_supervisor_that_needs_a_moment_is_waited_for() -> None:
    with server_bed(supervised=True) as bed, bed.open() as target:
        injection = prepared(target, supervised=True)
        injection.inject(target)
        assert not bed.serving()
        assert injection.verify(target) != ()
        assert "started by its supervisor" in injection.revert(target)
        assert injection.verify(target) == ()
        assert bed.serving()


def test_no_second_copy_is_started_when_somebody_else_was_faster() -> None:
    with server_bed() as bed, bed.open() as target:
        injection = prepared(target, restart=COMMAND)
        injection.inject(target)
        assert injection.drift(target) == ""
        other = subprocess.Popen(COMMAND, cwd=bed.folder, stderr=subprocess.DEVNULL)
        try:
            wait_for(bed.serving)
            assert injection.drift(target) == f"started again by somebody else as process {other.pid}"
            assert f"runs again as process {other.pid}, started by somebody else" in injection.revert(target)
            assert [alive.pid for alive in living_in(bed.folder)] == [other.pid]
            assert injection.verify(target) == ()
        finally:
            other.kill()
            other.wait(5)


def test_a_restart_that_dies_at_once_is_told_with_where_to_look() -> None:
    with server_bed() as bed, bed.open() as target:
        injection = prepared(target, restart=(sys.executable, "-c", "raise SystemExit('no licence')"))
        injection.inject(target)
        with pytest.raises(TargetError, match=r"nothing that matches the selector stays up; see .*\.log"):
            injection.revert(target)
        assert "no licence" in Path(injection.output).read_text()
        assert injection.verify(target) == (
            f"not running: {sys.executable} (process {injection.before.pid}); nothing new matches its selector",
        )


def test_a_restart_that_matches_for_a_moment_and_then_dies_is_not_back() -> None:
    with server_bed("cmdline") as bed, bed.open() as target:
        short = (sys.executable, "-c", "import time; time.sleep(0.4)", *COMMAND[1:])
        injection = prepared(target, restart=short)
        injection.inject(target)
        with pytest.raises(TargetError, match="stays up"):
            injection.revert(target)
        assert injection.verify(target) != ()


def test_a_process_that_ignores_the_signal_was_not_hit() -> None:
    code = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True);"
    stubborn = [sys.executable, "-c", code + "time.sleep(60)", f"stubborn-{os.getpid()}"]
    started = subprocess.Popen(stubborn, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == b"1\n"
        source = LocalSource(LocalSelector(cmdline=stubborn[-1]))
        with source.open(source.discover()[0]) as target:
            injection = prepared(target, signal="TERM", supervised=True)
            injection.inject(target)
            assert injection.effect(target).bit is False
            assert injection.drift(target) == f"process {started.pid} is still running"
            assert injection.revert(target) == "is still running; nothing to undo"
            assert injection.verify(target) == ()
    finally:
        started.kill()
        started.wait(5)
        assert started.stdout is not None
        started.stdout.close()


def replicas(folder: Path, mark: str, count: int) -> list["subprocess.Popen[bytes]"]:
    argv = (sys.executable, "-c", "import time; time.sleep(60)", mark)
    return [subprocess.Popen(argv, cwd=folder, start_new_session=True) for _ in range(count)]


def running_like(source: LocalSource) -> set[str]:
    return {ref.identity for ref in source.discover()}


def test_two_killed_replicas_come_back_as_two(tmp_path: Path) -> None:
    """Each rollback must start its own, though the other's looks just like it."""
    mark = f"replicas-{os.getpid()}"
    children = replicas(tmp_path, mark, 3)
    source = LocalSource(LocalSelector(cmdline=mark))
    wait_for(lambda: len(running_like(source)) == 3)
    before = source.discover()
    fault = ProcessKill(restart=(sys.executable, "-c", "import time; time.sleep(60)", mark))
    try:
        hit = []
        for n, ref in enumerate(before[:2]):
            with source.open(ref) as target:
                hit.append((ref, fault.prepare(target, f"chaoskit-run-{n}")))
        for ref, injection in hit:
            with source.open(ref) as target:
                injection.inject(target)
        assert len(running_like(source)) == 1
        for ref, injection in reversed(hit):
            with source.open(ref) as target:
                assert injection.verify(target) != ()
                assert "started by chaoskit" in injection.revert(target)
                assert injection.verify(target) == ()
        assert len(running_like(source)) == 3
        assert before[2].identity in running_like(source)
    finally:
        for ref in source.discover():
            os.kill(int(ref.identity.split(":")[0]), signal.SIGKILL)
        for child in children:
            child.wait(5)


def test_one_replacement_for_two_supervised_replicas_is_not_enough(tmp_path: Path) -> None:
    mark = f"pool-{os.getpid()}"
    children = replicas(tmp_path, mark, 3)
    source = LocalSource(LocalSelector(cmdline=mark))
    wait_for(lambda: len(running_like(source)) == 3)
    fault = ProcessKill(supervised=True)
    try:
        hit = []
        for ref in source.discover()[:2]:
            with source.open(ref) as target:
                hit.append((ref, fault.prepare(target, TAG)))

        def residue() -> list[bool]:
            found = []
            for ref, injection in hit:
                with source.open(ref) as target:
                    found.append(injection.verify(target) != ())
            return found

        for ref, injection in hit:
            with source.open(ref) as target:
                injection.inject(target)
        assert residue() == [True, True]
        children += replicas(tmp_path, mark, 1)
        wait_for(lambda: len(running_like(source)) == 2)
        assert any(residue())
        children += replicas(tmp_path, mark, 1)
        wait_for(lambda: len(running_like(source)) == 3)
        assert residue() == [False, False]
    finally:
        for child in children:
            child.kill()
            child.wait(5)


def test_after_a_killed_runner_another_process_restores_from_the_journal_alone(tmp_path: Path) -> None:
    with server_bed() as bed:
        journal = tmp_path / "journal.json"
        runner = subprocess.Popen(
            [sys.executable, "-c", RUNNER, str(journal), bed.selector.model_dump_json(), bed.ref.model_dump_json()],
        )
        wait_for(lambda: journal.exists() and not bed.serving(), 10)
        runner.kill()
        runner.wait(5)
        entry = json.loads(journal.read_text())
        injection = KillInjection.model_validate(entry["injection"])
        with LocalSource(bed.selector).open(TargetRef.model_validate(entry["ref"])) as target:
            assert "started by chaoskit" in injection.revert(target)
            assert injection.verify(target) == ()
        assert bed.answer() == f"{bed.folder} s3cret greeting"


RUNNER = f"""
import json, sys, time
from pathlib import Path
from chaoskit.domain.targeting import LocalSelector
from chaoskit.domain.ports import TargetRef
from chaoskit.faults.process_kill import ProcessKill
from chaoskit.targets.local import LocalSource
journal, selector, ref = Path(sys.argv[1]), sys.argv[2], TargetRef.model_validate_json(sys.argv[3])
with LocalSource(LocalSelector.model_validate_json(selector)).open(ref) as target:
    injection = ProcessKill(restart={COMMAND!r}).prepare(target, "chaoskit-run-1")
    new = journal.with_suffix(".new")
    new.write_text(json.dumps(dict(injection=injection.model_dump(mode="json"), ref=ref.model_dump(mode="json"))))
    new.replace(journal)
    injection.inject(target)
    time.sleep(60)
"""


# --- processes of another user -----------------------------------------------------------------------------

NOBODY = 65534


@contextmanager
def process_of_nobody(*command: str, **changes: Any) -> Iterator[LocalTarget]:
    """A process of another user, or one of ours that becomes that user's."""
    if os.geteuid() != 0:
        pytest.skip("missing capability: to become another user")
    ids: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": [NOBODY]}
    started = subprocess.Popen(command or SLEEPER, cwd="/", start_new_session=True, **(ids | changes))
    source = LocalSource(LocalSelector(cmdline=SLEEPER[-1]))
    try:
        wait_for(lambda: len(source.discover()) == 1 and owner(started.pid) == NOBODY)
        with source.open(source.discover()[0]) as target:
            yield target
    finally:
        for ref in source.discover():
            os.kill(int(ref.identity.split(":")[0]), signal.SIGKILL)
        started.wait(5)


SLEEPER = ("sleep", f"60.{os.getpid():09d}")
"""A program that every user may run, with a word that no other process has."""


def owner(pid: int) -> int:
    """The user of a process, seen without chaoskit."""
    return Path(f"/proc/{pid}").stat().st_uid


def replacement(target: LocalTarget) -> int:
    (now,) = target.successors()
    return now.pid


def test_same_is_refused_for_a_process_of_another_user_and_names_the_command_that_works() -> None:
    with process_of_nobody() as target:
        with pytest.raises(Unsupported, match=r"same would start .* with the rights of uid 0, gid 0") as refused:
            prepared(target, restart="same")
        assert target.process().running
        found = re.search(r"write restart: (\[.*?\])", str(refused.value))
        assert found is not None
        given = json.loads(found[1])
        assert given[-2:] == ["PROGRAM", "ARGUMENT"]
        injection = prepared(target, restart=[*given[:-2], *SLEEPER])
        injection.inject(target)
        assert "started by chaoskit" in injection.revert(target)
        assert injection.verify(target) == ()
        assert owner(replacement(target)) == NOBODY
        assert target.successors()[0].owner == injection.before.owner


def test_a_process_that_gives_up_its_rights_by_itself_is_started_with_ours() -> None:
    code = "import os, time; time.sleep(1.5); os.setgroups([]); os.setgid(65534); os.setuid(65534); time.sleep(60)"
    daemon = (sys.executable, "-c", code, SLEEPER[-1])
    with process_of_nobody(*daemon, user=None, group=None, extra_groups=None) as target:
        with pytest.raises(Unsupported, match="or a command that changes them by itself"):
            prepared(target, restart="same")
        injection = prepared(target, restart=daemon)
        injection.inject(target)
        assert "started by chaoskit" in injection.revert(target)
        assert injection.verify(target) == ()
        assert owner(replacement(target)) == NOBODY


def test_a_replacement_with_other_rights_is_residue_until_a_right_one_runs(state_folder: Path) -> None:
    with process_of_nobody() as target:
        injection = prepared(target, restart=SLEEPER)
        injection.inject(target)
        with pytest.raises(TargetError, match=r"was run, but process .* has the rights of uid 0, gid 0, and it had"):
            injection.revert(target)
        usurper = replacement(target)
        had = "the rights of uid 0, gid 0, and it had those of uid 65534, gid 65534 before"
        hint = "end it, and have it started with those"
        assert injection.verify(target) == (f"process {usurper} has {had}; {hint}",)
        assert list(state_folder.rglob("*.environ")), "whoever starts it by hand needs its environment"
        os.kill(usurper, signal.SIGKILL)
        os.waitpid(usurper, 0)
        by_hand = subprocess.Popen(SLEEPER, cwd="/", user=NOBODY, group=NOBODY, extra_groups=[])
        try:
            wait_for(lambda: len(target.successors()) == 1)
            assert f"runs again as process {by_hand.pid}" in injection.revert(target)
            assert injection.verify(target) == ()
            assert not list(state_folder.rglob("*.environ"))
        finally:
            by_hand.kill()
            by_hand.wait(5)


def test_a_supervisor_that_starts_it_as_another_user_has_not_restored_it() -> None:
    with process_of_nobody() as target:
        injection = prepared(target, supervised=True)
        injection.inject(target)
        supervised = subprocess.Popen(SLEEPER, cwd="/", start_new_session=True)
        try:
            wait_for(lambda: len(target.successors()) == 1)
            assert "has the rights of uid 0, gid 0" in injection.revert(target)
            assert injection.verify(target) != ()
        finally:
            supervised.kill()
            supervised.wait(5)


# --- pause ------------------------------------------------------------------------------------------------


def test_a_paused_process_that_others_continue_or_end_has_drifted() -> None:
    with server_bed() as bed, bed.open() as target:
        injection = ProcessPause().prepare(target, TAG)
        injection.inject(target)
        assert injection.drift(target) == ""
        os.kill(injection.before.pid, signal.SIGCONT)
        wait_for(lambda: injection.drift(target) == "continued by somebody else")
        assert injection.revert(target) == "was not stopped; nothing to undo"
        injection.inject(target)
        os.kill(injection.before.pid, signal.SIGKILL)
        wait_for(lambda: injection.drift(target) == "ended by somebody else")
        assert injection.effect(target).bit is None


def test_a_paused_process_that_its_supervisor_replaced_is_restored() -> None:
    with server_bed(supervised=True) as bed, bed.open() as target:
        injection = ProcessPause().prepare(target, TAG)
        injection.inject(target)
        os.kill(injection.before.pid, signal.SIGKILL)
        wait_for(bed.serving)
        assert bed.server is not None
        assert injection.revert(target) == f"has ended; replaced by process {bed.server.pid}"
        assert injection.verify(target) == ()
        assert target.identity().startswith(f"{bed.server.pid}:")


def test_a_pause_takes_effect_and_is_undone_in_a_moment() -> None:
    with server_bed() as bed, bed.open() as target:
        injection = ProcessPause().prepare(target, TAG)
        begin = time.monotonic()
        injection.inject(target)
        injection.revert(target)
        assert time.monotonic() - begin < 0.5
        assert injection.verify(target) == ()
        assert bed.serving()
