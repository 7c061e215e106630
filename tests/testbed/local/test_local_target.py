"""Local processes as targets: who is found, who is left out, and how they are reached."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from chaoskit.domain.errors import (
    AccessDenied,
    CommandFailed,
    TargetGone,
    TargetTimeout,
    Unreachable,
    Unsupported,
)
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.targeting import LocalSelector
from chaoskit.targets import local_spawn
from chaoskit.targets.local import LocalSource, LocalTarget
from chaoskit.targets.local_process import Life
from tests.testbed.local.process_parts import look, server_bed, wait_for

MARK = f"local-target-{os.getpid()}"


@contextmanager
def process(*argv: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of ours, gone at the end."""
    started = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
    try:
        # The kernel shows the new command line a moment after Popen has returned.
        wait_for(lambda: bool(Path(f"/proc/{started.pid}/cmdline").read_bytes()))
        yield started
    finally:
        started.kill()
        started.wait(5)
        assert started.stdout is not None
        started.stdout.close()


def sleeper(word: str = "") -> tuple[str, ...]:
    return (sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)", MARK + word)


def ready(started: "subprocess.Popen[bytes]") -> None:
    assert started.stdout is not None
    assert started.stdout.readline() == b"1\n"


def found(**selector: object) -> list[TargetRef]:
    return list(LocalSource(LocalSelector.model_validate(selector)).discover())


def pids(refs: list[TargetRef]) -> list[int]:
    return [int(ref.identity.split(":")[0]) for ref in refs]


@contextmanager
def target_of(pid: int, cmdline: str = MARK) -> Iterator[LocalTarget]:
    source = LocalSource(LocalSelector(cmdline=cmdline))
    ref = next(ref for ref in source.discover() if ref.identity.startswith(f"{pid}:"))
    with source.open(ref) as target:
        yield target


# --- who is found -----------------------------------------------------------------------------------------


def test_processes_are_found_by_a_part_of_their_command_line_and_by_name() -> None:
    with process(*sleeper("-a")) as a, process(*sleeper("-b")) as b:
        assert pids(found(cmdline=MARK)) == sorted([a.pid, b.pid])
        (ref,) = found(cmdline=f"{MARK}-b")
        assert (ref.name, ref.healthy, ref.condition, ref.exclusion) == (
            f"{psutil.Process(b.pid).name()}-{b.pid}",
            True,
            "running",
            "",
        )
        assert ref.id.startswith("local://")
        program = ref.labels["name"]
        assert f"/{program}@{ref.identity}." in ref.id
        assert ref.name.startswith(f"{program}-")
        assert b.pid in pids(found(name=program))
        assert found(name=program, cmdline="no such command line") == []


def test_a_process_is_found_by_its_port_and_says_so() -> None:
    with server_bed() as bed:
        (ref,) = LocalSource(bed.selector).discover()
        assert bed.server is not None
        assert pids([ref]) == [bed.server.pid]
        assert ref.name == f"{ref.labels['name']}-{bed.server.pid}"
        assert ref.labels["port"] == str(bed.selector.port)


def test_a_process_in_another_network_namespace_does_not_have_our_port() -> None:
    with server_bed() as bed:
        port = str(bed.selector.port)
        code = "import socket, time; s = socket.create_server(('127.0.0.1', int(__import__('sys').argv[1])));"
        code += "print(1, flush=True); time.sleep(60)"
        inside = 'ip link set lo up && exec "$@"'
        with process("unshare", "--net", "sh", "-c", inside, "sh", sys.executable, "-c", code, port) as other:
            if other.stdout is None or other.stdout.readline() != b"1\n":
                pytest.skip("missing capability: a network namespace of our own")
            assert bed.server is not None
            assert pids(found(port=int(port))) == [bed.server.pid]


