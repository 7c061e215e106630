"""Where the guardians of a store are found: for each run a log, and beside it what its guardian is doing."""

import fcntl
import json
import os
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

ARMED = " armed: "
"""What marks every line in the log of a guardian to which nothing happened."""
State = Literal["standing by", "armed", "undoing", "done", "gave up"]


class Place(NamedTuple):
    """The files of one run's guardian."""

    log: Path
    state: Path


class Sighting(NamedTuple):
    """One guardian as the files tell. ``alive`` is what the kernel says of its lock, and cannot be stale.

    ``beside`` is what it says of those that it has put beside Docker engines, if any.
    """

    run: str
    pid: int
    state: State
    injections: int
    alive: bool
    log: Path
    beside: str = ""


def folder_of(store: Path) -> Path:
    """The folder of the guardians that belong to the store in the file ``store``."""
    return store.absolute().parent / "guardians"


def place_of(store: Path, run: str) -> Place:
    """The files of the guardian of ``run``."""
    folder = folder_of(store)
    return Place(folder / f"{run}.log", folder / f"{run}.json")


def open_log(place: Place) -> int:
    """A descriptor of the log, readable by its owner only, and ours until it is closed everywhere. Raises OSError."""
    place.log.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    while True:
        fd = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        hold(fd)
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)  # swept away between the two


def hold(fd: int) -> bool:
    """Take the lock on the log, until ``fd`` and its copies are closed; False when another guardian has it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def note(place: Place, run: str, state: State, injections: int, beside: str = "") -> None:
    """Say what the guardian of ``run`` is doing; a full disk must not keep it from that."""
    fresh = place.state.with_suffix(".new")
    text = json.dumps({"run": run, "pid": os.getpid(), "state": state, "injections": injections, "beside": beside})
    with suppress(OSError):
        fresh.write_text(text)
        fresh.replace(place.state)


def clear(place: Place) -> None:
    """Leave nothing behind of a guardian that had nothing to do."""
    for path in (place.state, place.log):
        with suppress(OSError):
            path.unlink()


def sweep(store: Path, but: Container[str]) -> None:
    """Clear what guardians left that died without having acted. Those of the runs ``but`` have something to say yet."""
    for log in folder_of(store).glob("*.log"):
        if log.stem not in but:
            with suppress(OSError):
                _sweep(Place(log, log.with_suffix(".json")))


def _sweep(place: Place) -> None:
    fd = os.open(place.log, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if hold(fd) and all(ARMED in line for line in place.log.read_text().splitlines()):
            clear(place)
    finally:
        os.close(fd)


def sightings(store: Path) -> Iterator[Sighting]:
    """Every guardian that has left a trace, by run."""
    for path in sorted(folder_of(store).glob("*.json")):
        with suppress(OSError, ValueError, KeyError):
            known = json.loads(path.read_text())
            log = path.with_suffix(".log")
            yield Sighting(
                known["run"],
                known["pid"],
                known["state"],
                known["injections"],
                _is_held(log),
                log,
                known.get("beside", ""),
            )


def _is_held(log: Path) -> bool:
    with suppress(OSError):
        fd = os.open(log, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
    return False
