"""The main process of a container, seen and signalled on the host itself, past the engine."""

import os
import re
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaoskit.domain.errors import AccessDenied, Unsupported

_NOT_OURS = "is not visible on this machine; run chaoskit on the Docker host itself, or use via: engine"
_REAL_TIME = re.compile(r"RT(MIN|MAX)(?:([+-])(\d+))?")


def signal_number(name: str) -> int:
    """The number of a signal written without ``SIG``: ``KILL``, ``RTMIN+3``. Raises KeyError."""
    if found := _REAL_TIME.fullmatch(name):
        base = signal.SIGRTMIN if found[1] == "MIN" else signal.SIGRTMAX
        return int(base) + int(f"{found[2] or '+'}{found[3] or 0}")
    return signal.Signals[f"SIG{name}"]


class HostProcess:
    """One process, held so that a recycled pid can never be meant."""

    def __init__(self, pid: int, held: int) -> None:
        self._pid = pid
        self._held = held

    def send(self, number: int) -> None:
        """Send a signal; harmless when the process has ended. Raises AccessDenied."""
        try:
            signal.pidfd_send_signal(self._held, number)
        except ProcessLookupError:
            return
        except PermissionError:
            raise AccessDenied(
                f"only root may signal process {self._pid} of this machine; run chaoskit as root, or use via: engine"
            ) from None

    def ends(self, within: float) -> bool:
        """Wait, at most ``within`` seconds, for the process to end."""
        readable, _, _ = select.select([self._held], [], [], within)
        return bool(readable)


@contextmanager
def host_process(pid: int, container: str) -> Iterator[HostProcess]:
    """Hold process ``pid`` of this machine, after proof that it belongs to the container. Raises Unsupported."""
    if not hasattr(os, "pidfd_open"):
        raise Unsupported("processes can be signalled on the host on Linux only; use via: engine")
    try:
        held = os.pidfd_open(pid)
    except OSError:
        raise Unsupported(f"process {pid} of the container {_NOT_OURS}") from None
    try:
        # Held first, then looked at: what is signalled is what was looked at.
        if not belongs(pid, container):
            raise Unsupported(f"the container's process {pid} {_NOT_OURS}")
        yield HostProcess(pid, held)
    finally:
        os.close(held)


def belongs(pid: int, container: str) -> bool:
    """Whether the kernel places process ``pid`` of this machine in the container with that full id."""
    return any(container in _read(Path(f"/proc/{pid}/{name}")) for name in ("cgroup", "mountinfo"))


def local_addresses(pid: int) -> frozenset[str] | None:
    """The IPv4 addresses in the network namespace of process ``pid``; None when they cannot be read."""
    return addresses_in(_read(Path(f"/proc/{pid}/net/fib_trie")))


def addresses_in(fib_trie: str) -> frozenset[str] | None:
    """The addresses of a host's own in the text of ``/proc/net/fib_trie``; None when it is no such text."""
    if "Local:" not in fib_trie and "Main:" not in fib_trie:
        return None
    return frozenset(re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", fib_trie))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
