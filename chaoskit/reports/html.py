"""The HTML report: one file without scripts, network or fonts of its own."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from chaoskit.domain.history import RunRecord
from chaoskit.domain.verdict import Judgement
from chaoskit.reports import charts, lanes, wording
from chaoskit.reports.compose import compose
from chaoskit.reports.document import Block, Chart, Timeline

SIGNS: dict[str, str] = {
    "held": wording.SIGNS["held"],
    "unknown": wording.SIGNS["unknown"],
    "deviated": wording.SIGNS["deviated"],
    "passed": "\u2713",
    "failed": "\u2717",
    "blocked": "\u2298",
    "aborted": "\u25a0",
    "inconclusive": "?",
    "dirty": "!",
    "error": "\u26a0",
}


def render(record: RunRecord, judgement: Judgement) -> str:
    """The report of one run as an HTML page."""
    document = compose(record, judgement)
    environment = Environment(
        loader=PackageLoader("chaoskit.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["draw"] = _draw
    environment.globals["signs"] = SIGNS
    template = environment.get_template("report.html.j2")
    return template.render(document=document, version=record.runner.version)


def _draw(block: Block, key: str) -> Markup:
    """The picture of a block. The drawing escapes every text itself."""
    if isinstance(block, Chart):
        return Markup(charts.chart(block, key))  # noqa: S704 made by svg.element, which escapes
    assert isinstance(block, Timeline), "the template draws only pictures"
    return Markup(lanes.timeline(block, key))  # noqa: S704 made by svg.element, which escapes
