"""What every part of a run works with."""

from typing import NamedTuple

from chaoskit.domain.ports import Clock
from chaoskit.engine.halt import Halt
from chaoskit.engine.lease import Lease
from chaoskit.engine.recorder import Book, Narrator
from chaoskit.engine.timers import Timers


class Desk(NamedTuple):
    """The store, the clock, the stop, whoever listens, the lease, and the timers on targets that go with it."""

    book: Book
    clock: Clock
    halt: Halt
    narrator: Narrator
    lease: Lease
    timers: Timers
