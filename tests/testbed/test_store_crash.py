"""The store among real processes: killed while writing, racing for a target, out of space, out of rights."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from chaoskit.domain.errors import StoreFailed
from chaoskit.domain.journal import Restored
from chaoskit.store import Store
from chaoskit.store.liveness import host

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOBODY = 65534

PRELUDE = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from chaoskit.domain.errors import Blocked, StoreFailed
from chaoskit.domain.targeting import TargetSpec
from chaoskit.domain.journal import Intended, Restored
from chaoskit.domain.limits import Limits
from chaoskit.domain.ports import TargetRef
from chaoskit.store import Store

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def ended(run, n):
    return Restored(run=run, n=n, at=datetime.now(UTC), note="x" * 2000)

def intended(run, n, target, **labels):
    spec = TargetSpec.model_validate({"local": {"port": 80}})
    ref = TargetRef(id=f"local://{target}", name=target, labels=labels)
    at = datetime.now(UTC)
    return Intended(run=run, n=n, at=at, kind="k", step=0, group="g", spec=spec, ref=ref, injection={})
"""

APPEND_FOR_EVER = """
say("ready")
store = Store(Path(sys.argv[1]))
for n in range(int(sys.argv[2]), 1_000_000):
    store.append(ended("a", n), ended("b", n))
    say(n)
"""

OPEN_EACH = """
store = Store(Path(sys.argv[1]).with_name("warm.db")); store.entries(); store.close()
say("ready")
for line in sys.stdin:
    with Store(Path(line.strip())) as store:
        store.append(ended(sys.argv[2], 1))
        store.append(ended(sys.argv[2], 2))
    say("done")
"""

CLAIM_EACH = """
me = sys.argv[2]
store = Store(Path(sys.argv[1])); store.entries()
say("ready")
for n, line in enumerate(sys.stdin):
    try:
        store.claim(intended(me, n, "free-" + me), intended(me, n + 1000, line.strip()), live=lambda run: True)
        say("won")
    except Blocked as blocked:
        say("lost", len(blocked.reasons), blocked.reasons[0])
"""

CLAIM_WITHIN_LIMITS = """
me = sys.argv[2]
store = Store(Path(sys.argv[1])); store.entries()
limits = Limits.model_validate_json(sys.argv[3])
say("ready")
n = 0
for line in sys.stdin:
    if line.strip() == "end":
        store.append(ended(me, n))
        say("ended")
        continue
    n += 1
    try:
        store.claim(intended(me, n, "of-" + me, service=line.strip()), live=lambda run: True, limits=limits)
        say("won")
    except Blocked as blocked:
        say("lost", *blocked.reasons)
"""

POLL = """
store = Store(Path(sys.argv[1])); store.halted("r")
say("ready")
import time
until = time.monotonic() + 20
while time.monotonic() < until:
    if (reason := store.halted("r")) is not None:
        say(reason)
        break
    time.sleep(0.005)
"""

LESS_RIGHTS = """
warm = Store(Path(sys.argv[1]).with_name("warm.db")); warm.entries(); warm.close()
if os.geteuid() == 0:
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
store = Store(Path(sys.argv[1]))
for use in (store.entries, lambda: store.append(ended("r", 1))):
    try:
        use()
        say("used")
    except StoreFailed as failed:
        say(failed)
"""


