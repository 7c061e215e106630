"""Pages with generated parts: which there are, what goes where, and how a page is renewed."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from docs._generate import commands, decisions, endings, file_format, kinds, machine

ROOT = Path(__file__).parents[2]
HOME = ROOT / "docs" / "reference"
"""Where the links of a generated part start."""

PARTS: Mapping[str, Callable[[], str]] = {
    "keys": file_format.keys,
    "command-line": commands.reference,
    "verdicts": endings.verdicts,
    "errors": endings.errors,
    "fault-kinds": kinds.overview,
    "faults": kinds.reference,
    "settings": machine.settings,
    "variables": machine.variables,
    "decisions": lambda: decisions.listed(ROOT / "docs" / "adr", HOME),
}
"""What can stand between the two comments, by name."""

_PART = re.compile(r"<!-- generated: (?P<name>\S+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?!https?:|#)[^)]+")


def pages() -> list[Path]:
    """README and every page below docs, in order of path."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def parts_of(text: str) -> list[str]:
    """The names of the generated parts of a page."""
    return [found["name"] for found in _PART.finditer(text)]


def renewed(page: Path, text: str) -> str:
    """The ``text`` of ``page`` with every generated part made anew. Raises KeyError for a part that nothing makes."""

    def made_anew(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- generated: {name} -->\n\n{_moved(PARTS[name]().strip(), page)}\n\n<!-- end of {name} -->"

    return _PART.sub(made_anew, text)


def _moved(part: str, page: Path) -> str:
    """``part`` with its links as they lead from ``page``."""
    if page.parent == HOME:
        return part
    return _LINK.sub(lambda link: os.path.relpath(HOME / link.group(), page.parent), part)
