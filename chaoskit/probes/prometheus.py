"""One PromQL query as a sample: the numbers of all its series, or why there are none that could be judged.

Everything that is not a fresh, finite, complete answer is unknown:

- NaN or infinity in any series makes the whole sample unknown, for nothing honest can be said of "all", "max" or
  "sum" over a value that is none. Filter in the query (``... > 0``) where a NaN is expected, as 0/0 without traffic.
- Old samples: see :mod:`chaoskit.probes.freshness`.
- The query is evaluated at the server's own present time, and no clock of ours is compared with the server's. But
  from one sample to the next both clocks must advance alike: an answer that comes from a cache has stopped.
"""

import math
import time
from collections.abc import Callable, Sequence

from chaoskit.domain.checks import ProbeSpec, Window
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.errors import InvalidInput
from chaoskit.domain.ports import Sample
from chaoskit.probes import freshness
from chaoskit.probes.freshness import Row
from chaoskit.probes.prometheus_api import Api
from chaoskit.probes.promql import selectors
from chaoskit.probes.wire import GRACE, CannotAsk, Deadline, NoAnswer


class Advance:
    """Notices a server time that stands still while ours goes on; an offset between the two does not matter."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    def behind(self, server: float, ours: float) -> float:
        """Seconds by which the server's clock has fallen back since it was furthest ahead of ours."""
        ahead = server - ours
        self._ahead = ahead if self._ahead is None else max(ahead, self._ahead)
        return self._ahead - ahead


class PrometheusProbe:
    """Asks ``spec.promql`` of ``prometheus``; a range query contributes every point of every series.

    ``fresh_within`` is the age in seconds from which a sample is no answer any more.
    """

    def __init__(
        self,
        spec: ProbeSpec,
        prometheus: Prometheus,
        fresh_within: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        assert spec.promql is not None
        self._promql = spec.promql
        self._window = spec.range
        self._fresh_within = fresh_within
        self._selectors = selectors(spec.promql)
        self._prometheus = prometheus
        self._now = now
        self._advance = Advance()

    @property
    def bound(self) -> float:
        """The longest one sample may take, in seconds: all of its queries share ``prometheus.timeout``."""
        return self._prometheus.timeout + GRACE

    def sample(self) -> Sample:
        """Ask once."""
        try:
            with Api(self._prometheus, Deadline(self._prometheus.timeout)) as api:
                return self._ask(api)
        except (CannotAsk, NoAnswer, InvalidInput) as error:
            return Sample(problem=str(error))

    def _ask(self, api: Api) -> Sample:
        rows = self._answer(api) if self._window is None else []
        fresh = freshness.check(api.instant, self._selectors, self._fresh_within)
        if fresh.problem:
            return Sample(problem=fresh.problem)
        if self._window is not None:
            rows = self._points(api, fresh.now, self._window)
        if problem := self._standstill(fresh.now) or unusable(rows):
            return Sample(problem=problem)
        return Sample(values=tuple(row.value for row in rows))

    def _answer(self, api: Api) -> list[Row]:
        return api.instant(self._promql, self._fresh_within)

    def _points(self, api: Api, end: float, window: Window) -> list[Row]:
        rows = api.range(self._promql, end, window.last, window.step, self._fresh_within)
        newest = max((row.at for row in rows), default=end)
        # Points lie a step apart and the end is rounded down to a second, so that much is not age.
        if end - newest > self._fresh_within + window.step + 1.0:
            raise CannotAsk(f"stale: the last point of the range is {end - newest:.1f}s old")
        return rows

    def _standstill(self, server: float) -> str:
        behind = self._advance.behind(server, self._now())
        if behind <= self._fresh_within:
            return ""
        return f"stale: the answer was made {behind:.1f}s ago; is there a cache in front of Prometheus?"


def unusable(rows: Sequence[Row]) -> str:
    """Why ``rows`` cannot be judged; empty when they can."""
    if not rows:
        return "no data: the query gives no series"
    odd = [row.value for row in rows if not math.isfinite(row.value)]
    return f"{odd[0]} in {len(odd)} of {len(rows)} values; only finite numbers can be judged" if odd else ""
