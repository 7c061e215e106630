"""The freshness rules, against answers as Prometheus gives them."""

from collections.abc import Sequence

import pytest

from chaoskit.probes.freshness import Freshness, Row, ages_query, check, vanished_query
from chaoskit.probes.prometheus import Advance, unusable
from chaoskit.probes.promql import Selector

NOW = 1000.0


def row(mark: str, value: float, **labels: str) -> Row:
    return Row({"chaoskit": mark, **labels}, NOW, value)


class Server:
    """Answers queries in the order they come, and keeps them with their lookback."""

    def __init__(self, *answers: Sequence[Row]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, float | None]] = []

    def __call__(self, promql: str, lookback: float | None) -> Sequence[Row]:
        self.asked.append((promql, lookback))
        return self._answers.pop(0)


def ages(up: float | None = 1.0, **by_index: float) -> list[Row]:
    known = [row("now", NOW)] + ([] if up is None else [row("up", up)])
    return known + [row(name.removeprefix("s"), age) for name, age in by_index.items()]


INSTANT, RATE = Selector("val"), Selector("c_total", 60.0)


def test_fresh_series_take_one_query_and_give_the_time_of_the_server() -> None:
    server = Server(ages(s0=3.0, s1=4.0))
    assert check(server, [INSTANT, RATE], 15.0) == Freshness(NOW, "")
    assert server.asked == [(ages_query([INSTANT, RATE]), None)]


def test_every_series_of_an_instant_selector_counts_but_only_the_newest_of_a_range() -> None:
    query = ages_query([INSTANT, RATE])
    assert 'label_replace(time() - min(timestamp(val)), "chaoskit", "0", "", "")' in query
    assert 'label_replace(time() - max(timestamp(c_total)), "chaoskit", "1", "", "")' in query


def test_nothing_counts_when_nothing_is_scraped() -> None:
    assert "stale: the last sample of up" in check(Server(ages(up=20.0, s0=1.0)), [INSTANT], 15.0).problem
    assert check(Server(ages(up=20.0)), [], 15.0).problem


def test_an_old_series_in_a_range_is_stale_without_asking_again() -> None:
    assert "last sample of c_total is 16.0s old" in check(Server(ages(s0=16.0)), [RATE], 15.0).problem


@pytest.mark.parametrize(
    ("with_lookback", "stale"),
    [([], False), ([row("0", 2.0)], False), ([row("0", 40.0)], True)],
    ids=["left out", "fresh ones remain", "ignored"],
)
def test_an_old_series_is_tolerated_only_when_the_server_leaves_it_out(
    with_lookback: list[Row], *, stale: bool
) -> None:
    server = Server(ages(s0=40.0), with_lookback)
    assert bool(check(server, [INSTANT], 15.0).problem) is stale
    assert server.asked[1][1] == 15.0


def vanished(selector: Selector, *rows: Row, up_age: float | None = 1.0) -> str:
    return check(Server(ages(up_age), rows), [selector], 15.0).problem


def test_a_series_that_never_was_is_no_trouble() -> None:
    assert vanished(INSTANT, row("up", 1, job="app", instance="a:1")) == ""


def test_a_series_that_the_application_dropped_is_no_trouble() -> None:
    assert vanished(INSTANT, row("up", 1, job="app", instance="a:1"), row("0", 9, job="app", instance="a:1")) == ""


def test_a_series_of_a_job_that_nobody_sees_any_more_is_trouble() -> None:
    problem = vanished(INSTANT, row("up", 1, job="other", instance="b:1"), row("0", 9, job="app", instance="a:1"))
    assert problem == "no data: the samples of val ended and every target of job app is not up"


def test_a_dead_replica_beside_a_live_one_matters_only_while_its_samples_are_in_the_answer() -> None:
    rows = row("up", 1, job="app", instance="b:1"), row("0", 9, job="app", instance="a:1")
    assert vanished(INSTANT, *rows) == ""
    assert vanished(Selector("c_total", 15.0), *rows) == ""
    assert vanished(RATE, *rows) == "no data: the samples of c_total ended and app a:1 is not up"


def test_series_that_rules_make_may_come_and_go() -> None:
    assert vanished(INSTANT, row("0", 9)) == ""
    assert vanished(RATE, row("up", 1, job="app", instance="b:1"), row("0", 9, job="app")) == ""


def test_an_answer_with_nothing_behind_it_is_no_data() -> None:
    assert "nothing is scraped" in vanished(INSTANT, up_age=None)
    assert check(Server(ages(up=None)), [], 15.0).problem == ""


def test_a_vanished_series_is_looked_for_as_far_back_as_it_may_be_in_the_answer() -> None:
    query = vanished_query([INSTANT, RATE, Selector("x", 15.0), Selector("y", float("inf"))], 15.0)
    for part in ("(val[300s])", "(c_total[60s])", "(x[300s])", "(y[300s])"):
        assert f"count by (job, instance) (count_over_time{part})" in query


def test_a_clock_that_advances_like_ours_is_not_behind_whatever_its_offset() -> None:
    advance = Advance()
    assert [advance.behind(5000.0 + t, 10.0 + t) for t in (0.0, 1.0, 60.0)] == [0.0, 0.0, 0.0]


def test_a_clock_that_stands_still_falls_behind() -> None:
    advance = Advance()
    assert advance.behind(5000.0, 10.0) == 0.0
    assert advance.behind(5000.0, 17.0) == 7.0
    assert advance.behind(5012.0, 18.0) == 0.0
    assert advance.behind(5012.0, 20.0) == 2.0


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([1.0, 2.0], ""),
        ([], "no data: the query gives no series"),
        ([1.0, float("nan"), 2.0], "nan in 1 of 3 values; only finite numbers can be judged"),
        ([float("-inf")], "-inf in 1 of 1 values; only finite numbers can be judged"),
    ],
)
def test_one_value_that_is_no_number_spoils_the_sample(values: list[float], problem: str) -> None:
    assert unusable([Row({}, NOW, value) for value in values]) == problem
