"""The real clock. Everything else gets time as an argument, so that tests never sleep."""

import time
from datetime import UTC, datetime

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class RealClock:
    """Monotonic seconds for measuring, UTC for telling people, and a plain wait."""

    def now(self) -> float:
        """Monotonic seconds, those included in which the machine slept: a lease runs out meanwhile, too."""
        return time.clock_gettime(_CLOCK)

    def utc(self) -> datetime:
        """Wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Let that many seconds pass."""
        time.sleep(seconds)
