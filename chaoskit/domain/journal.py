"""The journal: what was about to be done to a target, written before it was done.

``outstanding(entries)`` is all that a rollback needs, in this process or in another after a crash.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from chaoskit.domain.ports import Effect, TargetRef
from chaoskit.domain.quantities import Value
from chaoskit.domain.targeting import TargetSpec


class _Entry(Value):
    run: str
    n: int
    at: datetime


class Intended(_Entry):
    """An injection that may be made from now on. ``injection`` is the whole of it, as JSON."""

    entry: Literal["intended"] = "intended"
    kind: str
    step: int
    group: str
    spec: TargetSpec
    ref: TargetRef
    injection: dict[str, JsonValue]
    by_hand: tuple[str, ...] = ()


class Injected(_Entry):
    """The injection was made, as far as its driver could tell."""

    entry: Literal["injected"] = "injected"
    effect: Effect


class InjectFailed(_Entry):
    """Making the injection failed or timed out: it is treated as made."""

    entry: Literal["inject-failed"] = "inject-failed"
    error: str


class Restored(_Entry):
    """The injection was undone and the target read back as before: this ends an intention."""

    entry: Literal["restored"] = "restored"
    note: str
    attempts: int = 1


class Unrestored(_Entry):
    """A rollback ended and something is left: the intention stays outstanding."""

    entry: Literal["unrestored"] = "unrestored"
    residue: tuple[str, ...]
    attempts: int = 1


class Accepted(_Entry):
    """A person vouches that the residue is dealt with, or never can be: the target is gone, say. Not a restoration."""

    entry: Literal["accepted"] = "accepted"
    who: str
    reason: str


Entry = Annotated[Intended | Injected | InjectFailed | Restored | Unrestored | Accepted, Field(discriminator="entry")]


def outstanding(entries: Iterable[Entry]) -> tuple[Intended, ...]:
    """The intentions that nothing has ended, newest first: the order in which to undo them."""
    open_: dict[tuple[str, int], Intended] = {}
    for entry in entries:
        if isinstance(entry, Intended):
            open_[entry.run, entry.n] = entry
        elif isinstance(entry, Restored | Accepted):
            open_.pop((entry.run, entry.n), None)
    return tuple(reversed(open_.values()))


def tag_of(run: str, n: int) -> str:
    """The mark on everything that injection ``n`` of ``run`` creates."""
    return f"chaoskit-{run}-{n}"
