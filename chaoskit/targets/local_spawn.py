"""Starts a process in the place of one that was killed: detached, once, with the environment of the original.

The environment of a running process is the only copy of it, and it may hold secrets. So it is put aside before the
kill, readable by its owner only, never in the journal, and removed as soon as a successor runs.
"""

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaoskit.domain.errors import CommandFailed, TargetError
from chaoskit.targets.local_process import Life, pids_of_all, read_environ, read_stat

MARK = "CHAOSKIT_IN_PLACE_OF"
"""The environment variable that says whose place a process was started in."""
_BASIC = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What a successor gets of our own environment when that of the original is not known; ours may hold secrets."""
_IN_FOLDER = 'cd -- "$1" && shift && exec "$@"'
_NO_SUCH_COMMAND = 127
_HANDLED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def in_place_of(pid: int) -> str:
    """Whom ``pid`` was started in place of; empty for all that we did not start, such as the workers it has forked."""
    mark = _mark(pid)
    stat = read_stat(pid)
    return mark if mark and stat is not None and _mark(stat.parent) != mark else ""


def spawn(argv: Sequence[str], cwd: str, output: str, original: Life) -> int:
    """Start ``argv`` in place of ``original`` unless that was done already; the pid either way.

    Raises CommandFailed when there is no such program or folder, TargetError when ``output`` cannot be written.
    """
    mark = name(original)
    if running := [pid for pid in pids_of_all() if in_place_of(pid) == mark]:
        return min(running)
    environment = {**_recalled(output), MARK: mark}
    if shutil.which(argv[0], path=environment.get("PATH")) is None and not (Path(cwd) / argv[0]).exists():
        raise CommandFailed(argv, _NO_SUCH_COMMAND, "there is no such program")
    if not Path(cwd or "/").is_dir():
        raise CommandFailed(argv, _NO_SUCH_COMMAND, f"there is no folder {cwd} any more")
    _private(Path(output).parent)
    _touch(Path(output))
    return os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", _IN_FOLDER, "sh", cwd or "/", *argv],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_APPEND, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_HANDLED,
    )


def remember(original: Life, output: str) -> None:
    """Put the environment of ``original`` aside, as ``output`` + ``.environ``, for a later :func:`spawn`.

    Does nothing when it is gone or not ours to see. Raises TargetError when it cannot be written.
    """
    place = _aside(output)
    _private(place.parent)
    environment = read_environ(original.pid)
    stat = read_stat(original.pid)
    if environment is None or stat is None or stat.life != original:
        return
    raw = b"".join(os.fsencode(f"{key}={value}") + b"\0" for key, value in environment.items())
    try:
        with open(place, "wb", opener=_owner_only) as file:
            file.write(raw)
    except OSError as error:
        raise TargetError(
            f"the environment of process {original.pid} cannot be put aside in {place}: {error}"
        ) from error


def forget(output: str) -> None:
    """Remove what :func:`remember` put aside. Raises TargetError."""
    try:
        _aside(output).unlink(missing_ok=True)
    except OSError as error:
        raise TargetError(f"{_aside(output)} cannot be removed ({error.strerror}); remove it by hand") from error


def name(life: Life) -> str:
    """A life as text."""
    return f"{life.pid}:{life.ticks}"


def _mark(pid: int) -> str:
    return (read_environ(pid) or {}).get(MARK, "")


def _recalled(output: str) -> Mapping[str, str]:
    try:
        raw = _aside(output).read_bytes()
    except OSError:
        return {key: os.environ[key] for key in _BASIC if key in os.environ}
    pairs = (part.partition(b"=") for part in raw.split(b"\0"))
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs if key}


def _aside(output: str) -> Path:
    return Path(f"{output}.environ")


def _private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    except OSError as error:
        raise TargetError(f"the folder {folder} cannot be made: {error}") from error


def _touch(output: Path) -> None:
    try:
        with open(output, "ab", opener=_owner_only):
            pass
    except OSError as error:
        raise TargetError(f"the output of a process cannot be written to {output}: {error}") from error


def _owner_only(path: str, flags: int) -> int:
    # Whoever can write to the folder must not be able to lead us to another file.
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
