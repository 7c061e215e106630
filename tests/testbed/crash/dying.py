"""One death of a real runner on a real target, and all that must be true afterwards, looked at from outside.

What chaoskit itself says is asked of its commands; what is true is read from the engine, from /proc, from the target's
service and from the store's file.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.contract import Bed, Case, eventually
from tests.testbed.crash.fuse import Point, Seen
from tests.testbed.local.process_parts import look

ROOT = Path(__file__).parents[3]
LEASE = 3.0
SLACK = 2.0
"""Seconds beyond the lease in which a guarded fault must be gone."""
ROLLBACK = 3.0
"""Seconds in which ``chaoskit rollback`` must have a target restored."""
PATIENCE = 60.0
TRIES = 4
ENDS = (0, 5)
"""How a run may end that is left alone: a busy machine may leave a fault of half a second unwatched, which is told."""
_OUTSTANDING = """
select count(*) from journal j where j.entry = 'intended' and not exists (
  select 1 from journal l where l.entry = 'restored' and l.run = j.run and l.n = j.n and l.seq > j.seq)
"""


class Cell(NamedTuple):
    """One cell of the matrix: on which case the runner dies where, and whether its guardian dies with it."""

    case: str
    point: Point
    phase: str
    both: bool

    def __str__(self) -> str:
        return f"{self.case}, {'both' if self.both else 'runner'} killed {self.point} in {self.phase}"


class Came(NamedTuple):
    """What came of one cell.

    ``clean`` is when the target was as before, in seconds since the death of the runner, or since the start of the
    rollback; ``took`` is how long the rollback command took. ``wrong`` is what must not be; ``late`` is what took
    longer than it may.
    """

    cell: Cell
    burnt: bool
    clean: float = 0.0
    took: float = 0.0
    residue: bool = False
    wrong: tuple[str, ...] = ()
    late: tuple[str, ...] = ()


class Scene:
    """A bed, and chaoskit on it with a store and a folder of its own."""

    def __init__(self, folder: Path, case: Case, bed: Bed) -> None:
        self.folder = folder
        self.bed = bed
        self.store = folder / "state" / "ck.db"
        self.note = folder / "note.json"
        self.file = folder / "crash.yaml"
        self.file.write_text(json.dumps(experiment(case, bed)))
        self.output = folder / "output"
        self.before = bed.facts(), bed.bystanders()
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CHAOSKIT_LEASE": f"{LEASE:g}s",
            "CHAOSKIT_STORE": str(self.store),
            "CHAOSKIT_REPORTS": str(folder / "reports"),
            "XDG_STATE_HOME": str(folder / "home"),
        }

    # --- doing -----------------------------------------------------------------------------------------

    def run(self, point: Point | None, *, both: bool, trace: Path | None = None) -> int:
        """The exit status of a fused run."""
        orders = {"point": point, "both": both, "note": str(self.note), "trace": str(trace) if trace else None}
        argv = ["-m", "tests.testbed.crash.fused", json.dumps(orders), "run", str(self.file), "--plain"]
        with self.output.open("w") as output:
            runner = subprocess.Popen(
                [sys.executable, *argv],
                cwd=self.folder,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            return runner.wait(PATIENCE)
        finally:
            runner.kill()
            runner.wait()

    def chaoskit(self, *words: str) -> tuple[int, str]:
        """The exit status of a command, and all that it says."""
        process = self.start(*words)
        output = process.communicate(timeout=PATIENCE)[0]
        return process.returncode, output

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "chaoskit", *words],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    # --- looking ---------------------------------------------------------------------------------------

    def clean(self) -> bool:
        """Whether the target is as before, and serves."""
        return self.bed.facts() == self.before[0] and self.bed.serving()

    def guardians(self) -> list[int]:
        """The living guardians of this scene."""
        mark = os.fsencode(f"XDG_STATE_HOME={self.folder / 'home'}")
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal()
            and b"chaoskit.guardian" in _read(entry / "cmdline")
            and mark in _read(entry / "environ").split(b"\0")
            and look(int(entry.name))
        ]

    def clean_after(self, begin: float, over: Callable[[], bool]) -> float:
        """Seconds from ``begin`` until the target was seen as before for good, 0 when it was never seen otherwise.

        It is watched until it is so and ``over``.
        """
        since: float | None = 0.0
        while True:
            ended, clean, now = over(), self.clean(), time.monotonic() - begin
            if clean and since is None:
                since = now
            elif not clean:
                since = None
            if (ended and since is not None) or now > PATIENCE:
                return now if since is None else since
            time.sleep(0.2 if clean else 0.02)

    def ask(self, query: str) -> list[Any]:
        """What the store's file itself holds; nothing where there is no such file or table yet."""
        if not self.store.exists():
            return []
        with closing(sqlite3.connect(self.store)) as connection, suppress(sqlite3.OperationalError):
            return connection.execute(query).fetchall()
        return []

    def verdicts(self) -> list[str | None]:
        return [row[0] for row in self.ask("select verdict from runs")]

    def left_by_guardians(self) -> list[str]:
        folder = self.store.parent / "guardians"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def acted(self) -> bool:
        """Whether what is left is the log of a guardian that had to act and did, with what it says of itself."""
        log = "".join(path.read_text() for path in (self.store.parent / "guardians").glob("*.log"))
        ends = [name.partition(".")[2] for name in self.left_by_guardians()]
        return ends == ["json", "log"] and "undoing" in log and log.endswith("done\n")

    def close(self) -> None:
        for pid in self.guardians():
            os.kill(pid, signal.SIGKILL)


@contextmanager
def scene(case: Case) -> Iterator[Scene]:
    """A fresh scene that serves; gone at the end."""
    with TemporaryDirectory() as folder, case.bed() as bed:
        assert eventually(bed.serving), "the bed itself does not serve"
        it = Scene(Path(folder).resolve(), case, bed)
        try:
            yield it
        finally:
            it.close()


