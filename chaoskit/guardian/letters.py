"""The messages from a guardian to one deputy: numbered, in order, each told until it is delivered and then answered."""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

Message = Mapping[str, object]


class Letter(NamedTuple):
    """One message, its number, and when it was told."""

    number: int
    at: float
    message: Message

    @property
    def renews(self) -> bool:
        """Whether it says only that the guardian lives, so that any later one will do in its place."""
        return self.message["word"] == "renew"


class Letters:
    """Which messages are due to be delivered, and which are not answered yet. Message 1 are the orders themselves."""

    def __init__(self, now: float) -> None:
        self._last = Letter(1, now, {"word": "stand by"})
        self._due: deque[Letter] = deque()
        self._unanswered: deque[Letter] = deque([self._last])

    @property
    def told_at(self) -> float:
        """When the newest one was told."""
        return self._last.at

    def tell(self, message: Message, now: float) -> int:
        """One more; returns its number."""
        self._last = Letter(self._last.number + 1, now, message)
        if self._last.renews and self._due and self._due[-1].renews:
            self._due.pop()
        self._due.append(self._last)
        self._unanswered.append(self._last)
        return self._last.number

    def take(self) -> Letter | None:
        """The next one to deliver, if any."""
        return self._due.popleft() if self._due else None

    def give_back(self, letter: Letter) -> None:
        """It could not be delivered: it comes first once more, unless a later one will do."""
        if not (letter.renews and self._due):
            self._due.appendleft(letter)

    def despair(self) -> None:
        """No answer is expected any more, and no sign of life is to be given; what counts for long stays due."""
        self._unanswered.clear()
        self._due = deque(letter for letter in self._due if not letter.renews)

    def answered(self, number: int) -> None:
        """All up to ``number`` have been taken in."""
        while self._unanswered and self._unanswered[0].number <= number:
            self._unanswered.popleft()

    def is_answered(self, number: int) -> bool:
        """Whether message ``number`` has been taken in."""
        return not self._unanswered or self._unanswered[0].number > number

    def silent_for(self, now: float) -> float:
        """Seconds for which the oldest unanswered one has waited; 0 when all are answered."""
        return now - self._unanswered[0].at if self._unanswered else 0.0

    @property
    def waits(self) -> bool:
        """Whether any is to be delivered or answered."""
        return bool(self._due or self._unanswered)
