"""What every part of the live display is a function of, and the shape of a part."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.text import Text

from chaoskit.cli.layout import Cell, row
from chaoskit.cli.phrases import Signs
from chaoskit.cli.progress import Progress

ROOMY = 60


class View(NamedTuple):
    """One moment of one run on a terminal of some width. ``now`` is in run seconds."""

    run: str
    progress: Progress
    now: float
    width: int
    signs: Signs
    ended: bool = False
    again: str = ""

    def row(self, *cells: Cell) -> Text:
        """Cells side by side on one line of the terminal."""
        return row(cells, self.width, self.signs.cut)

    def note(self, text: str, indent: int, style: str = "dim") -> Text:
        """A line below the row it belongs to."""
        return self.row(Cell("", indent if self.width >= ROOMY else 2), Cell(text, None, style))

    def more(self, hidden: int, indent: int) -> Text:
        """What stands for the rows that did not fit."""
        return self.note(f"{self.signs.cut} and {hidden} more; the worst are shown", indent)


class Item(NamedTuple):
    """One row with the notes below it, and how bad its news is: of too many, the worst are shown."""

    lines: tuple[Text, ...]
    badness: int


class Section(NamedTuple):
    """One titled part: how many lines it wants, and how it is drawn in the lines it gets."""

    title: str
    summary: str
    wanted: int
    least: int
    draw: Callable[[int], list[Text]]


def fit(items: Sequence[Item], room: int, more: Callable[[int], Text]) -> list[Text]:
    """The items in ``room`` lines: all; or all rows with the notes of the worst; or the worst rows and ``more``."""
    if room <= 0:
        return []
    if sum(len(item.lines) for item in items) <= room:
        return [line for item in items for line in item.lines]
    worst_first = sorted(range(len(items)), key=lambda index: -items[index].badness)
    if len(items) <= room:
        spare = room - len(items)
        shown = dict.fromkeys(worst_first, 1)
        for index in worst_first:
            notes = min(len(items[index].lines) - 1, spare)
            shown[index] += notes
            spare -= notes
        return [line for index, item in enumerate(items) for line in item.lines[: shown[index]]]
    if room == 1:
        return [items[worst_first[0]].lines[0]]
    kept = sorted(worst_first[: max(room - 1, 0)])
    return [*(items[index].lines[0] for index in kept), more(len(items) - len(kept))]
