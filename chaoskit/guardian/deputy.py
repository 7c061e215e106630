"""The guardian's side of one deputy: a container beside an engine, which undoes what is there when we fall silent.

All requests are made on a thread of its own, because the guardian must never wait for an engine: the runner may die
meanwhile. What the guardian wants to know is answered at once, from what is known.
"""

from collections.abc import Callable
from threading import Condition, Thread
from typing import TYPE_CHECKING, NamedTuple

from chaoskit import __version__
from chaoskit.domain.errors import ChaoskitError, GuardianLost, TargetError, TargetGone
from chaoskit.guardian.letters import Letters, Message

if TYPE_CHECKING:
    from chaoskit.guardian.post import Post

LONGER = 5.0
"""Seconds by which the lease of a deputy is longer than the guardian's own, who is to act first where it can."""
APPOINTED_WITHIN = 30.0
APPOINTING = "being appointed"
_BEATS = 3
_LOOK_EVERY = 0.1
_PAUSE = 0.5


class Terms(NamedTuple):
    """What the deputies of a run are made from; ``lease`` is the guardian's own, in seconds."""

    run: str
    lease: float
    image: str
    socket: str


class Deputy:
    """One deputy, from its appointment to its dismissal. ``now`` goes on while the machine sleeps."""

    def __init__(self, host: str, name: str, terms: Terms, now: Callable[[], float]) -> None:
        """Begin to appoint it; that is not waited for."""
        self.host = host
        self.name = name
        self._terms = terms
        self._now = now
        self._changed = Condition()
        self._begun = now()
        self._letters = Letters(self._begun)
        self._state = APPOINTING
        self._lost = self._trouble = ""
        self._armed = self._leaving = self._left = False
        # A daemon: a request that hangs must not keep the guardian from ending.
        Thread(target=self._work, name=f"deputy {name}", daemon=True).start()

    # --- for the guardian, which never waits longer than it says ---------------------------------------

    def stands_by(self) -> str:
        """Wait until it is there; why it is not, empty when it is."""
        with self._changed:
            left = max(self._begun + APPOINTED_WITHIN - self._now(), 0.0)
            ready = self._changed.wait_for(lambda: self._lost or self._letters.is_answered(1), left)
            if not ready:
                self._lose(self._says(f"did not stand by within {APPOINTED_WITHIN:g}s"))
            return self._lost

    def tell(self, message: Message) -> int:
        """Have it told; returns the number by which :meth:`heeds` knows the message. A lost one is not renewed."""
        with self._changed:
            self._armed = self._armed or message["word"] == "arm"
            self._changed.notify_all()
            number = self._letters.tell(message, self._now())
            if self._lost:
                self._letters.despair()
            return number

    def heeds(self, number: int, within: float) -> str:
        """Wait until it has taken in message ``number``; why it has not, empty when it has."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._lost or self._letters.is_answered(number), within):
                self._lose(self._says(f"did not answer within {within:g}s"))
            return self._lost

    def lost(self) -> str:
        """Why it cannot be relied on any more; empty while it can. What is lost stays lost."""
        with self._changed:
            if self._state != APPOINTING and self._letters.silent_for(self._now()) > self._terms.lease:
                self._lose(self._says(f"has not answered for {self._terms.lease:g}s"))
            return self._lost

    def told(self) -> str:
        """What it is doing, in words."""
        with self._changed:
            return f"{self.name} at {self.host} {self._state if self._left or not self._lost else 'lost'}"

    def dismiss(self, within: float) -> bool:
        """Nothing is left to undo: remove it; one that has fired ends, and stays for its log.

        False when that is not done ``within`` so many seconds; it goes on being tried.
        """
        with self._changed:
            self._leaving = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._left, within)

    # --- the thread ------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            post = self._reach()
        except ChaoskitError as error:
            self._lose_aloud(self._says(f"cannot be appointed: {error}"))
            self._leave("never came")
            return
        try:
            self._serve(post)
        except ChaoskitError as error:
            self._lose_aloud(str(error))
        except Exception as error:  # noqa: BLE001 whatever it is, the guardian must know that nobody is there
            self._lose_aloud(self._says(f"cannot be kept: {type(error).__name__}: {error}"))
        self._send_home(post)

    def _reach(self) -> "Post":
        from chaoskit.guardian.post import REQUEST_WITHIN, Post
        from chaoskit.targets.docker_engine import Engine

        return Post(Engine(self.host, REQUEST_WITHIN), self.name)

    def _serve(self, post: "Post") -> None:
        run, lease, image, socket = self._terms
        orders = {"word": "stand by", "run": run, "lease": lease + LONGER, "version": __version__}
        try:
            post.appoint(image, socket, run, orders)
        except TargetError as error:
            raise GuardianLost(self._says(f"cannot be appointed: {error}")) from error
        while not self._leaving:
            try:
                self._exchange(post)
            except TargetGone as error:
                raise GuardianLost(self._says("is gone: somebody removed its container")) from error
            except TargetError as error:
                self._trouble = str(error)
                self._rest(_PAUSE)

    def _exchange(self, post: "Post") -> None:
        """Deliver the next message, and look for the answer; with nothing to do, wait for the next one."""
        with self._changed:
            if not self._letters.waits:
                self._changed.wait(self._terms.lease / _BEATS)
                self._beat()
            letter = self._letters.take()
            if not self._letters.waits and letter is None:
                return
        if letter:
            try:
                post.put(letter.number, letter.message)
            except TargetError:
                with self._changed:
                    self._letters.give_back(letter)
                raise
        self._listen(post)

    def _listen(self, post: "Post") -> None:
        answer = post.answer()
        if answer and answer.word == "refused":
            raise GuardianLost(self._says(f"refuses: {answer.why}"))
        with self._changed:
            if answer and answer.word == "fired":
                self._lose(self._says(f"has undone the faults: {answer.why}"))
                self._state = "fired"
            elif answer and answer.word:
                self._state = "armed" if self._armed else "standing by"
            self._letters.answered(answer.taken if answer else 0)
            self._trouble = ""
            self._changed.notify_all()
            all_answered = not self._letters.waits
        if not all_answered:
            if why := post.ended(for_once=self._state == APPOINTING):
                raise GuardianLost(self._says(why))
            self._rest(_LOOK_EVERY)

    def _send_home(self, post: "Post") -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._leaving)
        while not self._left:
            try:
                self._leave("ended" if post.send_home() else "removed")
            except TargetGone:
                self._leave("removed")
            except TargetError:
                self._rest(_PAUSE)
        post.close()

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait(seconds)

    def _leave(self, state: str) -> None:
        with self._changed:
            self._left, self._state = True, state
            self._changed.notify_all()

    def _lose_aloud(self, why: str) -> None:
        with self._changed:
            self._lose(why)

    # --- under the lock --------------------------------------------------------------------------------

    def _beat(self) -> None:
        """While nobody renews a lease, it must still know that we live, and we that it does."""
        if not (self._armed or self._lost) and self._now() - self._letters.told_at >= self._terms.lease / _BEATS:
            self._letters.tell({"word": "renew"}, self._now())

    def _lose(self, why: str) -> None:
        """The first reason stays."""
        self._lost = self._lost or why
        self._letters.despair()
        self._changed.notify_all()

    def _says(self, what: str) -> str:
        """``what`` of it, with what the engine said last when that was a complaint."""
        why = f" ({self._trouble})" if self._trouble else ""
        return f"the guardian beside the Docker engine at {self.host} {what}{why}"
