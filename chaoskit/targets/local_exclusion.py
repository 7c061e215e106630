"""Processes that no fault may ever touch, and why."""

import os
import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path, PurePath
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

from chaoskit.domain.errors import AccessDenied
from chaoskit.targets.local_process import Found, listening_on, read_stat

_RESOLVE_WITHIN = 2.0


def exclusion(found: Found, ours: frozenset[int], serving: Mapping[int, str]) -> str:
    """Why the process must never be picked; empty when it may be.

    ``ours`` are this process and its ancestors, ``serving`` the processes behind the URLs that the run depends on.
    """
    pid = found.stat.life.pid
    if pid == os.getpid():
        return "it is chaoskit itself"
    if pid == 1:
        return "it is process 1, and everything ends with it"
    if found.stat.kernel:
        return "it is a thread of the kernel"
    if pid in ours:
        return "chaoskit was started from it"
    if is_chaoskit(found.argv):
        return "it is part of chaoskit"
    if in_a_container(pid):
        return "it runs in a container, where chaoskit could not start it again; make it a docker target"
    return f"it serves {serving[pid]}, which this run depends on" if pid in serving else ""


def in_a_container(pid: int) -> bool:
    """Whether a process sees another process tree than we do. One that we may not look at is not a container's."""
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return False


def is_chaoskit(argv: Sequence[str]) -> bool:
    """Whether a command line is that of a runner, scheduler, guardian or timer, whose death would leave faults."""
    if any(PurePath(word).name == "chaoskit" for word in argv[:2]) or _is_timer(argv):
        return True
    module = next((word for flag, word in pairwise(argv) if flag == "-m"), "")
    return module == "chaoskit" or (module.startswith("chaoskit.") and not module.startswith("chaoskit.demo"))


def _is_timer(argv: Sequence[str]) -> bool:
    return len(argv) == 2 and PurePath(argv[1]).match("chaoskit-*/loop")  # noqa: PLR2004 a shell and its script


def ourselves() -> frozenset[int]:
    """Ourselves and all of our ancestors."""
    found, pid = set[int](), os.getpid()
    while pid and pid not in found:
        found.add(pid)
        stat = read_stat(pid)
        pid = stat.parent if stat is not None else 0
    return frozenset(found)


def serving(urls: Sequence[str]) -> dict[int, str]:
    """The processes of this machine that listen where ``urls`` lead.

    A name that does not resolve in time might lead here, so it counts as here.
    """
    found: dict[int, str] = {}
    for url in urls:
        host, port = _address(url)
        if port and _is_here(host):
            found |= dict.fromkeys(_listening(port), url)
    return found


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)
    except ValueError:
        return "", 0  # no address at all, so nothing serves it; whoever asks there says what is wrong


def _listening(port: int) -> set[int]:
    try:
        return listening_on(port)
    except AccessDenied:
        return set()  # a process that is hidden from us cannot be hit by us either


def _is_here(host: str) -> bool:
    addresses = _resolve(host)
    return addresses is None or any(map(_is_ours, addresses))


def _resolve(host: str) -> set[str] | None:
    """The addresses of ``host``; None when they are not to be had in time. Nothing can interrupt the resolver."""
    answers: SimpleQueue[set[str] | None] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
        except (OSError, UnicodeError):
            answers.put(None)

    Thread(target=ask, name="resolve", daemon=True).start()
    try:
        return answers.get(timeout=_RESOLVE_WITHIN)
    except Empty:
        return None


def _is_ours(address: str) -> bool:
    """Whether this machine has the address: then, and only then, a socket can be bound to it."""
    bare = address.partition("%")[0]
    family = socket.AF_INET6 if ip_address(bare).version == 6 else socket.AF_INET  # noqa: PLR2004 version 6 of IP
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((bare, 0))
        except OSError:
            return False
    return True
