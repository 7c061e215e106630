from chaoskit.demo.load import new_felt
from chaoskit.demo.service import BUCKETS, Counter, Histogram, exposition, labelled


def series(metric: Counter | Histogram) -> dict[str, str]:
    lines = [line for line in metric.lines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


def test_a_counter_counts_each_combination_of_labels_by_itself() -> None:
    counter = Counter("requests_total", "Requests.", ("service", "code"))
    counter.add("web", "200")
    counter.add("web", "200")
    counter.add("solo", "503")
    assert series(counter) == {
        'requests_total{service="solo",code="503"}': "1",
        'requests_total{service="web",code="200"}': "2",
    }


def test_a_counter_stays_exact_beyond_a_million() -> None:
    counter = Counter("requests_total", "Requests.")
    counter.add(by=1_234_567)
    assert series(counter) == {"requests_total": "1234567"}


def test_a_counter_added_by_nothing_exists_at_zero() -> None:
    counter = Counter("requests_total", "Requests.", ("code",))
    counter.add("503", by=0)
    assert series(counter) == {'requests_total{code="503"}': "0"}


def test_a_metric_tells_its_type_before_its_series() -> None:
    assert list(Counter("a_total", "Some help.").lines()) == ["# HELP a_total Some help.", "# TYPE a_total counter"]
    assert list(Histogram("b", "Other help.").lines()) == ["# HELP b Other help.", "# TYPE b histogram"]


def test_histogram_buckets_are_cumulative_and_include_their_bound() -> None:
    histogram = Histogram("wait", "Waits.")
    for seconds in (0.004, 0.005, 0.3, 7.0):
        histogram.observe(seconds)
    found = series(histogram)
    assert found['wait_bucket{le="0.005"}'] == "2"
    assert found['wait_bucket{le="0.25"}'] == "2"
    assert found['wait_bucket{le="0.3"}'] == "3"
    assert found['wait_bucket{le="2.5"}'] == "3"
    assert found['wait_bucket{le="+Inf"}'] == "4"
    assert found["wait_count"] == "4"
    assert float(found["wait_sum"]) == 7.309


def test_a_preset_histogram_has_all_its_series_at_zero() -> None:
    histogram = Histogram("wait", "Waits.", ("service",))
    histogram.preset("web")
    found = series(histogram)
    assert len(found) == len(BUCKETS) + 3
    assert {float(value) for value in found.values()} == {0.0}
    assert 'wait_bucket{service="web",le="+Inf"}' in found


def test_a_preset_does_not_forget_what_was_observed() -> None:
    histogram = Histogram("wait", "Waits.")
    histogram.observe(1.0)
    histogram.preset()
    assert series(histogram)["wait_count"] == "1"


def test_label_values_are_escaped_as_the_text_format_wants() -> None:
    assert labelled(("path",), ('a"b\\c\nd',)) == '{path="a\\"b\\\\c\\nd"}'
    assert labelled((), ()) == ""


def test_the_page_ends_with_a_line_feed_and_holds_the_start_time() -> None:
    page = exposition(Counter("a_total", "A.")).decode()
    assert page.endswith("\n")
    assert "\nprocess_start_time_seconds " in page


def test_users_metrics_exist_before_the_first_request() -> None:
    felt = new_felt(["web", "solo"])
    found = series(felt.requests)
    assert set(found.values()) == {"0"}
    assert set(found) == {
        f'client_requests_total{{service="{service}",code="{code}"}}'
        for service in ("web", "solo")
        for code in ("000", "200", "503")
    }
    assert series(felt.durations)['client_request_duration_seconds_count{service="solo"}'] == "0"


def test_a_request_without_an_answer_counts_in_both_metrics() -> None:
    felt = new_felt(["web"])
    felt.record("web", "000", 2.0)
    assert series(felt.requests)['client_requests_total{service="web",code="000"}'] == "1"
    assert series(felt.durations)['client_request_duration_seconds_bucket{service="web",le="1"}'] == "0"
    assert series(felt.durations)['client_request_duration_seconds_bucket{service="web",le="2.5"}'] == "1"
