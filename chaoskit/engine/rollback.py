"""Rollback: undo what the journal says is outstanding, newest first, and prove it by reading back.

The same function serves a normal end, an abort, Ctrl-C and ``chaoskit rollback`` after a crash. One failure never
strands the others, and every exception of one injection is that injection's outcome.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from chaoskit.domain.journal import Intended
from chaoskit.domain.ports import Clock, Injection, Residue, SelfReverting
from chaoskit.engine.access import Access
from chaoskit.engine.crew import PATIENCE, Done, fan_out
from chaoskit.engine.timers import Timers

ATTEMPTS = 5
FIRST_PAUSE = 0.25
VERIFY_FOR = 8.0
VERIFY_EVERY = 0.1

Revive = Callable[[Intended], Injection]


class Undone(NamedTuple):
    """What became of one intention: restored means that the last read-back found no residue."""

    intended: Intended
    restored: bool
    note: str
    attempts: int
    residue: Residue


def roll_back(
    intentions: Sequence[Intended],
    access: Access,
    revive: Revive,
    timers: Timers,
    clock: Clock,
    on_undone: Callable[[Undone], None],
    patience: Callable[[], float] = lambda: PATIENCE,
) -> list[Undone]:
    """Undo ``intentions`` (newest first), several targets at once, the injections of one target in order.

    Every target gets its first turn before any stubborn one gets its second. ``on_undone`` is called on the calling
    thread for each intention; what it raises is raised when everything is done. ``patience`` is as for
    :func:`fan_out`; what it raises is raised after the turn. Nothing else raises.
    """
    undoing = _Undoing(access, revive, timers, clock, on_undone)
    targets = _by_target(intentions)
    tried = fan_out(undoing.attempt, targets, undoing.tell_if_restored, patience=patience)
    stubborn = [state for done in tried if not _restored(state := _state(done))]
    insisted = fan_out(undoing.insist, stubborn, undoing.tell, patience=patience)
    if undoing.failures:
        raise undoing.failures[0]
    ended = {_number(undone.intended): undone for done in (*tried, *insisted) for undone in _state(done)}
    return [ended[_number(intended)] for intended in intentions]


def _number(intended: Intended) -> tuple[str, int]:
    return intended.run, intended.n


State = list[Undone]
"""How far the undoing of everything on one target has come, newest first."""


def _by_target(intentions: Sequence[Intended]) -> list[State]:
    by_target: dict[str, State] = {}
    for intended in intentions:
        fresh = Undone(intended, restored=False, note="", attempts=0, residue=("rollback was not tried",))
        by_target.setdefault(intended.ref.id, []).append(fresh)
    return list(by_target.values())


def _state(done: Done[State, State]) -> State:
    """What came of one target; all of it unproven when its turn itself failed or never ended."""
    if done.result is not None:
        return done.result
    residue = (_told(done.error),) if done.error else ()
    return [undone._replace(restored=False, residue=residue) for undone in done.item]


def _restored(state: State) -> bool:
    return all(undone.restored for undone in state)


class _Undoing:
    """Undoes what is on one target after another. ``failures`` keeps what the listener raised."""

    def __init__(
        self, access: Access, revive: Revive, timers: Timers, clock: Clock, on_undone: Callable[[Undone], None]
    ) -> None:
        self._access = access
        self._revive = revive
        self._timers = timers
        self._clock = clock
        self._on_undone = on_undone
        self.failures: list[Exception] = []

    def tell_if_restored(self, done: Done[State, State]) -> None:
        if _restored(_state(done)):
            self.tell(done)

    def tell(self, done: Done[State, State]) -> None:
        for undone in _state(done):
            try:
                self._on_undone(undone)
            except Exception as error:  # noqa: BLE001 a broken listener must not cost a stubborn target its second turn
                self.failures.append(error)

    def attempt(self, state: State) -> State:
        """Revert what is not restored, then read everything back: a late undo may disturb what was clean before."""
        reverted = [undone if undone.restored else self._revert(undone) for undone in state]
        return [undone if undone.residue else self._verify(undone) for undone in reverted]

    def insist(self, state: State) -> State:
        """Try again, with growing pauses."""
        for attempt in range(1, ATTEMPTS):
            if _restored(state):
                break
            self._clock.wait(FIRST_PAUSE * 2 ** (attempt - 1))
            state = self.attempt(state)
        return state

    def _revert(self, undone: Undone) -> Undone:
        intended = undone.intended
        tried = undone._replace(attempts=undone.attempts + 1)
        try:
            note = self._revive(intended).revert(self._access.target(intended.spec, intended.ref))
        except Exception as error:  # noqa: BLE001 whatever one undo raises, the others must still get their turn
            self._access.forget(intended.ref)
            return tried._replace(residue=(_told(error),))
        # The first note says how it was restored; a retry would only say that nothing was left to do.
        return tried._replace(note=undone.note or note, residue=())

    def _verify(self, undone: Undone) -> Undone:
        """Read back until clean, for some seconds: a container that was just started needs a moment to be running."""
        intended = undone.intended
        deadline = self._clock.now() + VERIFY_FOR
        try:
            injection, target = self._revive(intended), self._access.target(intended.spec, intended.ref)
            while (residue := injection.verify(target)) and self._clock.now() < deadline:
                self._clock.wait(VERIFY_EVERY)
            # A timer is disarmed only after the proof; one that stayed would one day undo the fault of another run.
            if not residue and isinstance(injection, SelfReverting):
                self._timers.disarm(target, injection.tag)
        except Exception as error:  # noqa: BLE001 an unreadable target is not proven clean; the others go on
            self._access.forget(intended.ref)
            residue = (_told(error),)
        return undone._replace(restored=not residue, residue=residue)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
