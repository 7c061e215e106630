"""Process faults: facts in, exact commands out."""

import re
import shlex
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from chaoskit.domain.capabilities import Completed, Owner, ProcessState
from chaoskit.domain.errors import Unsupported
from chaoskit.faults._processes import Life, newest, program, usurped
from chaoskit.faults.process_kill import KillInjection, ProcessKill
from chaoskit.faults.process_pause import PauseInjection, ProcessPause

ROOT = Owner(uid=0, gid=0, real_uid=0, real_gid=0)
WWW = Owner(uid=33, gid=33, real_uid=33, real_gid=33, groups=(4, 33))
NGINX = ProcessState(
    pid=812,
    running=True,
    started_at=55.5,
    ticks=5550,
    argv=("/usr/sbin/nginx", "-g", "password s3cret"),
    cwd="/srv/my site",
    owner=ROOT,
)
WORKER = ProcessState(pid=813, running=True, started_at=55.6, argv=("nginx: worker process",))


class OneProcess:
    """A target that answers with fixed facts and refuses to be touched."""

    id = "local://host/nginx@812:5550.b00t"

    def __init__(
        self, owner: Owner | None = ROOT, ours: Owner | None = ROOT, argv: tuple[str, ...] = NGINX.argv
    ) -> None:
        self._owner, self._ours, self._argv = owner, ours, argv

    def identity(self) -> str:
        return "812:5550"

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:
        assert argv[:2] == ("sh", "-c")
        return Completed(0, "", "")

    def process(self) -> ProcessState:
        return NGINX.model_copy(update={"owner": self._owner, "argv": self._argv})

    def successors(self) -> tuple[ProcessState, ...]:
        return (WORKER,)

    def spawns_as(self) -> Owner | None:
        return self._ours

    def signal_process(self, name: str) -> None:
        raise AssertionError(name)

    def spawn(self, argv: Sequence[str], cwd: str, output: str) -> int:
        raise AssertionError(argv)


@pytest.fixture(autouse=True)
def state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")


def test_a_kill_with_a_restart_says_each_command() -> None:
    made = ProcessKill(restart=("/usr/sbin/nginx", "-c", "my.conf")).prepare(OneProcess(), "chaoskit-r-1")
    assert made == KillInjection(
        tag="chaoskit-r-1",
        target=OneProcess.id,
        signal="KILL",
        before=NGINX.model_copy(update={"argv": ("/usr/sbin/nginx",)}),
        others=(Life(pid=813, started_at=55.6),),
        restart=("/usr/sbin/nginx", "-c", "my.conf"),
        output="/state/chaoskit/processes/chaoskit-r-1.log",
    )
    assert made.actions() == ("kill -KILL 812  # /usr/sbin/nginx",)
    assert made.undo() == (
        "unless it runs again: /usr/sbin/nginx -c my.conf, in /srv/my site, as our own user",
        "restored: a new process that matches the selector runs and is not stopped, with the rights of uid 0, gid 0",
    )
    log = "/state/chaoskit/processes/chaoskit-r-1.log"
    start = f'exec setsid --fork env "$@" /usr/sbin/nginx -c my.conf >>{log} 2>&1'
    line = f"cd '/srv/my site' && cat {log}.environ 2>/dev/null | xargs -0 sh -c {shlex.quote(start)} sh"
    assert made.by_hand() == (f"{line}  # unless it runs again, with the rights of uid 0, gid 0",)
    assert made.revert_within == 15.5


def test_a_supervised_kill_says_whom_to_ask() -> None:
    made = ProcessKill(signal="TERM", supervised=True).prepare(OneProcess(), "chaoskit-r-1")
    assert (made.restart, made.output) == (None, "")
    assert made.actions() == ("kill -TERM 812  # /usr/sbin/nginx",)
    assert made.undo()[0] == "wait until its supervisor has started it again"
    assert made.by_hand() == (
        "ps -eo pid,lstart,args  # unless /usr/sbin/nginx runs again, have its supervisor start it",
    )
    assert made.revert_within == 25.0


SETPRIV = """restart: ["setpriv", "--reuid=33", "--regid=33", "--groups=4,33", "--", "PROGRAM", "ARGUMENT"]"""


