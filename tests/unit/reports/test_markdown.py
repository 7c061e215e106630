from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from chaoskit.reports.clean import redact, visible
from chaoskit.reports.html import render as render_html
from chaoskit.reports.markdown import code, fenced, render, text
from chaoskit.reports.wording import oneline
from tests.unit.reports import factory
from tests.unit.reports.pages import read
from tests.unit.reports.test_html import HOSTILE

# HTML is on, so that a test would see an element that slipped through.
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
INLINE = {"text", "code_inline", "strong_open", "strong_close", "link_open", "link_close", "softbreak"}
ANY = st.text(min_size=1, max_size=60).filter(str.strip)
"""Nothing but blanks is no text: what is empty without them is rightly left out."""
MORE_HOSTILE = [
    *HOSTILE,
    "| a | b |",
    "`",
    "``x`",
    "\\|",
    "**b** _e_ ~~s~~",
    "[l](http://x)",
    "![i](x)",
    "# h",
    "a ##",
    "1. x",
    "---",
]


def inline(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield from token.children or ()


def shown(token: Token) -> str:
    return "".join(child.content for child in token.children or ())


def headings(tokens: list[Token]) -> list[str]:
    return [shown(after) for token, after in pairwise(tokens) if token.type == "heading_open"]


@given(ANY)
def test_escaped_text_reads_back_as_it_was(said: str) -> None:
    said = visible(said)
    tokens = READER.parse(f"- {text(said)}")
    assert [shown(token) for token in tokens if token.type == "inline"] == ([oneline(said)] if oneline(said) else [])
    assert {child.type for child in inline(tokens)} <= {"text"}


@pytest.mark.parametrize("said", MORE_HOSTILE)
def test_hostile_text_reads_back_as_it_was(said: str) -> None:
    (token,) = (token for token in READER.parse(text(visible(said))) if token.type == "inline")
    assert shown(token) == oneline(visible(said))


@given(ANY)
def test_code_reads_back_as_it_was(said: str) -> None:
    said = oneline(visible(said))
    tokens = READER.parse(f"x {code(said)}")
    assert [child.content for child in inline(tokens) if child.type == "code_inline"] == ([said] if said else [])


@given(ANY)
def test_a_block_of_code_reads_back_as_it_was(said: str) -> None:
    said = visible(said)
    (token,) = READER.parse(fenced(said))
    assert token.content.rstrip() == said.rstrip()


@pytest.mark.parametrize("name", factory.ALL)
def test_every_verdict_has_the_sections_of_its_html_twin(name: str) -> None:
    record, judgement = factory.judged(factory.ALL[name]())
    page = read(render_html(record, judgement))
    found = headings(READER.parse(render(record, judgement)))
    assert found[0] == record.experiment.title
    assert [title for title in found if title in {h2.text for h2 in page.all("h2")}] == [
        h2.text for h2 in page.all("h2")
    ]


@pytest.mark.parametrize("name", factory.ALL)
def test_the_tables_hold_the_cells_of_their_html_twins(name: str) -> None:
    record, judgement = factory.judged(factory.ALL[name]())
    page = read(render_html(record, judgement))
    tokens = READER.parse(render(record, judgement))
    rows = sum(token.type == "tr_open" for token in tokens)
    cells = sum(token.type in {"td_open", "th_open"} for token in tokens)
    figures = 3, 3 * 5
    assert rows - figures[0] == sum(len(table.all("tr")) for table in page.all("table"))
    assert cells - figures[1] == sum(len(table.all("td") + table.all("th")) for table in page.all("table"))


@pytest.mark.parametrize("name", factory.ALL)
def test_the_verdict_and_every_reason_are_told(name: str) -> None:
    record, judgement = factory.judged(factory.ALL[name]())
    told = " ".join(shown(token) for token in READER.parse(render(record, judgement)) if token.type == "inline")
    assert f"{judgement.verdict.upper()} (exit code {int(judgement.exit_code)})" in told
    assert all(oneline(reason) in told for reason in judgement.reasons)


def test_the_commands_by_hand_are_a_block_to_copy() -> None:
    tokens = READER.parse(render(*factory.judged(factory.dirty())))
    blocks = [token.content for token in tokens if token.type == "fence"]
    assert "docker start web-3\ndocker inspect --format '{{.State.Status}}' web-3\n" in blocks


@pytest.mark.parametrize("poison", MORE_HOSTILE)
def test_hostile_text_in_every_field_stays_text(poison: str) -> None:
    check_hostile("dirty", poison)
    check_hostile("failed", poison)


@settings(max_examples=15, deadline=None)
@given(poison=ANY, name=st.sampled_from([*factory.VERDICTS]))
def test_any_text_in_every_field_stays_text(name: str, poison: str) -> None:
    check_hostile(name, poison)


def check_hostile(name: str, poison: str) -> None:
    """The same blocks as with harmless strings, nothing but text and code within them, and the strings are shown."""
    plain = factory.written_over(factory.small(name), lambda said: said + "x")
    record = factory.written_over(factory.small(name), lambda said: said + poison)
    harmless = READER.parse(render(*factory.judged(plain)))
    tokens = READER.parse(render(*factory.judged(record)))
    assert [token.type for token in tokens] == [token.type for token in harmless]
    assert {child.type for child in inline(tokens)} <= INLINE
    links = [child.attrs["href"] for child in inline(tokens) if child.type == "link_open"]
    assert len(links) <= 1
    assert headings(tokens)[0] == oneline(visible(redact(record.experiment.title)))
