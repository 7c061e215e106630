"""What a report says, as data: a card and sections made of a few kinds of block.

HTML and Markdown are two renderings of the same document, so neither can say less than the other.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from chaoskit.domain.readings import Outcome, Reading

Style = Literal["text", "strong", "number", "code", "outcome"]
Tone = Literal["plain", "bad", "warn"]
ZoneKind = Literal["fault", "rollback", "recovery"]
ThresholdKind = Literal["bound", "during", "abort", "baseline"]


def drawable(reading: Reading) -> bool:
    """Whether a reading has a number to draw; what is unknown has none, whatever was received."""
    return reading.outcome != "unknown" and reading.value is not None and not math.isnan(reading.value)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: a text, how it is set, and further lines below it. An outcome's text is the outcome."""

    text: str
    style: Style = "text"
    notes: "tuple[Cell, ...]" = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption that says what it shows. The first cell of a row names the row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values."""

    pairs: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Text that a person may copy as it is."""

    caption: str
    text: str


@dataclass(frozen=True, slots=True)
class Callout:
    """A framed block that must not be overlooked."""

    tone: Tone
    title: str
    blocks: "tuple[Text | Bullets | Code, ...]"


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the run that pictures shade: the fault in, our rollback, the system's recovery."""

    kind: ZoneKind
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """A horizontal line in a chart, in force from ``start`` to ``end`` (the whole chart when None)."""

    kind: ThresholdKind
    value: float
    label: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """The life of one fault (or of several alike) as a bar; ``until`` is None when it was never restored."""

    label: str
    start: float
    rollback: float | None
    until: float | None


@dataclass(frozen=True, slots=True)
class Axis:
    """The span of time, in run seconds, that all charts of a report share."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Chart:
    """The readings of one check or abort condition over time, with everything drawn around them.

    ``outcome`` gives the sign beside ``word``. ``hole`` is how many seconds without any reading count as a gap.
    ``words`` are the values in the baseline, at worst and at the end. ``described`` says in words what the picture
    shows, for readers who cannot see it.
    """

    title: str
    subtitle: str
    outcome: Outcome | None
    word: str
    unit: str
    readings: tuple[Reading, ...]
    thresholds: tuple[Threshold, ...]
    zones: tuple[Zone, ...]
    lanes: tuple[Lane, ...]
    axis: Axis
    hole: float
    words: tuple[str, str, str]
    described: str

    @property
    def bounds(self) -> tuple[str, ...]:
        """The names of the lines, for where there is no room beside them."""
        return tuple(threshold.label for threshold in self.thresholds if threshold.label)

    @property
    def numeric(self) -> bool:
        """Whether any reading has a number, so that there is a line to draw."""
        return any(drawable(reading) for reading in self.readings)


@dataclass(frozen=True, slots=True)
class Bar:
    """A phase in the timeline."""

    label: str
    start: float
    end: float
    kind: str


@dataclass(frozen=True, slots=True)
class Mark:
    """An event in the timeline."""

    label: str
    at: float
    kind: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Phases, faults and events over the whole run."""

    phases: tuple[Bar, ...]
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    axis: Axis
    described: str


Block = Text | Bullets | Facts | Table | Code | Callout | Chart | Timeline


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its blocks."""

    slug: str
    title: str
    blocks: tuple[Block, ...]

    @property
    def has_charts(self) -> bool:
        """Whether any of the blocks is a chart, so that a legend is of use."""
        return any(isinstance(block, Chart) for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Figure:
    """A big number of the card, its name, and what it means or why there is none."""

    name: str
    value: str
    hint: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """The first screen: the verdict and all that a reader in a hurry needs."""

    verdict: str
    exit_code: int
    headline: str
    reason: str
    more: str
    title: str
    name: str
    run: str
    description: str
    expected: tuple[tuple[Outcome | None, str], ...]
    faults: tuple[str, ...]
    figures: tuple[Figure, ...]
    owner: str
    runbook: str
    tags: tuple[str, ...]
    when: str
    iso: str
    lasted: str


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    card: Card
    sections: tuple[Section, ...] = field(default=())