@pytest.mark.parametrize(
    ("owner", "ours", "problem"),
    [
        (WWW, ROOT, f"the rights of uid 0, gid 0, and it has those of uid 33, gid 33, groups 4,33; write {SETPRIV}"),
        (WWW, WWW.model_copy(update={"groups": (33,)}), "of uid 33, gid 33, and it has those of uid 33, gid 33, group"),
        (WWW.model_copy(update={"real_uid": 0}), WWW, r"has those of uid 33, gid 33 (really 0 and 33), groups 4,33;"),
        (ROOT.model_copy(update={"gid": 5, "real_gid": 5}), ROOT, '"--reuid=0", "--regid=5", "--clear-groups"'),
        (None, ROOT, "of a user that cannot be read; write restart: [PROGRAM, ARGUMENT, ...]"),
        (ROOT, None, "with the rights of chaoskit, and it has those of uid 0, gid 0"),
    ],
)
def test_restart_same_is_refused_where_it_would_change_the_rights(
    owner: Owner | None, ours: Owner | None, problem: str
) -> None:
    with pytest.raises(Unsupported, match=re.escape(problem)):
        ProcessKill(restart="same").prepare(OneProcess(owner, ours), "chaoskit-r-1")
    assert ProcessKill(restart=("/usr/sbin/nginx",)).prepare(OneProcess(owner, ours), "t").before.owner == owner


def test_restart_same_is_for_a_process_with_our_rights() -> None:
    made = ProcessKill(restart="same").prepare(OneProcess(WWW, WWW), "chaoskit-r-1")
    assert made.restart == NGINX.argv


def test_restart_same_is_refused_where_the_journal_would_hold_a_secret() -> None:
    target = OneProcess(argv=("/usr/bin/redis-server", "--requirepass", "s3cret"))
    words = r"restart: same: the command line holds a secret \(--requirepass\).* or write restart: \[SCRIPT\]"
    with pytest.raises(Unsupported, match=words) as refused:
        ProcessKill(restart="same").prepare(target, "chaoskit-r-1")
    assert "s3cret" not in str(refused.value)
    assert ProcessKill(supervised=True).prepare(target, "chaoskit-r-1").restart is None


def test_a_process_with_other_rights_is_no_replacement() -> None:
    as_root, as_www = (WORKER.model_copy(update={"owner": owner}) for owner in (ROOT, WWW))
    assert usurped([as_root, as_www], WWW) == ""
    assert usurped([as_root], None) == ""
    assert usurped([], WWW) == ""
    assert usurped([as_root], WWW) == (
        "process 813 has the rights of uid 0, gid 0, and it had those of uid 33, gid 33, groups 4,33 before; "
        "end it, and have it started with those"
    )


def test_a_pause_says_each_command() -> None:
    made = ProcessPause().prepare(OneProcess(), "chaoskit-r-2")
    assert isinstance(made, PauseInjection)
    assert made.actions() == ("kill -STOP 812",)
    assert made.undo()[0] == "kill -CONT 812, if it is still the process that started then"
    assert made.by_hand() == ("kill -CONT 812",)
    assert made.undo_script() == (
        "[ -e /proc/812 ] || exit 0\n"
        "stat=$(cat /proc/812/stat) || exit 1\n"
        "set -- ${stat##*)} # the name of the program, which may hold anything, is cut off\n"
        '[ "${20}" != 5550 ] || kill -CONT 812\n'
    )


def test_a_pause_that_could_hit_another_life_of_the_pid_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneProcess, "process", lambda _: NGINX.model_copy(update={"ticks": 0}))
    with pytest.raises(Unsupported, match="does not tell the start of its process in ticks"):
        ProcessPause().prepare(OneProcess(), "chaoskit-r-2")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"signal": "STOP"}, "SIGSTOP freezes a process without ending it; use process.pause"),
        ({"signal": "HUP"}, "'HUP' is not a signal that ends a process; write for example KILL or TERM"),
        ({"signal": 9}, "9 is not a signal that ends a process"),
        ({"restart": []}, "at least 1 item"),
        ({"restart": "nginx"}, "valid tuple"),
        ({"restart": ["nginx"], "supervised": True}, "write either restart or supervised"),
        ({"resart": ["nginx"]}, "Extra inputs"),
    ],
)
def test_a_kill_that_cannot_be_meant_is_refused(parameters: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ProcessKill.model_validate(parameters)


@pytest.mark.parametrize(("written", "name"), [("KILL", "KILL"), ("sigterm", "TERM"), ("Quit", "QUIT")])
def test_signals_are_written_as_people_do(written: str, name: str) -> None:
    assert ProcessKill.model_validate({"signal": written}).signal == name


def test_every_example_is_valid() -> None:
    for fault in (ProcessKill, ProcessPause):
        for example in fault.examples:
            assert fault.model_validate(example).kind == fault.kind


def test_a_program_is_shown_as_one_word() -> None:
    assert program(NGINX) == "/usr/sbin/nginx"
    assert program(WORKER) == "nginx:"
    assert program(ProcessState(pid=2, running=True)) == "the process"
    assert newest([WORKER, NGINX]) == WORKER
