"""The promql probe against a real Prometheus that scrapes real exporters."""

import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from chaoskit.domain.checks import ProbeSpec
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.ports import Sample
from chaoskit.probes.build import build
from chaoskit.probes.prometheus_api import Api
from chaoskit.probes.prometheus_info import PrometheusInfo
from chaoskit.probes.promql import selectors
from chaoskit.probes.wire import Deadline
from tests.patience import best_of_three
from tests.testbed.probes.conftest import Monitored, monitored_jobs
from tests.testbed.probes.parts import PrometheusServer, wait_for


def sample(url: str, promql: str, fresh_within: str = "15s", timeout: str = "5s", **spec: Any) -> Sample:
    connection = Prometheus.model_validate({"url": url, "timeout": timeout})
    parsed = ProbeSpec.model_validate({"promql": promql, "fresh_within": fresh_within, **spec})
    return build(parsed, wants_number=True, prometheus=connection).sample()


# --- answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("promql", "values"),
    [
        ('val{job="app"}', (7.0,)),
        ('scalar(val{job="app"})', (7.0,)),
        ("sum(val)", (21.0,)),
        ('val{job="pair"}', (7.0, 7.0)),
        ("vector(3)", (3.0,)),
        ("3", (3.0,)),
    ],
)
def test_an_instant_query_gives_the_number_of_every_series(
    monitored: Monitored, promql: str, values: tuple[float, ...]
) -> None:
    assert sample(monitored.prometheus.url, promql) == Sample(values=values)


def test_a_rate_is_what_the_exporter_counted(monitored: Monitored) -> None:
    (rate,) = sample(monitored.prometheus.url, 'rate(c_total{job="app"}[5s])').values
    assert rate == pytest.approx(1000, rel=0.1)


def test_a_range_query_gives_every_point_of_every_series(monitored: Monitored) -> None:
    wait_for(lambda: len(monitored.exporters["app"][0].seen) > 5, 20)
    one = sample(monitored.prometheus.url, 'val{job="app"}', range={"last": "3s", "step": "1s"})
    two = sample(monitored.prometheus.url, 'val{job="pair"}', range={"last": "3s", "step": "1s"})
    assert set(one.values) == {7.0}
    assert 3 <= len(one.values) <= 4
    assert len(two.values) == pytest.approx(2 * len(one.values), abs=2)


# --- answers that say nothing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("promql", "problem"),
    [
        ("no_such_metric", "no data: the query gives no series"),
        ('odd{job="app"}', "nan in 1 of 1 values; only finite numbers can be judged"),
        ('mixed{job="app"}', "inf in 1 of 2 values; only finite numbers can be judged"),
        ("0 / 0", "nan in 1 of 1 values; only finite numbers can be judged"),
        ('many{job="app"}', "the query gives 1100 series; aggregate it to at most 1000"),
        ('val{job="app"}[5s]', "the query gives a range of samples or a histogram, not one number; wrap it"),
        ('"text"', "what came back is not an answer of Prometheus (ValueError)"),
        ("rate(val", "status 400: invalid parameter"),
    ],
)
def test_an_answer_that_cannot_be_judged_is_unknown(monitored: Monitored, promql: str, problem: str) -> None:
    taken = sample(monitored.prometheus.url, promql)
    assert problem in taken.problem
    assert (taken.values, taken.holds) == ((), None)
    assert "\n" not in taken.problem


# --- freshness --------------------------------------------------------------------------------------------

FRESH = 2.0


BEHIND_THE_DYING: list[dict[str, Any]] = [
    {"promql": 'val{job="dying"}'},
    {"promql": 'rate(c_total{job="dying"}[1m])'},
    {"promql": 'sum(rate(c_total{job="dying"}[1m])) or vector(0)'},
    {"promql": 'sum(errors_total{job="dying"}) or vector(0)'},
    {"promql": 'sum(rate(errors_total{job="dying"}[1s])) or vector(0)'},
    {"promql": 'max_over_time(sum(val{job="dying"})[30s:1s])'},
    {"promql": 'val{job="dying"}', "range": {"last": "1m", "step": "1s"}},
]


def test_every_query_behind_a_dead_exporter_becomes_unknown_within_fresh_within(tmp_path: Path) -> None:
    for attempt in best_of_three():
        with monitored_jobs(Path(mkdtemp(dir=tmp_path)), {"dying": 1}) as mortal:
            # One second for the scrape that fails, and a tenth for a busy machine.
            took = _seconds_until_all_are_unknown(mortal)
            attempt.expect(took < FRESH + 1.1, took)


def _seconds_until_all_are_unknown(mortal: Monitored) -> float:
    def unknown(spec: dict[str, Any]) -> bool:
        taken = sample(mortal.prometheus.url, fresh_within="2s", **spec)
        assert bool(taken.problem) != bool(taken.values)
        return bool(taken.problem)

    # A rate over one second never has two samples, so there it is the "or" that answers.
    assert not [spec for spec in BEHIND_THE_DYING if unknown(spec)]
    mortal.exporters["dying"][0].close()
    took = wait_for(lambda: all(map(unknown, BEHIND_THE_DYING)), 10 * FRESH)
    time.sleep(FRESH)
    assert all(map(unknown, BEHIND_THE_DYING))
    return took


