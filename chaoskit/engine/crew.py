"""Bounded fan-out over targets that loses no outcome: an exception is an outcome too."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
WORKERS = 16


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
) -> list[Done[Item, Result]]:
    """Do ``work`` on each item, at most ``workers`` at once, and return one outcome each in the order of ``items``.

    ``on_done`` is called on the calling thread as outcomes arrive, so it may write the journal.
    """
    outcomes: dict[int, Done[Item, Result]] = {}
    with ThreadPoolExecutor(max_workers=min(workers, max(len(items), 1)), thread_name_prefix="crew") as pool:
        futures = {pool.submit(work, item): index for index, item in enumerate(items)}
        for future in as_completed(futures):
            index = futures[future]
            outcomes[index] = _outcome(items[index], future)
            on_done(outcomes[index])
    return [outcomes[index] for index in range(len(items))]


def _outcome(item: Item, future: Future[Result]) -> Done[Item, Result]:
    error = future.exception()
    if error is None:
        return Done(item, future.result(), None)
    if isinstance(error, Exception):
        return Done(item, None, error)
    raise error
