"""Dead-man timers, on this machine under each shell and in a container: they fire when nobody renews them."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaoskit.domain.errors import TargetError
from chaoskit.targets import deadman
from tests.testbed.deadman.conftest import EVERYWHERE, bare, needs_root
from tests.testbed.deadman.timers import (
    Place,
    Timer,
    With,
    script,
    state_of,
    this_machine,
    timer,
    tools,
    uptime,
    wait_for,
)

LEASE = 2.0
NEVER = 600.0
everywhere = pytest.mark.parametrize("place", EVERYWHERE, indirect=True)


# --- the lease ------------------------------------------------------------------------------------------------


@everywhere
def test_a_timer_that_nobody_renews_fires_when_its_lease_is_over(it: Timer) -> None:
    before = uptime()
    it.arm(LEASE)
    armed = uptime()
    at = it.fires()
    assert before + LEASE <= at <= armed + LEASE + deadman.LATE
    wait_for(lambda: not it.loops())
    assert it.files() == {"alive", "log", "loop", "undo", "undone", "why"}


def test_a_timer_that_is_renewed_does_not_fire(it: Timer) -> None:
    it.arm(LEASE)
    until = uptime() + 3 * LEASE
    renewed = 0.0
    while uptime() < until:
        renewed = uptime()
        assert it.renew(LEASE) == ""
        assert it.fired_at() == []
        time.sleep(0.3)
    assert it.fires() >= renewed + LEASE


def test_a_renewal_after_it_fired_says_so(it: Timer) -> None:
    it.arm(0.1)
    it.fires()
    wait_for(lambda: not it.loops())
    assert it.renew() == "it fired (it was not renewed in time) and has undone the injection"
    assert len(it.fired_at()) == 1


def test_a_renewal_of_a_timer_that_is_not_there_says_so(it: Timer) -> None:
    assert it.renew() == "it is not there any more"
    assert it.nothing_left()


@everywhere
def test_a_disarmed_timer_leaves_nothing_and_never_fires(it: Timer) -> None:
    it.arm(LEASE)
    it.disarm()
    assert it.nothing_left()
    it.disarm()
    assert it.nothing_left()
    time.sleep(LEASE + deadman.LATE)
    assert it.fired_at() == []


def test_a_fired_timer_can_be_disarmed(it: Timer) -> None:
    it.arm(0.1)
    it.fires()
    it.disarm()
    assert it.nothing_left()


def test_arming_twice_is_arming_once_with_a_new_lease(it: Timer) -> None:
    it.arm(LEASE)
    first = it.loop
    it.arm(NEVER)
    assert it.loop == first
    assert it.renew(NEVER) == ""
    with pytest.raises(TargetError, match=f"armed already, with another undo; its loop is process {seen_as(first)}"):
        it.arm(0.1, undo="false")
    assert it.loop == first
    time.sleep(LEASE + deadman.LATE)
    assert it.fired_at() == []


def seen_as(pid: int) -> int:
    """The number of a process as its container counts."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1])


def test_its_clock_is_that_of_the_target_and_not_the_time_of_day(it: Timer) -> None:
    before = uptime()
    it.arm(NEVER)
    (state,) = it.folder.glob("until-*")
    assert before + NEVER <= int(state.name.removeprefix("until-")) / 100 <= uptime() + NEVER + 0.02


# --- the loop -------------------------------------------------------------------------------------------------


@everywhere
def test_a_killed_loop_is_noticed(it: Timer) -> None:
    it.arm(NEVER)
    os.kill(it.loop, signal.SIGKILL)
    wait_for(lambda: not it.loops())
    assert it.renew().startswith("its loop has died; to undo by hand: sh /")
    (found,) = found_by_tag(it)
    assert (found.alive, found.state, found.fired) == (False, "held", False)
    it.arm(LEASE)
    assert it.renew(LEASE) == ""
    it.fires()


def found_by_tag(it: Timer) -> list[deadman.Timer]:
    return [found for found in deadman.armed(it.place.target) if found.tag == it.tag]


@everywhere
def test_a_timer_whose_folder_is_removed_fires_at_once(it: Timer) -> None:
    it.arm(NEVER)
    before = uptime()
    it.lose_folder()
    assert it.fires() <= before + deadman.LATE
    wait_for(it.nothing_left)
    assert it.renew() == "it is not there any more"


def test_a_timer_whose_state_is_removed_fires_at_once(it: Timer) -> None:
    it.arm(NEVER)
    next(it.folder.glob("until-*")).unlink()
    it.fires()
    it.disarm()
    assert it.nothing_left()


@everywhere
def test_a_timer_that_is_told_to_end_undoes_first(it: Timer) -> None:
    it.arm(NEVER)
    os.kill(it.loop, signal.SIGHUP)
    before = uptime()
    os.kill(it.loop, signal.SIGTERM)
    assert it.fires() <= before + deadman.LATE
    wait_for(lambda: not it.loops())
    assert it.renew() == "it fired (it was told to end) and has undone the injection"


