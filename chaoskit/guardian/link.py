"""The runner's side of its guardian: starts the process, hands it what is to be undone, and tells it that we live."""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from chaoskit.domain.errors import GuardianLost
from chaoskit.domain.journal import Intended
from chaoskit.domain.plan import Plan
from chaoskit.guardian import places
from chaoskit.guardian.wire import Closed, Wire

READY_WITHIN = 20.0
"""Seconds that it may take to start; on a busy machine, importing alone takes some."""
ARMED_WITHIN = 10.0
GONE_WITHIN = 2.0
_INSTALLED = {"site-packages", "dist-packages"}


class Link:
    """The guardian of one run, as a process of this machine. Used by the run loop's thread alone."""

    def __init__(self, run: str, lease: float, store: Path, orders: Mapping[str, object]) -> None:
        """Start it; it is not waited for. Raises GuardianLost when that is not possible."""
        self._lease = lease
        self._ready_within = READY_WITHIN + (_appointed_within() if orders.get("beside") else 0.0)
        self._place = places.place_of(store, run)
        self._unanswered: float | None = None
        self._lost = ""
        ours, its = socket.socketpair()
        try:
            log = places.open_log(self._place)
            try:
                self._pid = _start(run, its.fileno(), log)
            finally:
                os.close(log)
        except OSError as error:
            ours.close()
            raise GuardianLost(f"the guardian could not be started: {error}") from error
        finally:
            its.close()
        fd = ours.detach()
        self._wire = Wire(fd, fd)
        self._tell("stand by", run=run, lease=lease, store=str(store.absolute()), **orders)

    # --- the run loop's side of the port ---------------------------------------------------------------

    def guard(self, _plan: Plan) -> Sequence[str]:
        """A reason not to start when the guardian does not stand by."""
        if not self._lost and self._expect("ready", self._ready_within):
            return []
        return [f"the faults would not be guarded: {self._lost}; see {self._place.log}"]

    def arm(self, intended: Sequence[Intended]) -> None:
        """Hand over what is to be undone, and wait until it is held. Raises GuardianLost."""
        self._tell("arm", intended=[one.model_dump(mode="json") for one in intended])
        if not self._expect("armed", ARMED_WITHIN):
            raise GuardianLost(f"{self._lost}; see {self._place.log}")

    def renew(self) -> None:
        """Say that the runner lives."""
        if self._unanswered is None:
            self._unanswered = monotonic()
        self._tell("renew")

    def lost(self) -> str:
        """Why it cannot be relied on any more; empty while it stands by."""
        while not self._lost and (said := self._receive(0.0)) is not None:
            self._heed(said)
        if not self._lost and self._unanswered is not None and monotonic() - self._unanswered > self._lease:
            self._lose(f"the guardian has not answered for {self._lease:g}s")
        return self._lost

    def release(self, n: int) -> None:
        """Injection ``n`` is proven restored."""
        self._tell("release", n=n)

    def disarm(self) -> None:
        """Send it home, and wait a moment until it goes."""
        self._tell("disarm")
        self._expect("disarmed", GONE_WITHIN)

    def close(self) -> None:
        """Let go of it: one that is still armed takes that for our death, and undoes what is left."""
        self._wire.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)

    # --- words -----------------------------------------------------------------------------------------

    def _tell(self, word: str, **more: object) -> None:
        try:
            self._wire.send(word, **more)
        except Closed:
            self._lose("the guardian died")
        except GuardianLost as error:
            self._lose(str(error))

    def _expect(self, word: str, within: float) -> bool:
        """Whether it says ``word`` in time; why not is in ``_lost`` then."""
        deadline = monotonic() + within
        while not self._lost:
            said = self._receive(max(deadline - monotonic(), 0.0))
            if said is None:
                self._lose(f"the guardian did not answer within {within:g}s")
            elif said["word"] == word:
                return True
            else:
                self._heed(said)
        return False

    def _heed(self, said: Mapping[str, Any]) -> None:
        if said["word"] == "held":
            self._unanswered = None
        elif said["word"] == "fired":
            self._lose(f"the guardian has undone the faults: {said['why']}")
        elif said["word"] == "lost":
            self._lose(str(said["why"]))

    def _receive(self, timeout: float) -> Mapping[str, Any] | None:
        try:
            return self._wire.receive(timeout)
        except Closed:
            self._lose("the guardian died")
            return None

    def _lose(self, why: str) -> None:
        """The first reason stays."""
        self._lost = self._lost or why


def _appointed_within() -> float:
    from chaoskit.guardian.deputy import APPOINTED_WITHIN

    return APPOINTED_WITHIN


def _start(run: str, connection: int, log: int) -> int:
    """A process in a session of its own, whose standard input and output are ``connection``. Raises OSError."""
    return os.posix_spawn(
        sys.executable,
        # -P: the folder we happen to be in must not lend it its modules.
        [sys.executable, "-P", "-m", "chaoskit.guardian", run],
        _environment(),
        file_actions=[
            (os.POSIX_SPAWN_DUP2, connection, 0),
            (os.POSIX_SPAWN_DUP2, connection, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ],
        setsid=True,
    )


def _environment() -> dict[str, str]:
    """Ours, and where chaoskit is found when it is not installed: run from its own folder, say."""
    environment = dict(os.environ)
    root = Path(__file__).parents[2]
    if root.name not in _INSTALLED:
        others = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{others}" if others else str(root)
    return environment
