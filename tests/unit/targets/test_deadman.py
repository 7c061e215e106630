"""Dead-man timers: what is run on a target, word for word, and what is made of its answers."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.capabilities import Completed
from chaoskit.domain.errors import CommandFailed, TargetError, TargetGone, TargetTimeout
from chaoskit.domain.journal import tag_of
from chaoskit.targets import deadman
from chaoskit.targets.deadman_shell import ARM, DISARM, LIST, LOOP, RENEW

TAG = "chaoskit-260101t120000abc123-1"
UNDO = "kill -CONT 812"
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
ARMED, RENEWED, DISARMED = Completed(0, "armed\n", ""), Completed(0, "renewed\n", ""), Completed(0, "disarmed\n", "")


class Call(NamedTuple):
    argv: tuple[str, ...]
    timeout: float


class Answering:
    """A target that answers each command with the next of ``answers``, and keeps what was asked."""

    id = "docker://host/web@1"

    def __init__(self, *answers: Completed | TargetError) -> None:
        self._answers = list(answers)
        self.asked: list[Call] = []

    def identity(self) -> str:
        return "1"

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:
        self.asked.append(Call(argv, timeout))
        answer = self._answers.pop(0)
        if isinstance(answer, TargetError):
            raise answer
        return answer


# --- what is asked --------------------------------------------------------------------------------------------


def test_everything_a_shell_gets_are_words_and_never_part_of_its_script() -> None:
    target = Answering(ARMED, RENEWED, DISARMED)
    deadman.arm(target, TAG, UNDO, 12.5)
    assert deadman.renew(target, TAG, 3) == ""
    deadman.disarm(target, TAG)
    assert target.asked == [
        Call(("sh", "-c", ARM, "chaoskit", TAG, "1250", UNDO, LOOP), 30.0),
        Call(("sh", "-c", RENEW, "chaoskit", TAG, "300"), 10.0),
        Call(("sh", "-c", DISARM, "chaoskit", TAG), 40.0),
    ]


def test_the_service_manager_is_asked_with_these_words() -> None:
    """A real one cannot run here; what it is asked is held word for word."""
    wanted = """
  if [ -d /run/systemd/system ] && [ -O /run/systemd/system ] && command -v systemd-run >/dev/null &&
    systemd-run --collect --quiet --unit="$tag" sh "$d/loop" </dev/null >/dev/null 2>&1; then
    return
  fi