def test_a_process_is_found_by_its_pidfile_unless_the_pid_has_a_new_owner(tmp_path: Path) -> None:
    pidfile = tmp_path / "service.pid"
    assert found(pidfile=str(pidfile)) == []
    with process(*sleeper()) as started:
        pidfile.write_text(f"{started.pid}\n")
        assert pids(found(pidfile=str(pidfile))) == [started.pid]
        assert found(pidfile=str(pidfile), cmdline="no such command line") == []
        long_ago = time.time() - 60
        os.utime(pidfile, (long_ago, long_ago))
        assert found(pidfile=str(pidfile)) == []


def test_a_pidfile_that_is_none_is_refused(tmp_path: Path) -> None:
    pidfile = tmp_path / "service.pid"
    pidfile.write_text("starting\n")
    with pytest.raises(Unsupported, match="does not hold a pid; give the file its service writes"):
        found(pidfile=str(pidfile))
    with pytest.raises(AccessDenied, match="is a directory"):
        found(pidfile=str(tmp_path))


def test_a_stopped_process_is_unhealthy_and_a_zombie_is_not_there() -> None:
    with process(*sleeper()) as started:
        ready(started)
        os.kill(started.pid, signal.SIGSTOP)
        wait_for(lambda: [ref.condition for ref in found(cmdline=MARK)] == ["stopped"])
        assert [ref.healthy for ref in found(cmdline=MARK)] == [False]
        with target_of(started.pid) as target:
            assert target.process().stopped
            started.kill()
            wait_for(lambda: psutil.Process(started.pid).status() == psutil.STATUS_ZOMBIE)
            assert found(cmdline=MARK) == []
            assert not target.process().running
            with pytest.raises(TargetGone):
                target.identity()


# --- who is left out --------------------------------------------------------------------------------------


def exclusion_of(pid: int, **selector: object) -> str:
    return next(ref.exclusion for ref in found(**selector) if ref.identity.startswith(f"{pid}:"))


def test_we_and_what_started_us_are_left_out() -> None:
    ours = psutil.Process()
    assert exclusion_of(ours.pid, name=ours.name()) == "it is chaoskit itself"
    parent = ours.parent()
    assert parent is not None
    if parent.pid != 1:
        assert exclusion_of(parent.pid, name=parent.name()) == "chaoskit was started from it"


def test_process_1_and_threads_of_the_kernel_are_left_out() -> None:
    assert "process 1" in exclusion_of(1, name=psutil.Process(1).name())
    if psutil.pid_exists(2) and psutil.Process(2).name() == "kthreadd":
        assert exclusion_of(2, name="kthreadd") == "it is a thread of the kernel"


def test_another_runner_is_left_out() -> None:
    code = "import time; print(1, flush=True); time.sleep(60)"
    with process(sys.executable, "-c", code, "-m", "chaoskit.guardian", MARK) as guardian:
        assert exclusion_of(guardian.pid, cmdline=MARK) == "it is part of chaoskit"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "no-such-host.invalid"])
def test_what_serves_a_watched_url_is_left_out(host: str) -> None:
    with server_bed() as bed:
        url = f"http://{host}:{bed.selector.port}/"
        (ref,) = LocalSource(bed.selector, watched_urls=[url]).discover()
        assert ref.exclusion == f"it serves {url}, which this run depends on"
        elsewhere = [f"http://192.0.2.7:{bed.selector.port}/", "http://[::1/", "http://x:y/"]
        (ref,) = LocalSource(bed.selector, watched_urls=elsewhere).discover()
        assert ref.exclusion == ""


# --- how they are reached ---------------------------------------------------------------------------------


def test_a_target_is_opened_from_its_reference_alone_even_when_it_is_gone() -> None:
    with process(*sleeper()):
        (ref,) = found(cmdline=MARK)
        with LocalSource(LocalSelector(cmdline=MARK)).open(ref) as target:
            assert (target.id, target.identity()) == (ref.id, ref.identity)
            assert target.process().argv == sleeper()
            assert target.process().cwd == str(Path.cwd())
    with LocalSource(LocalSelector(cmdline=MARK)).open(ref) as target:
        assert not target.process().running
        target.signal_process("KILL")
        assert target.successors() == ()


