"""Bounded fan-out over targets that loses no outcome: an exception is an outcome too, and so is silence.

Not a ``ThreadPoolExecutor``: a worker that never comes back must strand neither the other items nor the end of the
process, and a rollback must go on, one target after the other, when the system has no more threads to give.
"""

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, NamedTuple, TypeVar

from chaoskit.domain.errors import TargetTimeout

Item = TypeVar("Item")
Result = TypeVar("Result")
WORKERS = 16
PATIENCE = 600.0
"""Seconds without any outcome after which the rest is given up: far beyond what the drivers' own bounds add up to."""
_PULSE = 0.1


class Done(NamedTuple, Generic[Item, Result]):
    """What became of one item: a result, or the exception that came in its place."""

    item: Item
    result: Result | None
    error: Exception | None


def fan_out(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    on_done: Callable[[Done[Item, Result]], None] = lambda done: None,  # noqa: ARG005 nobody listens
    workers: int = WORKERS,
    patience: Callable[[], float] = lambda: PATIENCE,
) -> list[Done[Item, Result]]:
    """Do ``work`` on each item, at most ``workers`` at once, and return one outcome each in the order of ``items``.

    ``on_done`` is called on the calling thread as outcomes arrive, so it may write the journal. ``patience`` is
    asked there too, ten times a second, for the seconds of silence after which the rest is given up as timed out.
    What either of them raises is raised at the end, when every item had its turn.
    """
    todo: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, Done[Item, Result] | BaseException]] = SimpleQueue()
    for index in range(len(items)):
        todo.put(index)

    def worker() -> None:
        while (index := _next(todo)) is not None:
            done.put((index, _attempt(work, items[index])))

    _staff(worker, min(workers, len(items)))
    arrivals = _Arrivals(items, on_done, patience)
    while arrivals.waiting:
        arrivals.take(done)
    while _next(todo) is not None:
        pass  # what was given up before it began must not begin later
    return arrivals.in_order()


def _staff(worker: Callable[[], None], wanted: int) -> None:
    """Start up to ``wanted`` threads; where the system gives none at all, the calling thread does the work."""
    for started in range(wanted):
        try:
            # A daemon: what hangs in a driver for ever cannot keep the process from ending.
            Thread(target=worker, name=f"crew {started}", daemon=True).start()
        except RuntimeError:
            if not started:
                worker()
            return


def _next(todo: SimpleQueue[int]) -> int | None:
    try:
        return todo.get_nowait()
    except Empty:
        return None


def _attempt(work: Callable[[Item], Result], item: Item) -> Done[Item, Result] | BaseException:
    try:
        return Done(item, work(item), None)
    except Exception as error:  # noqa: BLE001 whatever it is, it is this item's outcome
        return Done(item, None, error)
    except BaseException as error:  # noqa: BLE001 the end of the process is announced when all items had their turn
        return error


class _Arrivals(Generic[Item, Result]):
    """Takes outcomes as they come, and remembers the first thing that went wrong besides."""

    def __init__(
        self, items: Sequence[Item], on_done: Callable[[Done[Item, Result]], None], patience: Callable[[], float]
    ) -> None:
        self._items = items
        self._on_done = on_done
        self._patience = patience
        self._outcomes: dict[int, Done[Item, Result]] = {}
        self._failure: BaseException | None = None
        self._silent = 0.0
        self.waiting = set(range(len(items)))

    def take(self, done: "SimpleQueue[tuple[int, Done[Item, Result] | BaseException]]") -> None:
        """Wait a moment for the next outcome; give up on everything after too long a silence."""
        try:
            index, outcome = done.get(timeout=_PULSE)
        except Empty:
            self._silent += _PULSE
        else:
            self._silent = 0.0
            self._arrived(index, outcome)
        limit = self._allowed()
        if self._silent >= limit:
            for index in sorted(self.waiting):
                self._arrived(index, Done(self._items[index], None, TargetTimeout(f"no answer within {limit:g}s")))

    def in_order(self) -> list[Done[Item, Result]]:
        """Every outcome in the order of the items. Raises the first failure that was not an item's own."""
        if self._failure is not None:
            raise self._failure
        return [self._outcomes[index] for index in range(len(self._items))]

    def _arrived(self, index: int, outcome: Done[Item, Result] | BaseException) -> None:
        self.waiting.discard(index)
        if isinstance(outcome, BaseException):
            self._failure = self._failure or outcome
            return
        self._outcomes[index] = outcome
        try:
            self._on_done(outcome)
        except BaseException as error:  # noqa: BLE001 raised in_order(), when the others had their turn
            self._failure = self._failure or error

    def _allowed(self) -> float:
        try:
            return self._patience()
        except BaseException as error:  # noqa: BLE001 raised in_order(), when the others had their turn
            self._failure = self._failure or error
            self._patience = lambda: PATIENCE
            return PATIENCE