"""
    assert wanted in ARM


@given(seconds=st.floats(min_value=0.001, max_value=86400.0))
def test_a_lease_is_never_shorter_than_asked(seconds: float) -> None:
    target = Answering(RENEWED)
    deadman.renew(target, TAG, seconds)
    ((argv, _),) = target.asked
    assert seconds <= int(argv[-1]) / 100 < seconds + 0.011


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 86401])
def test_a_lease_that_is_none_is_refused(seconds: float) -> None:
    target = Answering()
    with pytest.raises(ValueError, match="a lease of"):
        deadman.arm(target, TAG, UNDO, seconds)
    with pytest.raises(ValueError, match="a lease of"):
        deadman.renew(target, TAG, seconds)


@pytest.mark.parametrize("script", ["", " \n", "true\0", "x" * 100_001, "é" * 50_001])
def test_an_undo_that_is_none_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="the undo of"):
        deadman.arm(Answering(), TAG, script, 5)


# --- tags -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "web",
        "chaoskit",
        "chaoskit-r",
        "chaoskit-r-",
        "chaoskit--1x",
        "chaoskit-R-1",
        "chaoskit-r_1-1",
        "chaoskit-r.x-1",
        "chaoskit-../r-1",
        "chaoskit-r-1/",
        "chaoskit-r-1\n",
        " chaoskit-r-1",
        "chaoskit-$(id)-1",
        "chaoskit-é-1",
        "chaoskit-r-\u0661",
        f"chaoskit-{'r' * 81}-1",
    ],
)
def test_what_is_not_a_tag_is_refused_before_anything_is_asked(tag: str) -> None:
    target = Answering()
    with pytest.raises(ValueError, match="is not the tag of an injection"):
        deadman.arm(target, tag, UNDO, 5)
    with pytest.raises(ValueError, match="is not the tag of an injection"):
        deadman.renew(target, tag, 5)
    with pytest.raises(ValueError, match="is not the tag of an injection"):
        deadman.disarm(target, tag)


@given(tag=st.text(max_size=40) | st.from_regex(r"chaoskit-[\x00-\x7f]{1,20}-[0-9]"))
def test_whatever_passes_as_a_tag_holds_nothing_that_a_shell_or_a_path_would_read(tag: str) -> None:
    target = Answering(DISARMED)
    try:
        deadman.disarm(target, tag)
    except ValueError:
        assert target.asked == []
    else:
        assert set(tag) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert tag.startswith("chaoskit-")


@given(run=st.from_regex(r"[a-z0-9]{1,40}", fullmatch=True), n=st.integers(min_value=1, max_value=99999))
def test_every_tag_of_the_journal_is_one(run: str, n: int) -> None:
    deadman.disarm(Answering(DISARMED), tag_of(run, n))


# --- what is made of the answers ------------------------------------------------------------------------------


def test_a_lost_lease_is_told_in_words() -> None:
    target = Answering(Completed(3, "its loop has died; to undo by hand: sh /run/x/undo\n", ""))
    assert deadman.renew(target, TAG, 5) == "its loop has died; to undo by hand: sh /run/x/undo"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Completed(0, "", ""), "the shell ended with status 0"),
        (Completed(0, "renewe", ""), "renewe"),
        (Completed(3, "", ""), "the shell ended with status 3"),
        (Completed(1, "", "no clock\n\n  here\n"), "no clock;   here"),
        (Completed(2, "renewed\n", "syntax error"), "syntax error"),
        (Completed(-1, "", ""), "the shell ended with status -1"),
    ],
)
def test_an_answer_that_says_nothing_is_never_taken_for_held(answer: Completed, said: str) -> None:
    with pytest.raises(TargetError, match=re.escape(f"timer {TAG} on {Answering.id} could not be renewed: {said}")):
        deadman.renew(Answering(answer), TAG, 5)


@pytest.mark.parametrize("answer", [Completed(0, "", ""), Completed(1, "disarmed\n", ""), Completed(0, "armed\n", "")])
def test_a_disarming_that_is_not_proven_is_an_error(answer: Completed) -> None:
    with pytest.raises(TargetError, match="could not be disarmed"):
        deadman.disarm(Answering(answer), TAG)


def test_errors_show_what_failed_and_not_the_script() -> None:
    trouble = TargetTimeout(f"`sh -c {ARM}` was not over within 10s")
    with pytest.raises(TargetTimeout) as late:
        deadman.disarm(Answering(trouble), TAG)
    assert str(late.value) == f"the dead-man timer {TAG} on {Answering.id} could not be disarmed within 40s"
    with pytest.raises(TargetError) as missing:
        deadman.disarm(Answering(CommandFailed(("sh", "-c", ARM), 127, "not found")), TAG)
    assert str(missing.value).endswith("could not be disarmed: it has no POSIX shell `sh`")


@pytest.mark.parametrize("trouble", [TargetTimeout("late"), TargetError("cut off")])
def test_an_arming_that_may_have_come_through_is_taken_back(trouble: TargetError) -> None:
    target = Answering(trouble, DISARMED)
    with pytest.raises(type(trouble)):
        deadman.arm(target, TAG, UNDO, 5)
    assert [call.argv[2] for call in target.asked] == [ARM, DISARM]


@pytest.mark.parametrize("status", [-1, 2, 137])
def test_an_arming_that_was_cut_short_is_taken_back(status: int) -> None:
    target = Answering(Completed(status, "", ""), TargetGone("gone"))
    with pytest.raises(TargetError, match="could not be armed"):
        deadman.arm(target, TAG, UNDO, 5)
    assert [call.argv[2] for call in target.asked] == [ARM, DISARM]


def test_an_arming_that_was_refused_leaves_an_earlier_timer_alone() -> None:
    target = Answering(Completed(1, "", "it is armed already, with another undo\n"))
    with pytest.raises(TargetError, match="could not be armed: it is armed already, with another undo"):
        deadman.arm(target, TAG, UNDO, 5)
    assert [call.argv[2] for call in target.asked] == [ARM]


def test_the_list_of_timers_is_read() -> None:
    listed = Completed(
        0,
        "until-1234 alive /run/chaoskit-b-2\n"
        "undone dead /tmp/chaoskit-b-1\n"
        "gone alive /dev/shm/chaoskit-a-7\n"
        "fired dead /tmp/chaoskit-x y-1\n"
        "fired\n"
        "held alive /tmp/chaoskit-tools\n"
        "listed\n",
        "",
    )
    found = deadman.armed(Answering(listed))
    assert found == (
        deadman.Timer("chaoskit-a-7", "/dev/shm/chaoskit-a-7", alive=True, state="gone"),
        deadman.Timer("chaoskit-b-1", "/tmp/chaoskit-b-1", alive=False, state="undone"),
        deadman.Timer("chaoskit-b-2", "/run/chaoskit-b-2", alive=True, state="held"),
    )
    assert [one.fired for one in found] == [True, True, False]


@pytest.mark.parametrize("answer", [Completed(0, "", ""), Completed(1, "listed\n", "x"), Completed(0, "held", "")])
def test_half_a_list_is_an_error(answer: Completed) -> None:
    with pytest.raises(TargetError, match=f"the dead-man timers on {Answering.id} cannot be listed"):
        deadman.armed(Answering(answer))


# --- the shell text -------------------------------------------------------------------------------------------


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> Sequence[str]:
    """Each shell that targets may have."""
    if shutil.which(SHELLS[request.param][0]) is None:
        pytest.skip(f"missing capability: the shell {request.param}")
    return SHELLS[request.param]


def feed(shell: Sequence[str], *words: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*shell, *words], input=text, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("script", [LOOP, ARM, RENEW, DISARM, LIST], ids=["loop", "arm", "renew", "disarm", "list"])
def test_every_shell_can_read_it(shell: Sequence[str], script: str) -> None:
    done = feed(shell, "-n", text=script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


CLOCK = re.search(r"^clock\(\).*?^}", RENEW, re.MULTILINE | re.DOTALL)


@given(uptimes=st.lists(st.integers(min_value=0, max_value=10**11), min_size=1, max_size=30))
def test_every_shell_reads_the_time_alike(uptimes: list[int]) -> None:
    assert CLOCK is not None
    script = CLOCK[0].replace("</proc/uptime", "") + "\nwhile clock; do echo $now; done"
    text = "".join(f"{hundredths // 100}.{hundredths % 100:02} 12.34\n" for hundredths in uptimes)
    for shell in SHELLS.values():
        if shutil.which(shell[0]) is not None:
            done = feed(shell, "-c", script, text=text)
            assert [int(line) for line in done.stdout.split()] == uptimes, done.stderr