def test_a_reference_of_another_machine_is_unreachable_here() -> None:
    ref = TargetRef(id="local://elsewhere/nginx@12:345.abc", name="nginx")
    with pytest.raises(Unreachable, match="run chaoskit there"), LocalSource(LocalSelector(name="nginx")).open(ref):
        pass
    odd = TargetRef(id="docker://x/y@z", name="y")
    with pytest.raises(Unsupported), LocalSource(LocalSelector(name="nginx")).open(odd):
        pass


def test_a_recycled_pid_is_never_signalled() -> None:
    with process(*sleeper()) as started:
        ready(started)
        with target_of(started.pid) as target:
            life = target._life
        stale = LocalTarget(target.id, Life(life.pid, life.ticks - 1), LocalSelector(cmdline=MARK))
        other_boot = LocalTarget(target.id, life, LocalSelector(cmdline=MARK), of_this_boot=False)
        for gone in (stale, other_boot):
            assert not gone.process().running
            gone.signal_process("KILL")
            assert [state.pid for state in gone.successors()] == [started.pid]
        time.sleep(0.1)
        assert started.poll() is None
        target.signal_process("TERM")
        assert started.wait(5) == -signal.SIGTERM


def test_a_signal_that_does_not_exist_is_refused() -> None:
    with process(*sleeper()) as started, target_of(started.pid) as target:
        with pytest.raises(Unsupported, match="there is no signal NOPE here"):
            target.signal_process("NOPE")
        assert started.poll() is None


def test_a_process_of_another_user_needs_that_user_or_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("missing capability: to become another user")
    code = (
        "import os, sys\n"
        "from chaoskit.domain.errors import AccessDenied\n"
        "from chaoskit.domain.targeting import LocalSelector\n"
        "from chaoskit.targets.local import LocalSource\n"
        "selectors = LocalSelector(cmdline=sys.argv[1]), LocalSelector(port=int(sys.argv[2]))\n"
        "sources = [LocalSource(selector) for selector in selectors]\n"
        "for source in sources:\n"
        "    assert source.discover()\n"  # and so everything is imported that the other user cannot read
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for source in sources:\n"
        "    try:\n"
        "        with source.open(source.discover()[0]) as target:\n"
        "            target.signal_process('KILL')\n"
        "    except AccessDenied as error:\n"
        "        print(error)\n"
    )
    with server_bed("cmdline") as bed:
        port = str(bed._port)
        argv = [sys.executable, "-c", code, str(bed.selector.cmdline), port]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
        assert "belongs to another user; run chaoskit as root or as that user" in done.stdout.splitlines()[0]
        assert f"port {port} is served by a process of another user" in done.stdout.splitlines()[1]
        assert bed.serving()


def test_a_command_runs_without_a_shell_and_is_bounded_with_its_children(tmp_path: Path) -> None:
    with process(*sleeper()) as started, target_of(started.pid) as target:
        assert target.run("printf", "%s", "$HOME") == (0, "$HOME", "")
        assert target.run("sh", "-c", "echo no >&2; exit 3") == (3, "", "no\n")
        with pytest.raises(CommandFailed, match="no-such-command"):
            target.run("no-such-command")
        pidfile = tmp_path / "pid"
        begin = time.monotonic()
        with pytest.raises(TargetTimeout, match=r"not over within 0\.3s"):
            target.run("sh", "-c", f"sleep 60 & echo $! > {pidfile}; wait", timeout=0.3)
        assert time.monotonic() - begin < 1.5
        wait_for(lambda: look(int(pidfile.read_text())) is None)


# --- starting in the place of another ---------------------------------------------------------------------


