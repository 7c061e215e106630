"""A Docker engine behind ssh, as a local socket: one ``ssh … docker system dial-stdio`` for each connection.

The SDK's own ssh transports either bypass the user's ssh settings or wait without a bound, and may prompt. Here
OpenSSH does all the work (``~/.ssh/config``, ``known_hosts``, agents, jump hosts), never prompts, and the SDK sees
a plain socket whose timeouts work. When this process dies, the sockets close and every ssh ends by itself.
"""

import math
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Thread
from weakref import finalize

from chaoskit.domain.errors import Unreachable, Unsupported

_BACKLOG = 16
_ENDS_WITHIN = 2.0


def ssh_argv(url: str, timeout: float) -> tuple[str, ...]:
    """The command that connects to the engine at ``url`` (``ssh://[user@]host[:port]``).

    Raises Unsupported for a password or a path in the URL.
    """
    user, at, address = url.removeprefix("ssh://").rstrip("/").rpartition("@")
    if ":" in user:
        raise Unsupported("an ssh URL must not hold a password; use a key or ssh-agent, and write ssh://user@host")
    if "/" in address or not address:
        raise Unsupported(f"{url!r} is not an ssh address of a Docker engine; write for example ssh://ops@docker-3")
    host, port = _split_port(address)
    login = ("-l", user) if at else ()
    where = ("-p", port) if port else ()
    # LogLevel: banners and warnings of a connection that works are no complaint.
    settings = ("BatchMode=yes", f"ConnectTimeout={math.ceil(timeout)}", "LogLevel=ERROR")
    options = ("-T", *(word for setting in settings for word in ("-o", setting)))
    return ("ssh", *options, *login, *where, "--", host, "docker", "system", "dial-stdio")


def _split_port(address: str) -> tuple[str, str]:
    """Host and port; the case of the host is kept, for ``Host`` lines of ssh settings are sensitive to it."""
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = address.partition(":")
    return host, port


class SshBridge:
    """Listens on a private local socket and ties each connection to an ssh of its own. Close it after use."""

    def __init__(self, url: str, timeout: float) -> None:
        self._argv = ssh_argv(url, timeout)
        if shutil.which("ssh") is None:
            raise Unreachable(f"{url} needs the ssh command, which is not installed; install an OpenSSH client")
        self._folder = Path(tempfile.mkdtemp(prefix="chaoskit-ssh-"))
        # Also at the end of a process that never closed it.
        self._remove_folder = finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._complaints = (self._folder / "stderr").open("ab")
        self._heard = 0
        self._children: list[subprocess.Popen[bytes]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._folder / "docker.sock"))
        self._listener.listen(_BACKLOG)
        # A thread, because the SDK blocks on the very connection that is to be accepted here.
        self._thread = Thread(target=self._serve, name="chaoskit-ssh-bridge", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address for the SDK."""
        return f"unix://{self._folder / 'docker.sock'}"

    def complaint(self) -> str:
        """The last line that the newest ssh, or docker behind it, printed; empty when all is well."""
        said = (self._folder / "stderr").read_bytes()[self._heard :].decode(errors="replace").strip()
        return said.splitlines()[-1].strip() if said else ""

    def close(self) -> None:
        """End every ssh and remove the socket. Bounded."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(_ENDS_WITHIN)
        self._listener.close()
        for child in self._children:
            _end(child)
        self._complaints.close()
        self._remove_folder()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._connect(connection)

    def _connect(self, connection: socket.socket) -> None:
        self._children = [child for child in self._children if child.poll() is None]
        self._heard = (self._folder / "stderr").stat().st_size
        wire = connection.fileno()
        # Its own session: Ctrl-C at the terminal must not cut the connection that the rollback needs.
        child = subprocess.Popen(self._argv, stdin=wire, stdout=wire, stderr=self._complaints, start_new_session=True)
        self._children.append(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
