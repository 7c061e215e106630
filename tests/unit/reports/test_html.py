import re
from importlib.resources import files
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.domain.history import Abort, AbortCause
from chaoskit.domain.verdict import Verdict, judge
from chaoskit.reports.clean import redact, visible
from chaoskit.reports.html import render
from tests.unit.reports import factory
from tests.unit.reports.pages import Node, read

LARGEST = 1_500_000
RUNBOOK = "https://runbooks.example/checkout"
REFERENCES = {"src", "href", "xlink:href", "action", "formaction", "poster", "data", "srcset", "cite", "background"}
HOSTILE = [
    "<script>alert(1)</script>",
    "</style></title></svg><img src=http://evil.example/x onerror=alert(1)>",
    "]]>",
    "\"' onload='x' \"",
    "{{ 7 * 7 }}{% raw %}",
    "a\nb\r\nc\x00\x1b[31m",
    "\u202eexe.gpj\u2066",
    "שלום",
    "&lt;b&gt;&#60;",
    "-->",
]
CSS = (files("chaoskit.reports") / "templates" / "report.css").read_text()


def page(name: str) -> Node:
    return read(render(*factory.judged(factory.ALL[name]())))


@pytest.mark.parametrize("name", factory.ALL)
def test_every_verdict_has_a_whole_page(name: str) -> None:
    record, judgement = factory.judged(factory.ALL[name]())
    found = read(render(record, judgement))
    assert found.one(class_="badge").text.endswith(judgement.verdict.value)
    assert found.one("h1").text == record.experiment.title
    assert judgement.headline in found.one(class_="headline").text
    for reason in judgement.reasons:
        assert reason in found.one("section", id="why").text


@pytest.mark.parametrize("verdict", factory.VERDICTS)
def test_the_samples_are_judged_as_they_are_named(verdict: str) -> None:
    assert judge(factory.VERDICTS[verdict]()).verdict == Verdict(verdict)


