"""The guardian's own loop: stand by, be armed, watch the lease, undo. It ends when there is nothing left to undo."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread
from time import sleep
from typing import Any, Protocol

from chaoskit.guardian.places import State
from chaoskit.guardian.wire import Closed, Line

IDLE = 1.0
"""Seconds of silence after which there is time to load what undoing needs. A runner in a hurry arms us before."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two rounds of undoing; each is twice the one before."""
GIVES_UP_AFTER = 3600.0
"""Seconds after which a target that cannot be restored is left to a person."""
LANDS_WITHIN = 10.0
"""Seconds in which a request that the dead runner had sent may still take effect."""

Told = Mapping[str, Any]


class Duty(Protocol):
    """How to undo what is held: all that is heavy, and imported only when there is time for it, or need."""

    def undo(self, held: Sequence[Any], log: Callable[[str], None]) -> bool:
        """Undo and verify injections as the journal has them, newest last; True when nothing of them is left.

        May raise, and is tried again then.
        """

    def outstanding(self) -> Sequence[Any]:
        """What the journal says of this run that nobody has ended; nothing where it cannot be read."""

    def may_still_land(self, held: Collection[int]) -> bool:
        """Whether the runner may have died while it made one of these injections."""

    def conclude(self, log: Callable[[str], None]) -> None:
        """The runner is dead and everything is restored: write that into its journal and its record."""


