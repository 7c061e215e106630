"""Whether a runner is still alive.

On the runner's own machine the process table knows; from anywhere else only its heartbeat tells. "The same machine"
means the same boot and the same pid namespace: a container may share its host's name, and never its pids.
"""

import hashlib
import os
import socket
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from chaoskit import __version__
from chaoskit.domain.history import Runner
from chaoskit.store.rows import RunnerRow

HEARTBEAT_FRESH = timedelta(seconds=60)
"""How old the heartbeat of a runner elsewhere may be for it to count as alive."""

WATCHED_FOR = 7.0
"""Seconds in which a live runner elsewhere shows life again: it does so every second, or waits five for the store."""

SAME_START = 0.5
"""Seconds by which two readings of one process's start time may differ."""

_PROC = Path("/proc")
_STATE, _STARTTIME = 0, 19  # fields of /proc/PID/stat, counted from after the command; see proc_pid_stat(5)


def me() -> Runner:
    """The runner that this process is; see :func:`host` for how its host reads."""
    pid = os.getpid()
    return Runner(
        host=host(),
        user=_user(),
        pid=pid,
        pid_started=_started(pid) or 0.0,
        version=__version__,
        python=".".join(str(part) for part in sys.version_info[:3]),
    )


def host() -> str:
    """The machine as this process sees it, such as ``build-7/1a2b3c4d``; where it is the same, pids mean the same.

    After the slash stands a mark of this boot and this pid namespace.
    """
    mark = hashlib.sha256(f"{_boot()} {_pid_namespace()}".encode()).hexdigest()
    return f"{socket.gethostname()}/{mark[:8]}"


def alive(row: RunnerRow, now: datetime) -> bool:
    """Whether the runner of ``row`` lives at ``now`` (aware). In doubt it does: nobody undoes a live run's faults."""
    if row.ended:
        return False
    if row.host != host():
        return now - row.heartbeat_at < HEARTBEAT_FRESH
    try:
        started = _started(row.pid)
    except PermissionError:  # hidden from us (hidepid): it exists, and that is all we may know
        return now - row.heartbeat_at < HEARTBEAT_FRESH
    if started is None:
        return False
    # A process that had this pid at the last heartbeat is the one that sent it. That holds even when the clock was
    # set since, which moves every start time: the kernel counts those from boot.
    return abs(started - row.pid_started) < SAME_START or started <= row.heartbeat_at.timestamp()


def told_by_heartbeat(row: RunnerRow) -> bool:
    """Whether nothing but the heartbeat tells of this runner: then two clocks, which may differ, are compared."""
    return not row.ended and row.host != host()


def _started(pid: int) -> float | None:
    """When the process started, in seconds since the epoch; None when it is gone or a zombie.

    Raises PermissionError when it exists but cannot be looked at.
    """
    if not _PROC.joinpath("self/stat").exists():
        return _started_elsewhere(pid)
    try:
        fields = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        if _exists(pid):
            raise PermissionError(f"process {pid} cannot be looked at") from None
        return None
    if fields[_STATE] in {"Z", "X"}:
        return None
    return _boot_time() + int(fields[_STARTTIME]) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields after the command, which stands in parentheses and may itself hold spaces and parentheses."""
    return _PROC.joinpath(str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()


def _exists(pid: int) -> bool:
    """Whether there is such a process at all, even one that /proc hides from us."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _boot_time() -> float:
    lines = _PROC.joinpath("stat").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("btime ")))


def _started_elsewhere(pid: int) -> float | None:
    """The same for systems without /proc."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied as error:
        raise PermissionError(str(error)) from None


def _boot() -> str:
    with suppress(OSError):
        return _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
    import psutil

    return f"{psutil.boot_time():.0f}"


def _pid_namespace() -> str:
    with suppress(OSError):
        return str(_PROC.joinpath("self/ns/pid").readlink())
    return ""


def _user() -> str:
    """The account that runs this, by name where it has one."""
    import pwd

    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
