"""Places where dead-man timers run, and how to look at them without chaoskit: through this machine's own /proc.

A container's processes and files are seen from here as well, so one way of looking serves every place.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

from chaoskit.domain.errors import TargetError
from chaoskit.domain.ports import Completed, Target
from chaoskit.domain.targeting import LocalSelector
from chaoskit.targets import deadman
from chaoskit.targets.local import LocalTarget
from chaoskit.targets.local_process import Life

TOOLS = ("sleep", "mkdir", "cat", "mv", "rm")
"""All that a timer may need besides the shell."""
PATIENCE = 30.0
_numbers = count(1)


def this_machine() -> LocalTarget:
    """This machine; which process is the target is nothing to a timer."""
    return LocalTarget("local://here/self@1:1.b00t", Life(os.getpid(), 1), LocalSelector(name="python"))


class With:
    """A target on which every command runs in an environment of nothing but a PATH."""

    def __init__(self, target: Target, path: str) -> None:
        self._target = target
        self._path = path
        self.id = target.id

    def identity(self) -> str:
        return self._target.identity()

    def run(self, *argv: str, timeout: float = 10.0) -> Completed:
        return self._target.run("/usr/bin/env", "-i", f"PATH={self._path}", *argv, timeout=timeout)


def tools(folder: Path, shell: str) -> str:
    """A PATH on which there is ``shell`` as sh, and nothing else but what a timer needs."""
    folder.mkdir()
    for name, program in {**{tool: tool for tool in TOOLS}, "sh": shell}.items():
        found = shutil.which(program)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def script(folder: Path, name: str, text: str) -> None:
    """A program of that name."""
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


class Place(NamedTuple):
    """Where timers run: a target, its files as seen from here, and a folder there for what an undo leaves behind."""

    target: Target
    root: Path
    scratch: str

    def seen(self, path: str) -> Path:
        """A file of the target, from here."""
        return self.root / path.lstrip("/")

    def read(self, path: str) -> str:
        """What a file of the target holds; empty when there is none."""
        try:
            return self.seen(path).read_text()
        except OSError:
            return ""


class Timer:
    """One timer of a test: arms, renews and disarms through chaoskit, and is looked at from outside."""

    def __init__(self, place: Place, tag: str) -> None:
        self.place = place
        self.tag = tag
        self.mark = f"{place.scratch}/{tag}.fired"

    @property
    def undo(self) -> str:
        """An undo that notes the moment, in seconds since boot, once for each time it runs."""
        return f"cat /proc/uptime >>{self.mark}\n"

    def arm(self, seconds: float, undo: str | None = None) -> None:
        deadman.arm(self.place.target, self.tag, undo or self.undo, seconds)

    def renew(self, seconds: float = 2.0) -> str:
        return deadman.renew(self.place.target, self.tag, seconds)

    def disarm(self) -> None:
        deadman.disarm(self.place.target, self.tag)

    def fired_at(self) -> list[float]:
        """When the undo ran."""
        return [float(line.split()[0]) for line in self.place.read(self.mark).splitlines() if line]

    def fires(self) -> float:
        """Wait for the undo; the moment at which it ran, the only time."""
        wait_for(lambda: bool(self.fired_at()))
        (at,) = self.fired_at()
        return at

    def loops(self) -> list[int]:
        """Every process that runs its loop; what a loop has just forked still bears its name, and does not count."""
        scripts = [[f"{base}/{self.tag}/loop"] for base in FOLDERS]
        found = [pid for pid in pids() if argv_of(pid)[-1:] in scripts]
        return [pid for pid in found if parent_of(pid) not in found]

    @property
    def loop(self) -> int:
        (pid,) = self.loops()
        return pid

    def folders(self) -> list[str]:
        """Its folders, as the target calls them."""
        return [f"{base}/{self.tag}" for base in FOLDERS if os.path.lexists(self.place.seen(f"{base}/{self.tag}"))]

    @property
    def folder(self) -> Path:
        (path,) = self.folders()
        return self.place.seen(path)

    def files(self) -> set[str]:
        """What its folder holds; the state of the lease without the moment."""
        return {path.name.partition("-")[0] for path in self.folder.iterdir()}

    def expire(self) -> None:
        """Put the end of its lease into the past, from outside."""
        (state,) = self.folder.glob("until-*")
        state.rename(state.with_name("until-1"))

    def lose_folder(self) -> None:
        """Somebody cleans up, at one stroke."""
        away = self.folder.rename(self.folder.with_name(f"away-{self.tag}"))
        shutil.rmtree(away)

    def nothing_left(self) -> bool:
        return not self.loops() and not self.folders()

    def clear(self) -> None:
        """Leave nothing behind, whatever a test has done."""
        with suppress(TargetError):
            self.disarm()
        for pid in self.loops():
            os.kill(pid, signal.SIGKILL)
        for base in FOLDERS:
            path = self.place.seen(f"{base}/{self.tag}")
            if path.is_symlink() or path.is_file():
                path.unlink()
            shutil.rmtree(path, ignore_errors=True)


FOLDERS = ("/run", "/tmp", "/dev/shm")


@contextmanager
def timer(place: Place) -> Iterator[Timer]:
    """A timer with a name of its own, of which nothing is left at the end."""
    made = Timer(place, f"chaoskit-test{os.getpid()}-{next(_numbers)}")
    try:
        yield made
    finally:
        made.clear()


def uptime() -> float:
    """Seconds since boot, by the clock that timers go by."""
    return float(Path("/proc/uptime").read_text().split()[0])


def pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def argv_of(pid: int) -> list[str]:
    """Its command line; empty when it is gone, or a zombie."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [word.decode(errors="replace") for word in raw.split(b"\0")[:-1]]


def parent_of(pid: int) -> int:
    """Its parent; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def state_of(pid: int) -> str:
    """One letter of the kernel's: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for(holds: Callable[[], bool], within: float = PATIENCE) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within}s"
        time.sleep(0.02)


def run(*argv: str) -> str:
    """What a command of this machine prints."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout.strip()
