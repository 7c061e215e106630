"""The processes of this machine as Linux tells them: who they are, what they do, and which match a selector.

A pid is reused, so a process is known by its pid and its start time together. The start time is the kernel's own
count of clock ticks since boot, which no change of the clock moves; see proc_pid_stat(5).
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from chaoskit.domain.capabilities import Owner, ProcessState
from chaoskit.domain.errors import AccessDenied, Unsupported
from chaoskit.domain.targeting import LocalSelector

_LOOKS = 5
_CUT_AT = 15
"""Bytes that the kernel keeps of a process's name."""
_PROC = Path("/proc")
_STATE, _PARENT, _FLAGS, _START = 0, 1, 6, 19  # fields of /proc/PID/stat, counted from after the command
_KERNEL_THREAD = 0x00200000
_TICKS = os.sysconf("SC_CLK_TCK")
_PIDFILE_SLACK = 2.0
"""Seconds by which a pidfile may be older than its process: the boot time is told in whole seconds."""


class Life(NamedTuple):
    """One life of one pid."""

    pid: int
    ticks: int


class Stat(NamedTuple):
    """A line of /proc/PID/stat, as far as it matters here."""

    life: Life
    state: str
    parent: int
    kernel: bool


class Found(NamedTuple):
    """A process that matches a selector."""

    stat: Stat
    name: str
    argv: tuple[str, ...]


def read_stat(pid: int) -> Stat | None:
    """The process of ``pid``; None when there is none, or only a zombie, or /proc hides it from us."""
    try:
        line = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The command stands in parentheses and may itself hold spaces and parentheses.
    fields = line.rpartition(")")[2].split()
    if fields[_STATE] in {"Z", "X"}:
        return None
    life = Life(pid, int(fields[_START]))
    return Stat(life, fields[_STATE], int(fields[_PARENT]), bool(int(fields[_FLAGS]) & _KERNEL_THREAD))


def state_of(stat: Stat) -> ProcessState:
    """``stat`` in the words of the domain; the arguments and the folder as far as we may see them."""
    pid = stat.life.pid
    return ProcessState(
        pid=pid,
        running=True,
        stopped=stat.state == "T",
        started_at=stat.life.ticks / _TICKS,
        ticks=stat.life.ticks,
        argv=read_argv(pid),
        cwd=_read_cwd(pid),
        owner=read_owner(pid),
    )


def read_argv(pid: int) -> tuple[str, ...]:
    """The command line of ``pid``; empty for a kernel thread, a process that is gone, or one we may not look at."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(part.decode(errors="replace") for part in raw.rstrip(b"\0").split(b"\0")) if raw else ()


def read_environ(pid: int) -> dict[str, str] | None:
    """The environment that ``pid`` was started with; None when it is gone or not ours to see."""
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    pairs = (part.partition(b"=") for part in raw.split(b"\0") if b"=" in part)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def read_owner(pid: int) -> Owner | None:
    """Whose rights ``pid`` has; None when it is gone."""
    try:
        lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return None
    ids = {
        name: tuple(map(int, rest.split()))
        for name, _, rest in (line.partition(":") for line in lines)
        if name in {"Uid", "Gid", "Groups"}
    }
    (real_uid, uid, *_), (real_gid, gid, *_) = ids["Uid"], ids["Gid"]
    groups = tuple(sorted({gid, *ids["Groups"]})) if uid else ()
    return Owner(uid=uid, gid=gid, real_uid=real_uid, real_gid=real_gid, groups=groups)


def _read_cwd(pid: int) -> str:
    try:
        return str((_PROC / str(pid) / "cwd").readlink())
    except OSError:
        return ""


# --- this machine -----------------------------------------------------------------------------------------


def machine() -> str:
    """The name under which pids mean the same: the host, and the pid namespace where it is not the host's own."""
    initial = 0xEFFFFFFC  # PROC_PID_INIT_INO of the kernel
    try:
        namespace = (_PROC / "self/ns/pid").stat().st_ino
    except OSError:
        namespace = initial
    return socket.gethostname() + ("" if namespace == initial else f".ns{namespace}")


def boot() -> str:
    """A mark of the present boot: ticks of different boots do not compare."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text()[:8]
    except OSError as error:
        raise Unsupported("local targets need Linux with /proc; use a docker target instead") from error


# --- selectors --------------------------------------------------------------------------------------------


def matching(selector: LocalSelector) -> list[Found]:
    """Every running process that matches all of ``selector``, by pid. Raises AccessDenied, Unsupported."""
    pids = set(pids_of_all())
    if selector.pidfile is not None:
        pids &= _named_by(Path(selector.pidfile))
    if selector.port is not None:
        pids &= listening_on(selector.port)
    found = (_look(pid) for pid in sorted(pids))
    return [process for process in found if process is not None and _matches(process, selector)]


def pids_of_all() -> Iterator[int]:
    """Every pid that can be seen."""
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def listening_on(port: int) -> set[int]:
    """The processes that listen on TCP or UDP ``port`` in our network namespace.

    Where several share one socket, it is the one with the lowest pid. Raises AccessDenied when the port is in use
    and its owner is hidden from us.
    """
    # Sockets are listed first and their owners looked up after; in between, a process may end or replace itself.
    for _ in range(_LOOKS):
        owners = _owners(port)
        if not owners or owners != {None}:
            return {pid for pid in owners if pid is not None}
    raise AccessDenied(f"port {port} is served by a process of another user; run chaoskit as root or as that user")


def _owners(port: int) -> set[int | None]:
    import psutil

    return {
        connection.pid
        for connection in psutil.net_connections("inet")
        if connection.laddr and connection.laddr.port == port and _listens(connection.status, connection.type)
    }


def _listens(status: str, kind: int) -> bool:
    return status == "LISTEN" or (kind == socket.SOCK_DGRAM and status == "NONE")


def _look(pid: int) -> Found | None:
    stat = read_stat(pid)
    if stat is None:
        return None
    try:
        comm = (_PROC / str(pid) / "comm").read_text(errors="replace").removesuffix("\n")
    except OSError:
        return None
    argv = read_argv(pid)
    return Found(stat, _whole_name(comm, argv), argv)


def _whole_name(comm: str, argv: tuple[str, ...]) -> str:
    """The name of a process; the kernel keeps 15 bytes of it, and the program's own path may show the rest."""
    if len(comm.encode()) < _CUT_AT or not argv:
        return comm
    program = PurePath(argv[0]).name
    return program if program.startswith(comm) else comm


def _matches(found: Found, selector: LocalSelector) -> bool:
    if selector.name is not None and found.name != selector.name:
        return False
    return selector.cmdline is None or selector.cmdline in " ".join(found.argv)


def _named_by(pidfile: Path) -> set[int]:
    """The process that ``pidfile`` names, unless it is younger than the file: then the pid has a new owner."""
    import psutil

    try:
        with pidfile.open() as file:
            pid = int(file.read(64).strip())
        written = pidfile.stat().st_mtime
    except FileNotFoundError:
        return set()
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise AccessDenied(f"the pidfile {pidfile} cannot be read ({why}); run chaoskit as a user who may") from error
    except ValueError as error:
        raise Unsupported(f"the pidfile {pidfile} does not hold a pid; give the file its service writes") from error
    try:
        return {pid} if psutil.Process(pid).create_time() <= written + _PIDFILE_SLACK else set()
    except (psutil.Error, ValueError, OverflowError):
        return set()
