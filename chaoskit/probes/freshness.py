"""Whether the samples behind a PromQL answer are fresh: a Prometheus that stopped scraping must never look healthy.

Prometheus answers an instant selector with samples up to five minutes old, and a range such as ``rate(x[1m])`` with
whatever the window still holds. ``lookback_delta`` shortens the first (servers before 2.43 ignore it), nothing the
second, and an ``or vector(0)`` hides both. So Prometheus is asked, in its own clock, how old the samples are:

1. ``up``, when there is such a series, must be fresh: something is still scraped.
2. The series of a selector that has any must be fresh: every one for an instant selector (unless the server honours
   ``lookback_delta`` and so leaves the old ones out), the newest for a range.
3. A selector without a series now, but with samples a moment ago, lost them either because the application dropped
   the series or because nobody can see it any more. ``up`` tells: a job with no target up makes the answer unknown.
   For a range longer than ``fresh_within`` the very target must be up, for its old samples are in the answer.
4. A query that reads series, none of which exists while ``up`` does not either, has nothing behind it.

Ages are differences of the server's own clock, so a skew between runner and server does not matter. What remains:
gaps in the middle of a range query are not noticed, and an ``offset`` is judged by the same series at present.
"""

from collections.abc import Callable, Sequence
from math import ceil, isfinite
from typing import NamedTuple

from chaoskit.probes.promql import Selector

MARK = "chaoskit"
_NOW, _UP = "now", "up"
_MOMENT = 300.0
"""How far back a vanished series is looked for, in seconds: the default lookback of Prometheus."""


class Row(NamedTuple):
    """One series of an instant answer."""

    labels: dict[str, str]
    at: float
    value: float


Ask = Callable[[str, float | None], Sequence[Row]]
"""Asks an instant query, with a lookback in seconds where one is given."""


class Freshness(NamedTuple):
    """The server's time, in its own seconds, and why the answer cannot be trusted, if so."""

    now: float
    problem: str


def check(ask: Ask, selectors: Sequence[Selector], fresh_within: float) -> Freshness:
    """Look at the samples behind ``selectors``; at most three queries, one when all is well.

    Raises whatever ``ask`` raises.
    """
    rows = ask(ages_query(selectors), None)
    ages = {row.labels.get(MARK, ""): row.value for row in rows}
    problem = _too_old(ask, selectors, ages, fresh_within)
    missing = [selector for i, selector in enumerate(selectors) if str(i) not in ages]
    if not problem and missing:
        problem = _vanished(ask, missing, fresh_within)
    if not problem and selectors and len(missing) == len(selectors) and _UP not in ages:
        problem = "no data: none of the series in the query exists, and nothing is scraped"
    return Freshness(ages.get(_NOW, 0.0), problem)


# --- how old ----------------------------------------------------------------------------------------------


def ages_query(selectors: Sequence[Selector]) -> str:
    """One query for the server's time, the age of the newest ``up``, and an age for each selector by its index."""
    ages = [_age(i, selector) for i, selector in enumerate(selectors)]
    return " or ".join([_marked("vector(time())", _NOW), _marked("time() - max(timestamp(up))", _UP), *ages])


def _age(index: int, selector: Selector) -> str:
    # One old series among many falsifies an instant answer; a range may hold the last samples of a dead replica.
    which = "max" if selector.window else "min"
    return _marked(f"time() - {which}(timestamp({selector.text}))", str(index))


def _marked(promql: str, mark: str) -> str:
    return f'label_replace({promql}, "{MARK}", "{mark}", "", "")'


def _too_old(ask: Ask, selectors: Sequence[Selector], ages: dict[str, float], fresh_within: float) -> str:
    if ages.get(_UP, 0.0) > fresh_within:
        return _stale("up (of all targets)", ages[_UP], fresh_within)
    for i, selector in enumerate(selectors):
        age = ages.get(str(i), 0.0)
        if age > fresh_within and (selector.window or not _left_out(ask, selector, fresh_within)):
            return _stale(selector.text, age, fresh_within)
    return ""


def _left_out(ask: Ask, selector: Selector, fresh_within: float) -> bool:
    """Whether the server honours the lookback, so that no old sample of ``selector`` is in the answer."""
    return all(row.value <= fresh_within for row in ask(_age(0, selector), fresh_within))


def _stale(what: str, age: float, fresh_within: float) -> str:
    return (
        f"stale: the last sample of {what} is {age:.1f}s old and fresh_within is {fresh_within:g}s, "
        "which should be at least twice the scrape interval"
    )


# --- where it went ----------------------------------------------------------------------------------------


def vanished_query(selectors: Sequence[Selector], fresh_within: float) -> str:
    """One query for the targets that had samples a moment ago, for each selector, and the targets that are up."""
    had = [
        _marked(f"count by (job, instance) (count_over_time({s.text}[{_moment(s, fresh_within)}s]))", str(i))
        for i, s in enumerate(selectors)
    ]
    return " or ".join([_marked("count by (job, instance) (up == 1)", _UP), *had])


def _moment(selector: Selector, fresh_within: float) -> int:
    in_answer = selector.window > fresh_within and isfinite(selector.window)
    return ceil(selector.window if in_answer else _MOMENT)


def _vanished(ask: Ask, selectors: Sequence[Selector], fresh_within: float) -> str:
    rows = ask(vanished_query(selectors, fresh_within), None)
    up = {_target(row) for row in rows if row.labels.get(MARK) == _UP}
    jobs_up = {job for job, _ in up}
    for i, selector in enumerate(selectors):
        for job, instance in (_target(row) for row in rows if row.labels.get(MARK) == str(i)):
            # Rules make series without a job or an instance; nobody scrapes those, so they may come and go.
            exact = selector.window > fresh_within and instance
            if job and ((job, instance) not in up if exact else job not in jobs_up):
                where = f"{job} {instance}" if exact else f"every target of job {job}"
                return f"no data: the samples of {selector.text} ended and {where} is not up"
    return ""


def _target(row: Row) -> tuple[str, str]:
    return row.labels.get("job", ""), row.labels.get("instance", "")