@everywhere
def test_an_undo_that_fails_is_tried_again(it: Timer) -> None:
    go = f"{it.place.scratch}/{it.tag}.go"
    it.arm(0.1, undo=f"cat {go} && {it.undo}")
    wait_for(lambda: "fired" in it.files())
    wait_for(lambda: "has not undone the injection yet: " in it.renew() and f"{it.tag}.go" in it.renew())
    (found,) = found_by_tag(it)
    assert (found.alive, found.state, found.fired) == (True, "fired", True)
    time.sleep(1.5)
    it.place.seen(go).write_text("")
    it.fires()
    wait_for(lambda: "undone" in it.files())


def test_an_undo_that_never_succeeds_ends_when_it_is_disarmed(it: Timer) -> None:
    it.arm(0.1, undo="false")
    wait_for(lambda: "fired" in it.files())
    it.disarm()
    assert it.nothing_left()


@everywhere
def test_an_undo_is_kept_word_for_word(it: Timer) -> None:
    awkward = """it's "$HOME" `id` \\ $(id) ; é % ' "" %s \\n\n\n  two  blanks"""
    quoted = awkward.replace("'", "'\\''")
    it.arm(0.1, undo=f"printf '%s' '{quoted}' >{it.mark}")
    wait_for(lambda: it.place.read(it.mark) == awkward)


@everywhere
def test_a_loop_holds_on_to_nothing_of_whoever_armed_it(it: Timer) -> None:
    it.arm(NEVER)
    open_files = {str(entry.readlink()) for entry in Path(f"/proc/{it.loop}/fd").iterdir()}
    (folder,) = it.folders()
    assert open_files - {f"{folder}/loop"} == {"/dev/null", f"{folder}/log"}
    assert Path(f"/proc/{it.loop}/cwd").samefile(it.place.root)


# --- races ----------------------------------------------------------------------------------------------------


def slow_mv(folder: Path) -> tuple[str, Path]:
    """A PATH on which renaming takes a while to begin, as on a machine under stress; and a file that is there then."""
    path = tools(folder, "dash")
    script(folder, "mv", f'echo >{folder}/begun\nsleep 4\nexec /bin/mv "$@"')
    return path, folder / "begun"


def test_a_renewal_wins_over_a_loop_that_was_about_to_fire(tmp_path: Path) -> None:
    path, begun = slow_mv(tmp_path / "slow")
    with timer(Place(With(this_machine(), path), Path("/"), str(tmp_path))) as it:
        it.arm(NEVER)
        begun.unlink()
        it.expire()
        wait_for(begun.exists)  # the loop has seen the end of its lease, and is about to say so
        assert deadman.renew(this_machine(), it.tag, NEVER) == ""
        time.sleep(4 + deadman.LATE)
        assert it.fired_at() == []
        assert deadman.renew(this_machine(), it.tag, NEVER) == ""


def test_a_renewal_that_was_about_to_be_made_loses_against_a_loop_that_fires(mine: Timer, tmp_path: Path) -> None:
    path, begun = slow_mv(tmp_path / "slow")
    mine.arm(0.5)
    assert deadman.renew(With(this_machine(), path), mine.tag, NEVER).startswith("it fired")
    assert begun.exists()
    mine.fires()


def test_a_loop_that_cannot_mark_its_end_undoes_and_is_never_told_held(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin", "dash")
    script(tmp_path / "bin", "mv", 'case $3 in */fired) exit 1 ;; esac\nexec /bin/mv "$@"')
    with timer(Place(With(this_machine(), path), Path("/"), str(tmp_path))) as it:
        it.arm(0.1, undo=f"{it.undo}sleep 3")
        it.fires()
        assert deadman.renew(this_machine(), it.tag, NEVER).startswith("its loop has died")
        it.disarm()
        assert it.nothing_left()


def test_no_renewal_is_told_held_once_the_undo_has_begun(here: Place) -> None:
    def hammer(_: int) -> None:
        with timer(here) as it:
            it.arm(0.9)
            answers = []
            until = uptime() + 8
            while uptime() < until:
                fired = bool(it.fired_at())
                answers.append((fired, it.renew(0.3)))
                if answers[-1][1]:
                    break
            assert (True, "") not in answers
            if answers[-1][1]:  # lost once is lost for ever
                assert it.renew(NEVER).startswith("it fired")
                it.fires()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hammer, range(4)))


# --- whoever armed it dies ------------------------------------------------------------------------------------

ARM_AND_HANG = """
import sys, time
from chaoskit.targets import deadman
from tests.testbed.deadman.timers import this_machine
deadman.arm(this_machine(), sys.argv[1], sys.argv[2], float(sys.argv[3]))
print("armed", flush=True)
time.sleep(100)
"""


