"""Rollback: undo what the journal says is outstanding, newest first, and prove it by reading back.

The same function serves a normal end, an abort, Ctrl-C and ``chaoskit rollback`` after a crash. One failure never
strands the others, and every exception of one injection is that injection's outcome.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from chaoskit.domain.journal import Intended
from chaoskit.domain.ports import Clock, Injection, Residue
from chaoskit.engine.access import Access
from chaoskit.engine.crew import Done, fan_out

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
    clock: Clock,
    on_undone: Callable[[Undone], None],
) -> list[Undone]:
    """Undo ``intentions`` (newest first), several targets at once, the injections of one target in order.

    ``on_undone`` is called on the calling thread for each one. Nothing raises.
    """
    by_target: dict[str, list[Intended]] = {}
    for intended in intentions:
        by_target.setdefault(intended.ref.id, []).append(intended)

    def undo_target(mine: list[Intended]) -> list[Undone]:
        return _undo_target(mine, access, revive, clock)

    def arrived(done: Done[list[Intended], list[Undone]]) -> None:
        for undone in done.result or []:
            on_undone(undone)

    outcomes = fan_out(undo_target, list(by_target.values()), arrived)
    return [undone for outcome in outcomes for undone in outcome.result or []]


def _undo_target(mine: Sequence[Intended], access: Access, revive: Revive, clock: Clock) -> list[Undone]:
    """Revert everything on one target, then read everything back; again, with growing pauses, what is not clean."""
    state = {i.n: Undone(i, restored=False, note="", attempts=0, residue=("rollback was not tried",)) for i in mine}
    for attempt in range(1, ATTEMPTS + 1):
        left = [undone.intended for undone in state.values() if not undone.restored]
        if not left:
            break
        if attempt > 1:
            clock.wait(FIRST_PAUSE * 2 ** (attempt - 2))
        for intended in left:
            state[intended.n] = _revert(state[intended.n], access, revive)._replace(attempts=attempt)
        for intended in left:
            if not state[intended.n].residue:
                state[intended.n] = _verify(state[intended.n], access, revive, clock)
    return list(state.values())


def _revert(undone: Undone, access: Access, revive: Revive) -> Undone:
    intended = undone.intended
    try:
        note = revive(intended).revert(access.target(intended.spec, intended.ref))
    except Exception as error:  # noqa: BLE001 whatever one undo raises, the others must still get their turn
        access.forget(intended.ref)
        return undone._replace(residue=(_told(error),))
    # The first note says how it was restored; a retry would only say that nothing was left to do.
    return undone._replace(note=undone.note or note, residue=())


def _verify(undone: Undone, access: Access, revive: Revive, clock: Clock) -> Undone:
    """Read back until clean, for some seconds: a container that was just started needs a moment to be running."""
    intended = undone.intended
    deadline = clock.now() + VERIFY_FOR
    try:
        injection, target = revive(intended), access.target(intended.spec, intended.ref)
        while (residue := injection.verify(target)) and clock.now() < deadline:
            clock.wait(VERIFY_EVERY)
    except Exception as error:  # noqa: BLE001 an unreadable target is not proven clean; the others go on
        access.forget(intended.ref)
        residue = (_told(error),)
    return undone._replace(restored=not residue, residue=residue)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