class Serving:
    """One guardian. ``lease`` is in seconds; ``now`` tells seconds that go on while the machine sleeps.

    ``note`` lets others see what it is doing, and to how many injections.
    """

    def __init__(
        self,
        wire: Line,
        lease: float,
        load: Callable[[], Duty],
        now: Callable[[], float],
        note: Callable[[State, int], None],
    ) -> None:
        self._wire = wire
        self._lease = lease
        self._load = load
        self._now = now
        self._note = note
        self._held: dict[int, Any] = {}
        self._loader: Thread | None = None
        self._loaded: Duty | None = None
        self._failure: BaseException | None = None
        self._runner_lives = True
        self._fired = ""

    def serve(self) -> bool:
        """Stand by until the runner disarms us or dies; then see to it that nothing of it is left.

        Says whether there was anything to undo.
        """
        self._note("standing by", 0)
        self._say("ready")
        why = self._watch()
        if why:
            self._fire(why)
        return bool(why)

    # --- what is heavy ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Load what undoing needs before anybody asks for it. Raises what loading does."""
        _ = self._duty

    def _begin_loading(self) -> None:
        """Begin to load what undoing needs, aside: on a busy machine that may take longer than a short lease."""
        if self._loader is None:
            self._loader = Thread(target=self._load_all, name="loading", daemon=True)
            self._loader.start()

    def _load_all(self) -> None:
        try:
            self._loaded = self._load()
        except BaseException as error:  # noqa: BLE001 raised where it is needed, at the next word of the runner
            self._failure = error

    @property
    def _duty(self) -> Duty:
        self._begin_loading()
        if self._loader is not None:
            self._loader.join()
        if self._loaded is None:
            failure, self._failure, self._loader = self._failure, None, None  # the next one to ask tries again
            raise failure or AssertionError("loading ends with a duty, or with a failure")
        return self._loaded

    def _see_to_loading(self) -> None:
        """A guardian that cannot undo must end while its runner lives: then the runner knows, and stops."""
        if self._failure is not None and not self._fired:
            raise self._failure

    # --- while the runner lives ------------------------------------------------------------------------

    def _watch(self) -> str:
        """Why the faults must be undone now; empty when there is nothing to undo any more."""
        deadline = 0.0
        while True:
            word = self._hear(self._patience(deadline))
            if word in {"arm", "renew"}:
                deadline = self._now() + self._lease
            elif word == "disarm":
                return ""
            elif word == "closed":
                self._take_over()
                return "the runner died" if self._held else ""
            elif not word and self._held and self._now() >= deadline:
                return f"the runner was silent for its whole lease of {self._lease:g}s"

    def _take_over(self) -> None:
        """The runner may have died after it wrote an intention, and before it could tell us; or the other way round."""
        try:
            found = self._duty.outstanding()
        except Exception:  # noqa: BLE001 whatever the journal holds, what we were handed is undone
            log(traceback.format_exc())
            return
        self._held.update({int(one["n"]): one for one in found})

    def _patience(self, deadline: float) -> float | None:
        """Seconds to listen: until the lease is over; until it is time to load; or for ever."""
        if self._held:
            self._begin_loading()
            return max(deadline - self._now(), 0.0)
        return None if self._loader else IDLE

    def _hear(self, timeout: float | None) -> str:
        """What the runner says next: its word, ``closed`` when it is gone, or nothing at all."""
        try:
            said = self._wire.receive(timeout)
        except Closed:
            self._runner_lives = False
            return "closed"
        self._see_to_loading()
        if said is None:
            self._begin_loading()
            return ""
        self._heed(said)
        return str(said["word"])

    def _heed(self, said: Told) -> None:
        if said["word"] == "arm":
            self._hold(said["intended"])
        elif said["word"] == "release":
            self._held.pop(int(said["n"]), None)
        elif said["word"] == "renew":
            self._say("fired" if self._fired else "held", why=self._fired)
        elif said["word"] == "disarm":
            self._say("disarmed")

    def _hold(self, intended: Sequence[Any]) -> None:
        self._held.update({int(one["n"]): one for one in intended})
        self._note("armed", len(self._held))
        log(f"armed: {_told(len(self._held))}, a lease of {self._lease:g}s")
        self._say("armed")

    def _say(self, word: str, **more: object) -> None:
        # One who does not listen any more is found out when we listen.
        with suppress(Closed):
            self._wire.send(word, **more)

    # --- when it does not ------------------------------------------------------------------------------

    def _fire(self, why: str) -> None:
        self._fired = why
        self._note("undoing", len(self._held))
        log(f"{why}: undoing {_told(len(self._held))}")
        if self._runner_lives:
            self._say("fired", why=why)
        begin, pause = self._now(), FIRST_PAUSE
        done = self._undo()
        while not self._is_over(done=done):
            if self._now() - begin > GIVES_UP_AFTER:
                self._note("gave up", len(self._held))
                log("gave up; restore what is left with `chaoskit rollback`")
                return
            word = self._hear_or_wait(None if done else pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            if word == "disarm":
                log("the runner is back, and has restored everything itself")
                self._note("done", len(self._held))
                return
            if word == "closed" or not word:
                # A runner that came back may have gone on injecting before it died.
                done = self._undo()
        if self._duty.may_still_land(self._held.keys()):
            self._land()
        self._duty.conclude(log)
        self._note("done", len(self._held))
        log("done")

    def _hear_or_wait(self, timeout: float | None) -> str:
        """As :meth:`_hear`; of a dead runner there is nothing to hear, and its closed connection never keeps us."""
        if self._runner_lives or timeout is None:
            return self._hear(timeout)
        sleep(timeout)
        return ""

    def _is_over(self, *, done: bool) -> bool:
        return done and not self._runner_lives

    def _land(self) -> None:
        log(f"looking once more in {LANDS_WITHIN:g}s: what the runner had asked for may still take effect")
        sleep(LANDS_WITHIN)
        pause = FIRST_PAUSE
        while not self._undo() and pause < LONGEST_PAUSE:
            sleep(pause)
            pause *= 2

    def _undo(self) -> bool:
        try:
            return self._duty.undo(list(self._held.values()), log)
        except Exception:  # noqa: BLE001 whatever it was, the next round may do better, and nobody else is there
            log(traceback.format_exc())
            return False


def _told(injections: int) -> str:
    return "1 injection" if injections == 1 else f"{injections} injections"


def log(text: str) -> None:
    """One line in the guardian's log, which is its standard error; a full disk must not keep it from its duty."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {text}\n")
        sys.stderr.flush()


def go_apart() -> None:
    """Let nothing that is meant for the runner reach us: its folder may go, its terminal may close."""
    os.chdir("/")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
