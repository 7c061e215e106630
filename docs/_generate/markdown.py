"""Small pieces of Markdown."""

import json
import re
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells may hold anything but line breaks."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def code(text: str) -> str:
    """``text`` as it is typed; nothing for nothing."""
    return f"`{text}`" if text else ""


def block(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"


def listed(words: Sequence[str], last: str) -> str:
    """``a, b or c`` with ``last`` for the word before the last of them."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def prose(docstring: str | None) -> str:
    """A docstring as Markdown, one sentence a line."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", docstring or "").replace("``", "`")
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text.strip())]
    return "\n\n".join(re.sub(r"(?<=[.!?]) (?=[A-Z`])", "\n", paragraph) for paragraph in paragraphs)


def anchor(heading: str) -> str:
    """The name under which a heading is linked to, by the rules of GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def written(value: object) -> str:
    """A value as it would stand in a file; JSON is YAML on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