def test_it_survives_the_runner_its_process_group_and_its_session(mine: Timer) -> None:
    runner = subprocess.Popen(
        [sys.executable, "-c", ARM_AND_HANG, mine.tag, mine.undo, str(LEASE)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[3],
    )
    try:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "armed\n"
        armed, loop = uptime(), mine.loop
        assert os.getsid(loop) == os.getpgid(loop) == loop
    finally:
        os.killpg(runner.pid, signal.SIGHUP)
        os.killpg(runner.pid, signal.SIGKILL)
        runner.communicate(timeout=10)
    assert mine.loop == loop
    assert armed < mine.fires() <= armed + LEASE + deadman.LATE


def test_a_loop_that_hangs_is_noticed_and_can_be_disarmed(mine: Timer) -> None:
    mine.arm(NEVER)
    os.kill(mine.loop, signal.SIGSTOP)
    wait_for(lambda: state_of(mine.loop) == "T")
    wait_for(lambda: mine.renew(NEVER) != "")
    assert "has not looked for 1" in mine.renew(NEVER)
    mine.disarm()
    assert mine.nothing_left()


def test_an_undo_that_hangs_ends_with_its_timer(mine: Timer) -> None:
    mine.arm(0.1, undo=f"{mine.undo}sleep 1000.{os.getpid()}")
    mine.fires()
    mine.disarm()
    assert mine.nothing_left()
    assert subprocess.run(["pgrep", "-f", f"sleep 1000.{os.getpid()}"], check=False, capture_output=True).stdout == b""


# --- what cannot be armed -------------------------------------------------------------------------------------


def test_a_loop_that_does_not_start_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    place = bare(tmp_path, "dash")
    script(tmp_path / "bin", "setsid", "exit 0")
    with timer(place) as it:
        with pytest.raises(TargetError, match=f"{it.tag} on .* could not be armed: its loop did not start"):
            it.arm(LEASE)
        assert it.nothing_left()


def test_a_target_without_a_shell_is_an_error(tmp_path: Path) -> None:
    place = Place(With(this_machine(), str(tmp_path)), Path("/"), str(tmp_path))
    with timer(place) as it, pytest.raises(TargetError, match="could not be armed"):
        it.arm(LEASE)


@needs_root
@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_something_foreign_in_the_way_is_refused_and_left_alone(mine: Timer, tmp_path: Path, kind: str) -> None:
    way = Path("/run", mine.tag)
    if kind == "folder":
        way.mkdir()
        os.chown(way, 12345, 12345)
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        way.symlink_to(tmp_path / "elsewhere")
    else:
        way.touch()
        os.chown(way, 12345, 12345)
    before = os.lstat(way)
    with pytest.raises(TargetError, match=f"/run/{mine.tag} is in the way"):
        mine.arm(LEASE)
    after = os.lstat(way)
    assert (after.st_ino, after.st_uid, after.st_mtime) == (before.st_ino, before.st_uid, before.st_mtime)
    assert not mine.loops()
    mine.disarm()
    assert os.lstat(way).st_ino == before.st_ino
    assert list(tmp_path.glob("elsewhere/*")) == []


@needs_root
def test_a_folder_that_somebody_else_has_taken_over_is_not_believed(mine: Timer) -> None:
    mine.arm(NEVER)
    os.chown(mine.folder, 12345, 12345)
    assert mine.renew(NEVER) == "it is not there any more"
    mine.fires()
    wait_for(lambda: not mine.loops())


# --- looking for them -----------------------------------------------------------------------------------------


def test_every_timer_is_found_without_a_journal(place: Place) -> None:
    with timer(place) as held, timer(place) as fired, timer(place) as orphan, timer(place) as away:
        held.arm(NEVER)
        away.arm(NEVER)
        away.disarm()
        fired.arm(0.1)
        fired.fires()
        wait_for(lambda: not fired.loops())
        orphan.arm(NEVER, undo=f"{orphan.undo}sleep 3")
        orphan.lose_folder()
        orphan.fires()
        found = {one.tag: one for one in deadman.armed(place.target)}
        assert away.tag not in found
        expected = {
            held.tag: ("held", True, False),
            fired.tag: ("undone", False, True),
            orphan.tag: ("gone", True, True),
        }
        assert {tag: (found[tag].state, found[tag].alive, found[tag].fired) for tag in expected} == expected
        assert found[held.tag].folder == held.folders()[0]


def test_what_only_looks_like_a_timer_is_none(mine: Timer) -> None:
    folder = Path("/tmp", mine.tag)
    folder.mkdir()
    assert found_by_tag(mine) == []


def test_the_folder_is_for_its_owner_alone(it: Timer) -> None:
    it.arm(NEVER)
    assert it.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in it.folder.iterdir()} == {0o600}
