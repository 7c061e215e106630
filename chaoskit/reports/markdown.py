"""The Markdown report: the twin of the HTML one, for terminals and pull requests. No HTML in it.

Text is escaped so that it stays text: a label cannot become a link, a table row or an element. Its pictures, made
of letters, are in :mod:`chaoskit.reports.sketch`.
"""

import re
from collections.abc import Iterable

from chaoskit.domain.history import RunRecord
from chaoskit.domain.verdict import Judgement
from chaoskit.reports import sketch
from chaoskit.reports.compose import compose
from chaoskit.reports.document import (
    Block,
    Bullets,
    Callout,
    Card,
    Cell,
    Chart,
    Code,
    Facts,
    Section,
    Table,
    Text,
    Timeline,
)
from chaoskit.reports.wording import SIGNS, oneline

_SPECIAL = re.compile(r"[\\`*\[\]<>|~&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_CLOSING = re.compile(r"(?<=\s)(?=#+$)")
_AT_START = re.compile(r"^(?:#{1,6}(?=\s|$)|[+-](?=\s|$)|[=-](?=[=-]*$)|\d+(?=[.)](?:\s|$)))")
_LINK = re.compile(r"https?://[^\s<>]+")


def render(record: RunRecord, judgement: Judgement) -> str:
    """The report of one run as Markdown (GitHub's flavour)."""
    document = compose(record, judgement)
    parts = [_card(document.card), *(_section(section) for section in document.sections)]
    return "\n\n".join(parts) + "\n"


def text(raw: str) -> str:
    """``raw`` on one line, with everything escaped that Markdown would read as more than text."""
    line = _SPECIAL.sub(lambda match: "\\" + match.group(), oneline(raw))
    return _AT_START.sub(_escaped_start, _CLOSING.sub(r"\\", line))


def _escaped_start(match: re.Match[str]) -> str:
    """A heading, a rule or a list item begins so; a number is escaped after its digits."""
    return f"{match.group()}\\" if match.group().isdigit() else f"\\{match.group()}"


def code(raw: str) -> str:
    """``raw`` on one line as a code span, whatever backticks it holds."""
    line = oneline(raw)
    fence = "`" * (1 + _longest_ticks(line))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""


def fenced(raw: str) -> str:
    """``raw`` as a block of code, whatever fences it holds."""
    fence = "`" * max(3, 1 + _longest_ticks(raw))
    return f"{fence}text\n{raw.rstrip()}\n{fence}"


def _longest_ticks(raw: str) -> int:
    return max((len(run) for run in re.findall("`+", raw)), default=0)


def _card(card: Card) -> str:
    reason = text(card.reason) + (f" ({text(card.more)})" if card.more else "")
    names = [code(card.name), f"run {code(card.run)}", *(text(tag) for tag in card.tags)]
    figures = Table(
        "",
        tuple(figure.name for figure in card.figures),
        (
            tuple(Cell(figure.value, "strong") for figure in card.figures),
            tuple(Cell(figure.hint) for figure in card.figures),
        ),
    )
    parts = [
        f"# {text(card.title)}",
        ", ".join(names),
        f"**{card.verdict.upper()}** (exit code {card.exit_code}). {text(card.headline)}",
        reason,
        text(card.description),
        _table(figures),
        "Steady-state hypothesis:",
        "\n".join(f"- {SIGNS[outcome] if outcome else '(not asked)'} {text(said)}" for outcome, said in card.expected),
        "The run:",
        "\n".join(f"- {name}: {value}" for name, value in _meta(card)),
    ]
    return "\n\n".join(part for part in parts if part)


def _meta(card: Card) -> Iterable[tuple[str, str]]:
    yield from (("Fault", text(fault)) for fault in card.faults)
    yield "When", f"{text(card.when)}, {text(card.lasted)}"
    if card.owner:
        yield "Owner", text(card.owner)
    if card.runbook:
        yield "Runbook", f"<{card.runbook}>" if _LINK.fullmatch(card.runbook) else text(card.runbook)


def _section(section: Section) -> str:
    return "\n\n".join([f"## {text(section.title)}", *(_block(block) for block in section.blocks)])


def _block(block: Block) -> str:
    match block:
        case Text():
            return text(block.text)
        case Bullets():
            return "\n".join(f"- {text(item)}" for item in block.items)
        case Facts():
            return "\n".join(f"- {text(name)}: {_inline(cell)}" for name, cell in block.pairs)
        case Table():
            return f"{text(block.caption)}:\n\n{_table(block)}"
        case Code():
            return f"{text(block.caption)}:\n\n{fenced(block.text)}"
        case Callout():
            return "\n\n".join([f"### {text(block.title)}", *(_block(inner) for inner in block.blocks)])
        case Chart():
            return _chart(block)
        case Timeline():
            return fenced(sketch.timeline(block))


def _chart(one: Chart) -> str:
    said = f" {SIGNS[one.outcome]} {text(one.word)}" if one.outcome else ""
    parts = [f"### {text(one.title)}{said}", code(one.subtitle), fenced(sketch.chart(one))]
    return "\n\n".join(part for part in parts if part)


def _table(table: Table) -> str:
    head = "| " + " | ".join(text(column) for column in table.columns) + " |"
    rule = "|" + " --- |" * len(table.columns)
    rows = ("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table.rows)
    return "\n".join([head, rule, *rows])


def _cell(cell: Cell) -> str:
    """A cell of a table. A pipe within code needs a backslash there, which two in a row would undo."""
    parts = (cell, *cell.notes)
    if any(part.style == "code" and "\\|" in part.text for part in parts):
        return text("; ".join(part.text for part in parts if part.text))
    return "; ".join(
        _span(part).replace("|", "\\|") if part.style == "code" else _span(part) for part in parts if part.text
    )


def _inline(cell: Cell) -> str:
    return "; ".join(_span(part) for part in (cell, *cell.notes) if part.text)


def _span(cell: Cell) -> str:
    match cell.style:
        case "code":
            return code(cell.text)
        case "strong":
            return f"**{text(cell.text)}**" if cell.text.strip() else ""
        case "outcome":
            return f"{SIGNS[cell.text]} {cell.text}" if cell.text in SIGNS else text(cell.text)
        case _:
            return text(cell.text)