@contextmanager
def child(code: str, *argv: object, under: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Another process, which is gone at the end whatever happens."""
    command = [*under, sys.executable, "-c", PRELUDE + code, *map(str, argv)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def line_of(process: subprocess.Popen[str]) -> str:
    return pipes(process)[1].readline().strip()


def tell(process: subprocess.Popen[str], line: object) -> None:
    stdin, _ = pipes(process)
    stdin.write(f"{line}\n")
    stdin.flush()


def journal_of(path: Path) -> dict[str, list[int]]:
    with Store(path) as store:
        return {run: [entry.n for entry in store.entries(run)] for run in ("a", "b")}


# --- killed while writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("returned", [0, 1, 2, 3, 5, 8, 60, 300])
def test_every_append_that_returned_outlives_a_sigkill(tmp_path: Path, returned: int) -> None:
    path = tmp_path / "state" / "chaoskit.db"
    first = 0
    for _ in range(3):
        with child(APPEND_FOR_EVER, path, first) as writer:
            assert line_of(writer) == "ready"
            said = [int(line_of(writer)) for _ in range(returned)]
            os.kill(writer.pid, signal.SIGKILL)
            said += [int(line) for line in pipes(writer)[1].read().split()]
        found = journal_of(path)
        assert found["a"] == found["b"], "an append is all there or not at all"
        last = said[-1] if said else first - 1
        # All that returned is there, once and in order; of the one that was under way nothing is promised.
        assert found["a"] in (list(range(last + 1)), list(range(last + 2)))
        first = len(found["a"])


@pytest.mark.parametrize("step", range(20))
def test_a_process_killed_while_it_makes_the_store_leaves_one_that_works(tmp_path: Path, step: int) -> None:
    path = tmp_path / "state" / "chaoskit.db"
    with child(OPEN_EACH, tmp_path / "a", "a") as maker:
        assert line_of(maker) == "ready"
        tell(maker, path)
        # Making it takes some 15 ms: the kills fall before, between its file, its log and its tables, and after.
        time.sleep(step * 0.8 / 1000)
        os.kill(maker.pid, signal.SIGKILL)
    with Store(path) as store:
        found = [entry.n for entry in store.entries("a")]
        assert found in ([], [1], [1, 2])
        store.append(Restored(run="a", n=3, at=NOW, note=""))
        assert [entry.n for entry in store.entries("a")] == [*found, 3]


def test_no_append_returns_before_its_sync_does(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("missing capability: strace")
    under = (strace, "-qq", "-o", str(trace), "-e", "trace=fsync,fdatasync,write")
    with child(APPEND_FOR_EVER, tmp_path / "chaoskit.db", 0, under=under) as writer:
        if line_of(writer) != "ready":
            pytest.skip("missing capability: tracing our own children")
        said = [line_of(writer) for _ in range(20)]
        os.kill(writer.pid, signal.SIGTERM)
    assert said == [str(n) for n in range(20)]
    calls = [line.partition("(")[0] for line in trace.read_text().splitlines() if "ENOSYS" not in line]
    rounds = " ".join(calls).split("write")[2:21]  # what happened between one append's return and the next one's
    assert len(rounds) == 19
    assert all("sync" in between for between in rounds)


# --- many processes -------------------------------------------------------------------------------------------


def test_of_processes_that_claim_one_target_at_once_exactly_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "chaoskit.db"
    with child(CLAIM_EACH, path, "a") as a, child(CLAIM_EACH, path, "b") as b, child(CLAIM_EACH, path, "c") as c:
        racers = {"a": a, "b": b, "c": c}
        assert [line_of(racer) for racer in racers.values()] == ["ready"] * 3
        winners = []
        for n in range(25):
            for racer in racers.values():
                tell(racer, f"web-{n}")
            answers = {name: line_of(racer) for name, racer in racers.items()}
            (winner,) = (name for name, answer in answers.items() if answer == "won")
            winners.append(winner)
            lost = [answer for answer in answers.values() if answer != "won"]
            assert all(f"lost 1 target web-{n} (local://web-{n}) is held by run {winner}" in answer for answer in lost)
    with Store(path) as store:
        held = {i.ref.name: i.run for i in store.outstanding() if i.ref.name.startswith("web-")}
        assert held == {f"web-{n}": winner for n, winner in enumerate(winners)}
        assert len(store.entries()) == 2 * 25, "a claim that lost wrote nothing"


@pytest.mark.parametrize(("limit", "most"), [('{"max_runs": 2}', 2), ('{"max_per_label": {"service": 3}}', 3)])
def test_of_processes_that_claim_different_targets_at_once_never_more_than_the_limit_win(
    tmp_path: Path, limit: str, most: int
) -> None:
    path = tmp_path / "chaoskit.db"
    with ExitStack() as stack:
        racers = {name: stack.enter_context(child(CLAIM_WITHIN_LIMITS, path, name, limit)) for name in "abcde"}
        assert [line_of(racer) for racer in racers.values()] == ["ready"] * 5
        for _ in range(15):
            for racer in racers.values():
                tell(racer, "pay")
            answers = {name: line_of(racer) for name, racer in racers.items()}
            winners = [name for name, answer in answers.items() if answer == "won"]
            assert len(winners) == most
            lost = [answer for answer in answers.values() if answer != "won"]
            assert all(f"{most} at once may hold targets" in answer for answer in lost)
            assert all(f"`chaoskit halt {winner}`" in answer for winner in winners for answer in lost)
            for name in winners:
                tell(racers[name], "end")
                assert line_of(racers[name]) == "ended"
    with Store(path) as store:
        assert store.outstanding() == []
        assert len(store.entries()) == 15 * most * 2, "a claim that lost wrote nothing"


def test_processes_that_make_the_store_at_once_share_it(tmp_path: Path) -> None:
    with child(OPEN_EACH, tmp_path / "a", "a") as a, child(OPEN_EACH, tmp_path / "a", "b") as b:
        assert (line_of(a), line_of(b)) == ("ready", "ready")
        for n in range(25):
            path = tmp_path / f"state-{n}" / "chaoskit.db"
            tell(a, path)
            tell(b, path)
            assert (line_of(a), line_of(b)) == ("done", "done")
            assert journal_of(path) == {"a": [1, 2], "b": [1, 2]}


def test_processes_that_open_and_close_the_store_all_the_time_never_meet_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "state" / "chaoskit.db"
    with child(OPEN_EACH, tmp_path / "a", "a") as a, child(OPEN_EACH, tmp_path / "a", "b") as b:
        assert (line_of(a), line_of(b)) == ("ready", "ready")
        for _ in range(100):
            tell(a, path)
            tell(b, path)
        assert [line_of(a) for _ in range(100)] == [line_of(b) for _ in range(100)] == ["done"] * 100
    assert journal_of(path) == {"a": [1, 2] * 100, "b": [1, 2] * 100}


def test_a_halt_from_another_process_reaches_the_run_at_its_next_look(tmp_path: Path) -> None:
    path = tmp_path / "chaoskit.db"
    with child(POLL, path) as runner, Store(path) as store:
        assert line_of(runner) == "ready"
        began = time.monotonic()
        store.engage("all", "incident", "ada", NOW)
        assert line_of(runner) == "incident"
        assert time.monotonic() - began < 1


def test_a_process_in_its_own_pid_namespace_is_on_another_host(tmp_path: Path) -> None:
    del tmp_path
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("missing capability: unshare")
    tell_host = [sys.executable, "-c", "from chaoskit.store.liveness import host; print(host())"]
    inside = subprocess.run(
        [unshare, "--pid", "--fork", "--mount-proc", *tell_host],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if "unshare failed" in inside.stderr:
        pytest.skip(f"missing capability: a pid namespace ({inside.stderr.strip()})")
    outside = subprocess.run(tell_host, capture_output=True, text=True, timeout=30, check=True)
    assert outside.stdout.strip() == host()
    assert inside.stdout.strip() != host()
    assert inside.stdout.partition("/")[0] == host().partition("/")[0]


# --- out of space ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of half a mebibyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "chaoskit-test", str(disk)]
    tried = subprocess.run(mount, capture_output=True, text=True, timeout=10, check=False)
    if tried.returncode:
        pytest.skip(f"missing capability: mounting a tmpfs ({tried.stderr.strip()})")
    yield disk
    subprocess.run(["umount", str(disk)], timeout=10, check=True)


def append_until_refused(store: Store) -> int:
    for n in range(1000):
        try:
            store.append(Restored(run="a", n=n, at=NOW, note="x" * 2000))
        except StoreFailed as failed:
            assert "the disk is full; free some space on it" in str(failed)  # noqa: PT017 which append fails is not known
            return n
    return 1000


def test_a_full_disk_refuses_the_entry_and_keeps_all_before_it(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 100_000)
    with Store(small_disk / "state" / "chaoskit.db") as store:
        written = append_until_refused(store)
        assert 10 < written < 1000
        assert [entry.n for entry in store.entries()] == list(range(written)), "readable while the disk is full"
        ballast.unlink()
        store.append(Restored(run="a", n=written, at=NOW, note=""))
        assert [entry.n for entry in store.entries()] == list(range(written + 1))


def test_a_store_that_could_not_be_made_for_want_of_space_is_made_later(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(b"x" * 1_000_000)
    with Store(small_disk / "chaoskit.db") as store:
        with pytest.raises(StoreFailed, match=r"cannot be used: .*"):
            store.append(Restored(run="a", n=1, at=NOW, note=""))
        ballast.unlink()
        store.append(Restored(run="a", n=1, at=NOW, note=""))
        assert len(store.entries()) == 1


# --- out of rights --------------------------------------------------------------------------------------------


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that any user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="chaoskit-test-"))
    folder.chmod(0o755)
    yield folder
    for entry in folder.iterdir():
        entry.chmod(0o700)
    shutil.rmtree(folder)


def with_less_rights(path: Path) -> list[str]:
    with child(LESS_RIGHTS, path) as user:
        return pipes(user)[1].read().splitlines()


def test_a_read_only_folder_is_refused_with_its_owner(shared: Path) -> None:
    folder = shared / "state"
    folder.mkdir()
    (shared / "state" / "warm.db").touch()
    folder.chmod(0o555)
    answers = with_less_rights(folder / "chaoskit.db")
    owner = folder.owner()
    assert len(answers) == 2
    assert all(f"may not write the folder {folder}, which belongs to {owner}; run chaoskit as" in a for a in answers)


def test_another_users_store_is_refused_with_its_owner(shared: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("missing capability: becoming another user")
    folder = shared / "state"
    path = folder / "chaoskit.db"
    with Store(path) as store:
        store.append(Restored(run="a", n=1, at=NOW, note=""))
    locked_out = with_less_rights(path)
    assert len(locked_out) == 2
    assert all(f"which belongs to {folder.owner()}; run chaoskit as that user" in answer for answer in locked_out)
    folder.chmod(0o755)
    path.chmod(0o644)
    read_only = with_less_rights(path)
    assert all(f"which belongs to {folder.owner()}; run chaoskit as that user" in answer for answer in read_only)


def test_a_store_of_ones_own_needs_no_other_rights(shared: Path) -> None:
    folder = shared / "state"
    folder.mkdir()
    (folder / "warm.db").touch()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    assert with_less_rights(folder / "chaoskit.db") == ["used", "used"]