def test_a_successor_outlives_us_in_a_session_of_its_own_with_what_the_original_had(
    tmp_path: Path, state_folder: Path
) -> None:
    """Another process starts it and ends at once, as a runner does."""
    output = state_folder / "out.log"
    report = "import os, signal, sys, time; "
    report += "print(os.getsid(0) == os.getpid(), os.environ.get('GREETING'), os.environ.get('TOKEN'), os.getcwd(), "
    report += "signal.getsignal(signal.SIGINT) is signal.default_int_handler, open('/proc/self/status').read()"
    report += ".split('SigIgn:')[1].split()[0], flush=True); time.sleep(60)"
    code = (
        "import sys\n"
        "from chaoskit.targets.local_spawn import remember, spawn\n"
        "from chaoskit.targets.local_process import Life\n"
        "life = Life(int(sys.argv[1]), int(sys.argv[2]))\n"
        "remember(life, sys.argv[3])\n"
        "print(spawn(sys.argv[5:], sys.argv[4], sys.argv[3], life))\n"
    )
    env = {**os.environ, "GREETING": "hello-world"}
    original = subprocess.Popen(sleeper(), env=env, stdout=subprocess.DEVNULL, start_new_session=True)
    pid = 0
    try:
        alive = look(original.pid)
        assert alive is not None
        successor = [sys.executable, "-c", report, MARK]
        arguments = [str(original.pid), alive.started, str(output), str(tmp_path), *successor]
        runner = [sys.executable, "-c", code, *arguments]
        runner_env = {**os.environ, "TOKEN": "of the runner"}
        done = subprocess.run(
            ["nohup", *runner], env=runner_env, capture_output=True, text=True, timeout=30, check=True
        )
        pid = int(done.stdout)
        wait_for(lambda: output.exists() and bool(output.read_text().strip()))
        words = output.read_text().split()
        assert words[:-1] == ["True", "hello-world", "None", str(tmp_path), "True"]
        # Python itself ignores SIGPIPE and SIGXFSZ, and the C library its own two; nohup's ignored SIGHUP is gone.
        assert int(words[-1], 16) & ~0x180000000 == 0x1001000
        aside = Path(f"{output}.environ")
        assert "hello-world" in aside.read_text()
        assert [path.stat().st_mode & 0o777 for path in (aside, output, output.parent)] == [0o600, 0o600, 0o700]
        assert local_spawn.in_place_of(pid) == f"{original.pid}:{alive.started}"
        assert local_spawn.spawn(["false"], "/", str(output), Life(original.pid, int(alive.started))) == pid
        local_spawn.forget(str(output))
        assert not aside.exists()
        local_spawn.forget(str(output))
    finally:
        original.kill()
        original.wait(5)
        if pid:
            os.kill(pid, signal.SIGKILL)


def test_without_the_original_environment_a_successor_gets_none_of_our_secrets(
    state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROM_TOKEN", "s3cret")
    output = state_folder / "out.log"
    pid = local_spawn.spawn(["sh", "-c", "env; sleep 60"], "/", str(output), Life(4_000_000, 1))
    try:
        wait_for(lambda: "PATH=" in output.read_text())
        assert "s3cret" not in output.read_text()
        assert f"{local_spawn.MARK}=4000000:1" in output.read_text()
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_workers_of_a_successor_are_not_in_the_place_of_anybody(state_folder: Path) -> None:
    pid = local_spawn.spawn(["sh", "-c", "sleep 60 & wait"], "/", str(state_folder / "out"), Life(4_000_000, 1))
    try:
        wait_for(lambda: bool(psutil.Process(pid).children()))
        (worker,) = psutil.Process(pid).children()
        wait_for(lambda: worker.name() == "sleep")
        assert local_spawn.in_place_of(pid) == "4000000:1"
        assert local_spawn.in_place_of(worker.pid) == ""
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_what_cannot_be_started_says_so(state_folder: Path) -> None:
    output, original = str(state_folder / "out"), Life(4_000_000, 1)
    with pytest.raises(CommandFailed, match="there is no such program"):
        local_spawn.spawn(["no-such-program"], "/", output, original)
    with pytest.raises(CommandFailed, match="there is no folder /nowhere any more"):
        local_spawn.spawn(["true"], "/nowhere", output, original)
