"""What went wrong with the store, in words that say what to do."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from chaoskit.domain.errors import StoreFailed

ELSEWHERE = "name another file with `store` in chaoskit.toml"

_START_ANEW = (
    "Keep a copy and put back a backup; or move it away, with its -wal and -shm files, to start anew. "
    "What was outstanding in it must then be undone by hand; the reports of those runs say how"
)
_HINTS = (  # by the beginning of SQLite's error name; the first match counts
    ("SQLITE_BUSY", "another program holds it locked; find it with `fuser {path}`, end it, and try again"),
    ("SQLITE_LOCKED", "another program holds it locked; find it with `fuser {path}`, end it, and try again"),
    ("SQLITE_FULL", "the disk is full; free some space on it, or " + ELSEWHERE),
    ("SQLITE_NOTADB", "it is not a chaoskit store, or it is damaged. " + _START_ANEW),
    ("SQLITE_CORRUPT", "it is damaged. " + _START_ANEW),
    ("SQLITE_IOERR_SHM", "the disk is full, or fails; free some space on it, or " + ELSEWHERE),
    ("SQLITE_IOERR", "the disk or its file system fails; see the system's log, or " + ELSEWHERE),
)
_DENIED = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")
_OS_HINTS = {
    errno.EROFS: "that file system is read-only; " + ELSEWHERE,
    errno.ENOSPC: "the disk is full; free some space on it, or " + ELSEWHERE,
    errno.EDQUOT: "your disk quota is used up; free some space, or " + ELSEWHERE,
    errno.EEXIST: "a file stands where a folder should be; move it, or " + ELSEWHERE,
    errno.ENOTDIR: "a file stands where a folder should be; move it, or " + ELSEWHERE,
    errno.ENAMETOOLONG: "the name is too long; " + ELSEWHERE,
}


@contextmanager
def coached(path: Path) -> Iterator[None]:
    """Turn whatever the database or the system says about ``path`` into a StoreFailed that says what to do."""
    try:
        yield
    except DBAPIError as error:
        raise StoreFailed(f"the store {path} cannot be used: {_database_says(path, error)}.") from error
    except SQLAlchemyError as error:
        raise StoreFailed(f"the store {path} cannot be used: {error.args[0] if error.args else error}.") from error
    except ValueError as error:
        raise damaged(path, f"it holds what chaoskit never wrote: {error}") from error
    except OSError as error:
        raise StoreFailed(f"the store {path} cannot be used: {_system_says(path, error)}.") from error


def damaged(path: Path, how: str) -> StoreFailed:
    """The error for a file that is no longer what we wrote."""
    return StoreFailed(f"the store {path} cannot be used: {how}. {_START_ANEW}.")


def _database_says(path: Path, error: DBAPIError) -> str:
    # Only the driver's own words: SQLAlchemy's message repeats the statement with everything in it.
    name, words = getattr(error.orig, "sqlite_errorname", ""), str(error.orig)
    if name.startswith(_DENIED):
        return f"{words}; {_access(path)}"
    hint = next((hint for prefix, hint in _HINTS if name.startswith(prefix)), "")
    return f"{words}; {hint.format(path=path)}" if hint else words


def _system_says(path: Path, error: OSError) -> str:
    words = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"{words}; {_access(path)}"
    return f"{words}; {_OS_HINTS.get(error.errno or 0, 'see to it, or ' + ELSEWHERE)}"


def _access(path: Path) -> str:
    """Which place this process may not write, the file or the nearest folder above it, and whose it is."""
    if os.path.isdir(path):  # noqa: PTH112 Path.is_dir raises where we may not look
        return f"it is a folder; {ELSEWHERE}"
    if _allowed(path, os.F_OK) and not _allowed(path, os.R_OK | os.W_OK):
        kind, place = "file", path
    else:
        kind, place = "folder", next(folder for folder in path.absolute().parents if _allowed(folder, os.F_OK))
    return (
        f"this process may not write the {kind} {place}, which belongs to {_owner(place)}; "
        f"run chaoskit as that user, or {ELSEWHERE}"
    )


def _allowed(place: Path, mode: int) -> bool:
    return os.access(place, mode, effective_ids=os.access in os.supports_effective_ids)


def _owner(place: Path) -> str:
    try:
        return place.owner()
    except (OSError, KeyError):
        return "another user"
