"""The pictures as XML: well-formed, within their frame, and drawn where the numbers say."""

import math
from xml.etree import ElementTree as ET

import pytest

from chaoskit.domain.readings import Outcome, Reading
from chaoskit.reports.charts import chart
from chaoskit.reports.document import Axis, Bar, Chart, Lane, Mark, Threshold, Timeline, Zone
from chaoskit.reports.lanes import timeline
from chaoskit.reports.sketch import COLUMNS
from chaoskit.reports.sketch import chart as sketch_chart
from chaoskit.reports.sketch import timeline as sketch_timeline


def taken(at: float, value: float | None, outcome: Outcome = "held") -> Reading:
    return Reading(role="check", name="c", phase="observe", at=at, took=0.1, outcome=outcome, value=value)


def drawn(*readings: Reading, thresholds: tuple[Threshold, ...] = (), lanes: tuple[Lane, ...] = ()) -> Chart:
    return Chart(
        title="p95 & <latency>",
        subtitle="query",
        outcome="held",
        word="held",
        unit="s",
        readings=readings,
        thresholds=thresholds,
        zones=(Zone("fault", 20, 60), Zone("rollback", 60, 65), Zone("recovery", 65, 80)),
        lanes=lanes,
        axis=Axis(0, 100),
        hole=30,
        words=("1", "2", "3"),
        described="what it shows",
    )


def svg(markup: str) -> ET.Element:
    return ET.fromstring(markup)


def lines(root: ET.Element, class_: str) -> list[ET.Element]:
    return [node for node in root.iter() if class_ in (node.get("class") or "").split()]


def test_a_chart_is_well_formed_whatever_its_title() -> None:
    root = svg(chart(drawn(taken(0, 1), taken(10, 2)), "c1"))
    assert [node.text for node in root[:2]] == ["p95 & <latency>", "what it shows"]


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e300, -1e300, 5e-324, 0.0])
def test_a_value_of_any_size_is_drawn_within_the_frame(value: float) -> None:
    root = svg(chart(drawn(taken(0, 1), taken(10, value, "deviated"), taken(20, 1)), "c1"))
    height = float(root.get("height") or 0)
    for node in root.iter():
        for key in ("y", "y1", "y2"):
            assert 0 <= float(node.get(key) or 0) <= height
    assert "nan" not in ET.tostring(root, encoding="unicode").lower().replace("c1", "")


def test_the_line_of_a_threshold_is_where_its_value_is() -> None:
    bound = Threshold("bound", 1.0, "at most 1s")
    root = svg(chart(drawn(taken(0, 0), taken(10, 2), thresholds=(bound,)), "c1"))
    (line,) = lines(root, "bound")[:1]
    inner = next(node for node in root.iter("svg") if node is not root)
    top, height = float(inner.get("y") or 0), float(inner.get("height") or 0)
    assert float(line.get("y1") or 0) == pytest.approx(top + height / 2)


def test_zones_lie_where_their_times_are() -> None:
    root = svg(chart(drawn(taken(0, 1)), "c1"))
    (fault,) = [node for node in lines(root, "fault") if node.tag == "rect"]
    assert (fault.get("x"), fault.get("width")) == ("20%", "40%")


def test_a_lane_of_a_fault_never_restored_reaches_the_end() -> None:
    root = svg(chart(drawn(taken(0, 1), lanes=(Lane("#1", 20, None, None),)), "c1"))
    (lane,) = lines(root, "lane")
    assert (lane.get("x"), lane.get("width")) == ("20%", "80%")
    assert "not restored" in "".join(lane.itertext())


def test_shape_alone_tells_the_three_outcomes_apart() -> None:
    readings = (taken(0, None), taken(20, None, "unknown"), taken(40, None, "deviated"), taken(60, None))
    root = svg(chart(drawn(*readings), "c1"))
    held, gap, deviated = lines(root, "held")[0], lines(root, "gap")[0], lines(root, "deviated")[0]
    assert (gap.get("fill") or "").startswith("url(#")
    assert float(deviated.get("height") or 0) == 3 * float(held.get("height") or 0)


def test_a_timeline_is_well_formed_and_tells_every_phase() -> None:
    picture = Timeline(
        phases=(Bar("baseline 5 s", 0, 5, "baseline"), Bar("observe 60 s", 5, 65, "observe")),
        lanes=(Lane("#1 kill on <a>", 5, 60, 65), Lane("#2 kill on b", 5, None, None)),
        marks=(Mark("halted", 50, "halt"), *(Mark("tick", i / 100, "note") for i in range(5000))),
        axis=Axis(0, 100),
        described="all of it",
    )
    root = svg(timeline(picture, "t1"))
    said = "".join(root.itertext())
    assert all(word in said for word in ("baseline 5 s", "observe 60 s", "#1 kill on <a>", "halt"))
    assert len(lines(root, "event")) < 500
    assert len(lines(root, "undoing")) == 1


def test_a_sketch_is_never_wider_than_its_columns() -> None:
    readings = [taken(i / 10, math.sin(i / 50), "deviated" if i % 100 == 0 else "held") for i in range(1000)]
    value, outcome, *_ = sketch_chart(drawn(*readings)).splitlines()
    assert len(value) <= COLUMNS + 9
    assert outcome.count("x") == 10


def test_a_sketch_draws_nothing_where_nothing_is_known() -> None:
    rows = sketch_chart(drawn(taken(0, 1), taken(50, None, "unknown"), taken(75, 2))).splitlines()
    assert rows[0].removeprefix("value").strip().split() == ["▁", "█"]
    assert "?" in rows[1]


def test_a_sketched_timeline_says_what_is_not_restored() -> None:
    picture = Timeline((), (Lane("#1 kill on a", 5, 60, None),), (), Axis(0, 100), "")
    assert "not restored" in sketch_timeline(picture)