def experiment(case: Case, bed: Bed) -> dict[str, object]:
    """As quick as an experiment can be."""
    parameters = case.fault.model_dump(mode="json", exclude_defaults=True)
    return {
        "apiVersion": "chaoskit/v1",
        "kind": "Experiment",
        "name": "crash",
        "title": f"The runner dies: {case.name}",
        "targets": {"it": bed.group()},
        "steady_state": [{"name": "fine", "command": {"run": ["true"]}}],
        "faults": [{"kind": case.fault.kind, "target": "it", "duration": "500ms", **parameters}],
        "sampling": {"tick": "100ms", "baseline": "0s", "min_samples": 1},
        "expect": {"recover_within": "10s"},
    }


def trace(case: Case) -> list[Seen]:
    """The effects of a run that nobody kills: one that leaves nothing, and passes, for else it was cut short."""
    for _ in range(TRIES):
        with scene(case) as it:
            file = it.folder / "trace.json"
            status = it.run(None, both=False, trace=file)
            assert status in ENDS, it.output.read_text()
            assert not _residue(it), f"{case.name}: a run that nobody killed left {_residue(it)}"
            if status == 0:
                return [Seen(*one) for one in json.loads(file.read_text())]
    raise AssertionError(f"{case.name}: no run of {TRIES} passed: {it.output.read_text()}")


def die(cell: Cell, case: Case) -> Came:
    """Let the runner die there, wait for what is to follow, and look at everything."""
    with scene(case) as it:
        status = it.run(cell.point, both=cell.both)
        begin = time.monotonic()
        if status != -signal.SIGKILL or not it.note.exists():
            wrong = [] if status in ENDS else [f"ended with {status}: {it.output.read_text()}"]
            return Came(cell, False, wrong=(*wrong, *_residue(it)))
        if cell.both:
            return _both_died(cell, it)
        clean = it.clean_after(begin, lambda: not it.guardians() or time.monotonic() > begin + PATIENCE)
        residue = _residue(it)
        wrong = [*residue, *_books(cell, it)]
        late = _late("the target was clean", clean, LEASE + SLACK)
        return Came(cell, True, clean, residue=bool(residue), wrong=tuple(wrong), late=late)


def _both_died(cell: Cell, it: Scene) -> Came:
    # One that was being started when the runner died was nobody's to kill; it finds nobody, and ends.
    gone = eventually(lambda: not it.guardians(), PATIENCE)
    broken = not it.clean()
    begin = time.monotonic()
    rollback = it.start("rollback")
    clean = it.clean_after(begin, lambda: rollback.poll() is not None)
    output = rollback.communicate(timeout=PATIENCE)[0]
    took = time.monotonic() - begin
    residue = _residue(it)
    wrong = [] if gone else ["a guardian outlived both"]
    if rollback.returncode != 0:
        wrong.append(f"rollback ended with {rollback.returncode}: {output}")
    wrong += [*residue, *_books(cell, it)]
    late = _late("the target was clean", clean, ROLLBACK)
    if broken:  # one that looks untouched is watched for as long as a request of the dead runner may be under way
        late += _late("the rollback was over", took, ROLLBACK)
    return Came(cell, True, clean, took, residue=bool(residue), wrong=tuple(wrong), late=late)


def _late(what: str, took: float, limit: float) -> tuple[str, ...]:
    return (f"{what} after {took:.2f}s, not within {limit:g}s",) if took > limit else ()


# --- what must be true ------------------------------------------------------------------------------------------


def _residue(it: Scene) -> list[str]:
    """What is left of the fault: on the target, near it, in the journal, in the state folder."""
    wrong = []
    if not it.clean():
        wrong.append(f"the target is not as before: serving {it.bed.serving()}, {it.bed.facts()} not {it.before[0]}")
    if it.bed.bystanders() != it.before[1]:
        wrong.append("a bystander was touched")
    if it.ask(_OUTSTANDING) not in ([], [(0,)]):
        wrong.append("the journal holds an intention that nobody has ended")
    if kept := [path.name for path in (it.folder / "home").rglob("*") if path.is_file() and path.suffix != ".log"]:
        wrong.append(f"left in the state folder: {kept}")
    return wrong


def _books(cell: Cell, it: Scene) -> list[str]:
    """What chaoskit says and keeps."""
    wrong = []
    status, output = it.chaoskit("status", "--json")
    told = json.loads(output) if status == 0 else {}
    if status != 0 or told["residue"] or told["live"] or any(one["alive"] for one in told["guardians"]):
        wrong.append(f"status ended with {status}: {output}")
    if it.guardians():
        wrong.append("a guardian is left")
    left = it.left_by_guardians()
    if left and not it.acted() and cell.point.effect != "guardian.start":
        wrong.append(f"left by a guardian that had nothing to do: {left}")
    if it.verdicts() == [None] or (left and not it.acted()):
        # Nothing is left behind, so nobody has had to look at this run; the next who looks closes its books.
        status, output = it.chaoskit("rollback")
        if (status, output) != (0, "nothing to restore\n"):
            wrong.append(f"rollback over nothing ended with {status}: {output}")
    if it.left_by_guardians() and not it.acted():
        wrong.append(f"left by a guardian for ever: {it.left_by_guardians()}")
    return [*wrong, *_verdict(it)]


def _verdict(it: Scene) -> list[str]:
    """An error, unless the record was complete, with everything in it proven, when the runner died."""
    complete = json.loads(it.note.read_text())["phase"] == "end"
    found = it.verdicts()
    right = found in ([], ["error"]) or (complete and found == ["passed"])
    return [] if right else [f"the verdict is {found}"]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
