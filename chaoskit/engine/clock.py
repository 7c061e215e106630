"""The real clock. Everything else gets time as an argument, so that tests never sleep."""

import time
from datetime import UTC, datetime


class RealClock:
    """Monotonic seconds for measuring, UTC for telling people, and a plain wait."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Let that many seconds pass."""
        time.sleep(seconds)
