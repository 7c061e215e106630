"""The architecture decision records, by their titles."""

import os
from pathlib import Path


def listed(folder: Path, home: Path) -> str:
    """A link to each record; its title is its first line."""
    return "\n".join(f"- [{_title(page)}]({os.path.relpath(page, home)})" for page in sorted(folder.glob("*.md")))


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
