"""Lines of exact width, and how the lines of a screen are shared out between the parts that want them."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

GAP = "  "


class Cell(NamedTuple):
    """One column of a row: its text, its width in terminal cells (None for whatever is left), and its style.

    A plain text is clipped with a sign; a styled one must fit.
    """

    text: str | Text
    width: int | None = None
    style: str = ""
    right: bool = False


def clip(text: str, width: int, cut: str) -> str:
    """``text`` in at most ``width`` cells, with ``cut`` where something was left out."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + cut if width > 0 else ""


def row(cells: Sequence[Cell], width: int, cut: str) -> Text:
    """Cells side by side, two spaces between them and one at the left; never wider than ``width``."""
    line, left = Text(" "), width - 2
    shown = [cell for cell in cells if cell.width != 0]
    for cell in shown:
        size = left if cell.width is None else min(cell.width, left)
        if size <= 0:
            break
        text = cell.text if isinstance(cell.text, Text) else Text(clip(cell.text, size, cut), cell.style)
        text.align("right" if cell.right else "left", size)
        line.append_text(text).append(GAP)
        left -= size + len(GAP)
    line.rstrip()
    return line


def spread(left: Sequence[tuple[str, str]], right: str, style: str, width: int, cut: str) -> Text:
    """Styled pieces at the left margin and a text at the right one; the pieces give way, the last of them first."""
    line, room = Text(" "), width - 2 - (cell_len(right) + 2 if right else 0)
    for text, look in left:
        piece = clip(text, room, cut)
        line.append(piece, look)
        room -= cell_len(piece)
    if right and width > cell_len(right) + 1:
        line.append(" " * (width - 1 - line.cell_len - cell_len(right))).append(right, style)
    return line


def share(total: int, least: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """How many of ``total`` lines each part gets: its least first, the earlier parts before the later, then in turn."""
    given: list[int] = []
    for low, want in zip(least, wanted, strict=True):
        given.append(max(min(low, want, total - sum(given)), 0))
    while sum(given) < min(total, sum(wanted)):
        for index, want in enumerate(wanted):
            if given[index] < want and sum(given) < total:
                given[index] += 1
    return given