@pytest.mark.parametrize("name", factory.ALL)
def test_nothing_is_fetched_from_anywhere(name: str) -> None:
    found = page(name)
    references = {value for node in found.walk() for key, value in node.attributes.items() if key in REFERENCES}
    assert {value for value in references if not value.startswith("#")} <= {RUNBOOK}
    assert not found.all("script") + found.all("link") + found.all("iframe") + found.all("img")
    assert not [key for node in found.walk() for key in node.attributes if key.startswith("on")]
    style = found.one("style").text
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("name", factory.ALL)
def test_the_page_can_be_read_without_seeing_it(name: str) -> None:
    found = page(name)
    assert found.one("html").attributes["lang"] == "en"
    for landmark in ("header", "main", "nav", "footer"):
        found.one(landmark)
    ids = [node.attributes["id"] for node in found.walk() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for picture in found.all("svg", role="img"):
        named = [found.one(id=one).text for one in picture.attributes["aria-labelledby"].split()]
        assert all(text.strip() for text in named)
    assert all(
        svg.attributes.get("role") == "img"
        or svg.attributes.get("aria-hidden") == "true"
        or (svg.parent is not None and svg.parent.tag == "svg")
        for svg in found.all("svg")
    )
    for table in found.all("table"):
        assert table.one("caption").text
        assert all(cell.attributes["scope"] == "col" for cell in table.one("thead").all("th"))
        assert all(row.all("th")[0].attributes["scope"] == "row" for row in table.one("tbody").all("tr"))
    for link in found.all("a"):
        if link.attributes["href"].startswith("#"):
            found.one(id=link.attributes["href"][1:])


def test_every_reason_of_a_blocked_run_is_listed() -> None:
    record = factory.blocked()
    items = [item.text for item in page("blocked").one("section", id="why").all("li")]
    assert [item.rstrip(".") for item in items] == list(record.blocked)


def test_what_is_left_and_the_commands_by_hand_come_first_when_dirty() -> None:
    first = page("dirty").one("main").all("section")[0]
    assert first.attributes["id"] == "residue"
    assert first.one("pre").text == "docker start web-3\ndocker inspect --format '{{.State.Status}}' web-3"
    assert "web-3 is still exited (137)" in first.text
    assert "web-1" not in first.text


@pytest.mark.parametrize(("count", "last"), [(1, "host port of 80/tcp is 32775, was 32774"), (30, "and 10 more")])
def test_what_is_restored_but_not_as_before_is_framed_above_the_table(count: int, last: str) -> None:
    note = "started by chaoskit; not as before: host port of 80/tcp is 32775, was 32774"
    moved = tuple(factory.injection(n=n, note=note) for n in range(1, count + 1))
    whole = read(render(*factory.judged(factory.record(injections=moved))))
    rollback = whole.one("section", id="rollback").text
    assert "Restored, but not all as before" in rollback
    assert last in rollback.partition("Undone by")[0]
    assert "restored, but not all as before" in whole.one(class_="figures").text
    assert "every target read back as before" not in whole.text


def test_trouble_that_a_worse_verdict_hides_is_told_once() -> None:
    drift = "instance.kill on web-2: stopped by somebody else"
    hidden = factory.record(
        injections=(factory.injection(restored_at=None, drift="stopped by somebody else", residue=("gone",)),),
        errors=("the store was slow",),
    )
    why = read(render(*factory.judged(hidden))).one("section", id="why").text
    assert (why.count(drift), why.count("the store was slow")) == (1, 1)
    stopped = hidden.model_copy(update={"abort": Abort(cause="drift", reason=drift, at=30.0, breached_at=29.0)})
    assert read(render(*factory.judged(stopped))).one("section", id="why").text.count(drift) == 1


@pytest.mark.parametrize("cause", get_args(AbortCause))
def test_whatever_stopped_the_run_is_told(cause: AbortCause) -> None:
    abort = Abort(cause=cause, reason="what exactly happened", at=30.0, breached_at=29.0)
    stopped = factory.record(abort=abort)
    why = read(render(*factory.judged(stopped))).one("section", id="why").text
    assert "what exactly happened" in why.partition("Stopped by")[2]


def test_the_card_holds_the_numbers_of_the_judgement() -> None:
    figures = {
        figure.one("dt").text: figure.one(class_="value").text for figure in page("aborted").all(class_="figure")
    }
    assert figures == {
        "Time to detect": "6.90 s",
        "Time to abort": "6.80 s",
        "Time to recover": "13.0 s",
        "Samples": "33",
        "Rollback verified": "1/1",
    }


def test_an_unknown_stretch_is_a_hatched_gap_and_the_line_stops_at_it() -> None:
    chart = page("failed").one("section", id="charts").all("svg", class_="chart")[1]
    gaps = [node for node in chart.all("rect", class_="gap") if float(node.attributes["height"]) > 100]
    line = chart.one("path", class_="line").attributes["d"]
    assert len(gaps) == 1
    assert line.count("M") == 2
    last_before = float(re.findall(r"[ML]([\d.]+) ", line.split("M")[1])[-1] if "L" in line.split("M")[1] else 0)
    first_after = float(line.split("M")[2].split(" ")[0])
    left = float(gaps[0].attributes["x"].rstrip("%")) * 10
    width = float(gaps[0].attributes["width"].rstrip("%")) * 10
    assert left == pytest.approx(last_before, abs=0.2)
    assert left + width == pytest.approx(first_after, abs=0.2)


def test_each_deviated_reading_is_marked() -> None:
    record = factory.failed()
    deviated = [r for r in record.readings if r.name == "availability" and r.outcome == "deviated"]
    chart = page("failed").one("section", id="charts").all("svg", class_="chart")[0]
    assert chart.one("path", class_="dot").attributes["d"].count("M") == len(deviated) > 5


def test_a_check_without_a_number_is_a_strip_of_outcomes() -> None:
    chart = page("failed").one("section", id="charts").all("svg", class_="chart")[2]
    assert not chart.all("path")
    assert chart.all("rect", class_="held")


def test_the_looser_bound_is_drawn_only_while_the_fault_is_in() -> None:
    chart = page("passed").one("section", id="charts").all("svg", class_="chart")[1]
    during = chart.one("line", class_="during").attributes
    bounds = sorted(float(line.attributes["x1"].rstrip("%")) for line in chart.all("line", class_="bound"))
    fault = chart.one("rect", class_="fault").attributes
    assert during["x1"] == fault["x"]
    assert bounds == [0.0, pytest.approx(float(during["x2"].rstrip("%")), abs=0.01)]


def test_an_abort_condition_on_the_same_query_is_drawn_into_the_chart_of_the_check() -> None:
    check = {"name": "errors", "promql": factory.ERRORS, "at_most": "5%"}
    asked = factory.experiment(steady_state=[check])
    record = factory.record(experiment=asked, readings=factory.series("errors", factory.errors(0.1)))
    chart = read(render(*factory.judged(record))).one("section", id="charts").one("svg", class_="chart")
    chart.one("line", class_="abort")
    assert "abort above 20%" in chart.text


def test_a_fault_that_was_never_undone_is_said_so_in_the_timeline() -> None:
    picture = page("killed").one("section", id="timeline").one("svg", class_="timeline")
    assert "not restored" in picture.text


def test_a_rollback_long_after_the_runner_died_does_not_squeeze_the_charts() -> None:
    late = factory.injection(rollback_at=90_000.0, restored_at=90_002.0)
    record = factory.killed().model_copy(update={"injections": (late,)})
    found = read(render(*factory.judged(record)))
    line = found.one("section", id="charts").all("svg", class_="chart")[0].one("path", class_="line").attributes["d"]
    assert max(float(x) for x in re.findall(r"[ML]([\d.]+) ", line)) > 900
    assert "+90002.000 s" in found.one("section", id="rollback").text


def test_very_many_readings_stay_small_and_their_spike_is_seen() -> None:
    text = render(*factory.judged(factory.long_run()))
    assert len(text.encode()) < LARGEST
    chart = read(text).one("section", id="charts").all("svg", class_="chart")[1]
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", chart.one("path", class_="line").attributes["d"])]
    assert (min(heights) < 30, sorted(heights)[5] > 150) == (True, True)


def test_very_many_targets_stay_small_and_none_is_missing_from_the_tables() -> None:
    text = render(*factory.judged(factory.crowd()))
    assert len(text.encode()) < LARGEST
    found = read(text)
    touched = found.one("section", id="blast-radius").text
    assert all(f"#{n} web-{n}" in touched for n in (1, 150, 300))
    assert "and 280 more injections" in found.one("section", id="timeline").text


def test_a_value_that_misses_its_bound_never_reads_as_the_bound() -> None:
    record = factory.record(readings=factory.series("availability", lambda at: ("deviated", 0.98999)))
    row = read(render(*factory.judged(record))).one("section", id="hypothesis").one("tbody").all("tr")[0]
    assert [cell.text for cell in row.all("td", class_="number")][1] == "98.999%"


def test_a_password_in_an_error_text_is_not_shown() -> None:
    record = factory.record(errors=("cannot reach postgresql://ada:hunter22@db/runs",))
    assert "hunter22" not in render(*factory.judged(record))


def shape(tree: Node) -> list[str]:
    return [f"{node.tag} {' '.join(sorted(node.attributes))}" for node in tree.walk()]


@pytest.mark.parametrize("poison", HOSTILE)
@pytest.mark.parametrize("name", ["failed", "blocked", "aborted", "dirty"])
def test_hostile_text_in_every_field_stays_text(name: str, poison: str) -> None:
    check_hostile(name, poison)


@settings(max_examples=15, deadline=None)
# Nothing but blanks is no text: what is empty without them is rightly left out.
@given(poison=st.text(min_size=1, max_size=40).filter(str.strip), name=st.sampled_from([*factory.VERDICTS]))
def test_any_text_in_every_field_stays_text(name: str, poison: str) -> None:
    check_hostile(name, poison)


def check_hostile(name: str, poison: str) -> None:
    """The page with hostile strings has the same elements as with harmless ones, and shows the strings."""
    plain = factory.written_over(factory.small(name), lambda text: text + "x")
    record = factory.written_over(factory.small(name), lambda text: text + poison)
    harmless, found = read(render(*factory.judged(plain))), read(render(*factory.judged(record)))
    assert shape(found) == shape(harmless)
    assert found.one("h1").text == visible(redact(record.experiment.title))
    assert found.one("section", id="reproduce").one("pre").text == visible(redact(record.text))


def palettes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\n *\}", CSS, re.DOTALL)
    named = {"light": light, "dark": dark}
    return {name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", body)) for name, body in named.items()}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


GROUNDS = ["page", "surface", "code", "fault-soft", "rollback-soft", "recovery-soft"]
TEXT = [
    *(("text", ground) for ground in [*GROUNDS, "held-soft", "deviated-soft", "unknown-soft"]),
    *(("muted", ground) for ground in [*GROUNDS, "held-soft", "deviated-soft", "unknown-soft"]),
    *((tone, ground) for tone in ("held", "deviated", "unknown", "accent") for ground in ("page", "surface")),
    *((tone, f"{tone}-soft") for tone in ("held", "deviated", "unknown")),
    *(("on-badge", tone) for tone in ("held", "deviated", "unknown", "muted")),
    *(("deviated", ground) for ground in ("fault-soft", "rollback-soft", "recovery-soft")),
]
SHAPES = [
    *(
        (tone, ground)
        for tone in ("accent", "deviated", "held", "muted", "text")
        for ground in ("page", "fault-soft", "rollback-soft", "recovery-soft")
    ),
    ("fault", "page"),
    ("fault", "fault-soft"),
    ("fault", "rollback-soft"),
    ("rollback", "page"),
    ("rollback", "rollback-soft"),
    ("recovery", "page"),
    ("recovery", "recovery-soft"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_is_legible_in_both_schemes(scheme: str, ink: str, ground: str) -> None:
    colours = palettes()[scheme]
    assert contrast(colours[ink], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), SHAPES)
def test_lines_and_marks_stand_out_in_both_schemes(scheme: str, ink: str, ground: str) -> None:
    colours = palettes()[scheme]
    assert contrast(colours[ink], colours[ground]) >= 3


def test_the_contrast_formula_is_the_one_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


def test_colours_are_only_named_in_the_palettes() -> None:
    body = CSS.split("* { box-sizing", 1)[1].split("@page", 1)[0]
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl", body)
