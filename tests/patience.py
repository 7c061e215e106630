"""Patience with a busy machine, which is none with the product."""

from collections.abc import Iterator


class Attempt:
    """One of three attempts at something that has to be done in time."""

    def __init__(self, *, last: bool) -> None:
        self._last = last
        self.spoiled = False

    def expect(self, holds: bool, told: object = "") -> None:
        """Assert what a stall of the machine may spoil, once; whatever else is asserted counts in every attempt."""
        assert holds or not self._last, f"not in any of three attempts; in the last: {told}"
        self.spoiled = self.spoiled or not holds


def best_of_three() -> Iterator[Attempt]:
    """Attempts, until one is not spoiled::

        for attempt in best_of_three():
            took = ...
            attempt.expect(took < 0.5, took)

    A machine that others use, too, may stall for longer than a bound; three times in a row it is the product.
    """
    for left in (2, 1, 0):
        attempt = Attempt(last=left == 0)
        yield attempt
        if not attempt.spoiled:
            return