def test_one_dead_target_of_two_leaves_the_answer_known(tmp_path: Path) -> None:
    with monitored_jobs(tmp_path, {"pair": 2}) as mortal:
        first, _ = mortal.exporters["pair"]
        # Over two seconds there is a single sample, and no rate, from one scrape's time until its commit.
        query = 'sum(rate(c_total{job="pair"}[3s]))'
        assert sample(mortal.prometheus.url, query, fresh_within="2s").values
        first.close()
        begin = time.monotonic()
        while time.monotonic() - begin < 5:
            taken = sample(mortal.prometheus.url, query, fresh_within="2s")
            assert taken.values, taken
            time.sleep(0.2)
        assert taken.values[0] == pytest.approx(1000, rel=0.15)


def test_a_series_that_the_application_dropped_is_not_missed(monitored: Monitored) -> None:
    query = 'sum(errors_total{job="app"}) or vector(0)'
    assert sample(monitored.prometheus.url, query, fresh_within="2s").values == (5.0,)
    monitored.errors_exposed = False
    try:
        wait_for(lambda: sample(monitored.prometheus.url, query, fresh_within="2s").values == (0.0,), 5)
    finally:
        monitored.errors_exposed = True


@pytest.mark.parametrize("promql", ['frozen{job="app"}', 'sum(frozen{job="app"}) + sum(val{job="app"})'])
def test_a_sample_whose_own_timestamp_stands_still_is_stale(monitored: Monitored, promql: str) -> None:
    wait_for(lambda: time.time() - monitored.began > FRESH, 10)
    taken = sample(monitored.prometheus.url, promql, fresh_within="2s")
    assert 'stale: the last sample of frozen{job="app"}' in taken.problem
    assert "twice the scrape interval" in taken.problem


def test_a_prometheus_that_no_longer_scrapes_is_stale_and_never_gives_old_values(
    monitored: Monitored, tmp_path: Path
) -> None:
    server = PrometheusServer(tmp_path, {"app": [monitored.exporters["app"][0].port]})
    try:
        wait_for(lambda: bool(sample(server.url, "val", fresh_within="5s").values), 20)
        server.stop()
        server.jobs = {}
        server.start()
        wait_for(lambda: bool(sample(server.url, "val", fresh_within="2s").problem), FRESH + 1.1)
        for promql in ("val", "rate(c_total[1m])", "sum(no_such) or vector(0)", "vector(1)"):
            assert "stale" in sample(server.url, promql, fresh_within="2s").problem
        assert sample(server.url, "val", fresh_within="4m").values == (7.0,)
    finally:
        server.stop()


@pytest.mark.parametrize(
    "promql",
    [
        'sum(rate(c_total{job!~"5.."}[15s])) / sum(rate(c_total[15s]))',
        "histogram_quantile(0.95, sum by (le, job) (rate(many[1m]))) > bool 3",
        "val * on (job, instance) group_left() (up offset 1s == 1)",
        "max_over_time(sum(val)[20s:1s]) # and {a comment",
        '{__name__=~"va.", job!="}"} or vector(time() - -0x1F - Inf)',
        "topk(3, -val @ end()) unless absent(val)",
        'label_replace(count_values("n", val), "a", "$1", "n", "(.*)")',
        "sum by (job) (many) / ignoring (job) group_left count without (n) (many)",
    ],
)
def test_what_the_scanner_takes_for_a_selector_is_one(monitored: Monitored, promql: str) -> None:
    connection = Prometheus(url=monitored.prometheus.url)
    assert selectors(promql)
    with Api(connection, Deadline(5)) as api:
        api.instant(promql)
        for selector in selectors(promql):
            assert api.instant(f"count({selector.text})")


# --- a Prometheus in trouble ------------------------------------------------------------------------------


def test_a_killed_prometheus_is_unknown_at_once_and_a_frozen_one_in_time(tmp_path: Path) -> None:
    server = PrometheusServer(tmp_path, {})
    try:
        probe_url, connection = server.url, Prometheus.model_validate({"url": server.url, "timeout": "1s"})
        assert sample(probe_url, "vector(1)").values == (1.0,)
        server.process.send_signal(19)
        for attempt in best_of_three():
            begin = time.monotonic()
            taken = sample(probe_url, "vector(1)", timeout="1s")
            took = time.monotonic() - begin
            attempt.expect(took < 1.5, took)
            assert took > 0.9
            assert "no answer within 1s" in taken.problem
        assert "no answer within 1s" in PrometheusInfo(connection).ready()
        assert PrometheusInfo(connection).scrape_interval() is None
        server.process.kill()
        server.process.wait(5)
        for attempt in best_of_three():
            begin = time.monotonic()
            assert "connection refused" in sample(probe_url, "vector(1)").problem
            took = time.monotonic() - begin
            attempt.expect(took < 0.5, took)
    finally:
        server.stop()


def test_what_prometheus_says_about_itself(monitored: Monitored) -> None:
    info = PrometheusInfo(Prometheus(url=monitored.prometheus.url + "/"))
    assert info.ready() == ""
    assert info.scrape_interval() == 1.0
    assert (info.version() or "").count(".") >= 2


def test_the_scrape_interval_of_a_prometheus_without_targets_is_that_of_its_configuration(tmp_path: Path) -> None:
    server = PrometheusServer(tmp_path, {})
    try:
        assert PrometheusInfo(Prometheus(url=server.url)).scrape_interval() == 1.0
    finally:
        server.stop()
