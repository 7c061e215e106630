"""Small pieces of SVG: elements, scales, ticks and paths. Pure; what they draw is decided elsewhere.

Pictures have no fixed width. Horizontal places are percentages, vertical ones pixels, so text keeps its size on a
phone and on paper while the picture takes the room there is. Only lines live in a box of their own that is
stretched (:func:`stretched`), with strokes that are not.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import escape

from chaoskit.domain.humane import NONE
from chaoskit.reports.document import Axis

WIDE = 1000.0
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_TIME_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_LARGEST = 1e30


def element(name: str, *children: str, **attributes: float | str | None) -> str:
    """One element. ``class_`` is ``class``, an underscore is a hyphen, None leaves the attribute out.

    Attribute values are escaped; ``children`` are markup already: text goes through :func:`words`.
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(_attribute(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{shown}>{''.join(children)}</{name}>" if children else f"<{name}{shown}/>"


def _attribute(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """A coordinate, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"


def words(text: str) -> str:
    """``text`` as the content of an element."""
    return str(escape(text))


def label(text: str, x: str, y: float, class_: str = "", anchor: str = "start", dx: float = 0) -> str:
    """A line of text at a place."""
    css = f"label {class_}".strip()
    return element("text", words(text), x=x, y=y, dx=dx or None, text_anchor=anchor, class_=css)


def tip(text: str) -> str:
    """What a pointing device shows over its parent."""
    return element("title", words(text))


def place(axis: Axis, at: float) -> float:
    """Where a moment lies, in percent of the width."""
    width = axis.end - axis.start
    return min(100.0, max(0.0, 100.0 * (at - axis.start) / width)) if width > 0 else 0.0


def percent(value: float) -> str:
    """A horizontal place as an attribute."""
    return f"{number(value)}%"


def box(axis: Axis, start: float, end: float, y: float, height: float, class_: str, *children: str) -> str:
    """A rectangle from one moment to another; at least a hair wide, so that what was short is still seen."""
    left, right = place(axis, start), place(axis, end)
    width = max(right - left, 0.25)
    return element(
        "rect",
        *children,
        x=percent(min(left, 100 - width)),
        y=y,
        width=percent(width),
        height=height,
        class_=class_,
    )


def upright(axis: Axis, at: float, top: float, bottom: float, class_: str) -> str:
    """A vertical line at a moment."""
    x = percent(place(axis, at))
    return element("line", x1=x, x2=x, y1=top, y2=bottom, class_=class_)


def stretched(y: float, height: float, *children: str) -> str:
    """A box as wide as the picture in which horizontal places run from 0 to :data:`WIDE`."""
    view = f"0 0 {number(WIDE)} {number(height)}"
    return element(
        "svg",
        *children,
        y=y,
        width="100%",
        height=height,
        viewBox=view,
        preserveAspectRatio="none",
        overflow="visible",
    )


def picture(class_: str, title: str, described: str, height: float, key: str, parts: Sequence[str]) -> str:
    """A whole picture with its name and its description; ``key`` makes ids unique within the page."""
    names = element("title", words(title), id=f"{key}-t") + element("desc", words(described), id=f"{key}-d")
    return element(
        "svg",
        names,
        *parts,
        class_=class_,
        role="img",
        aria_labelledby=f"{key}-t {key}-d",
        width="100%",
        height=height,
    )


def hatch(key: str) -> str:
    """The pattern that stands for "unknown", to be filled with as ``url(#KEY-h)``."""
    stroke = element("line", x1=0, y1=0, x2=0, y2=6, class_="hatch")
    pattern = element(
        "pattern",
        stroke,
        id=f"{key}-h",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return element("defs", pattern)


class Scale(NamedTuple):
    """From values to pixels: ``low`` at ``bottom``, ``high`` at ``top``; what is beyond is drawn at the edge."""

    low: float
    high: float
    top: float
    bottom: float

    def __call__(self, value: float) -> float:
        """The vertical place of a value."""
        share = (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low)
        return self.bottom - share * (self.bottom - self.top)


def path(pieces: Iterable[Sequence[tuple[float, float]]], axis: Axis, scale: Scale) -> str:
    """The data of a path through pieces of line; a piece of one point is a dot (with round line ends)."""
    parts = []
    for piece in pieces:
        at = [(number(place(axis, x) * WIDE / 100), number(scale(y))) for x, y in piece]
        head, *rest = at
        parts.append(f"M{head[0]} {head[1]}" + ("".join(f"L{x} {y}" for x, y in rest) if rest else "h0"))
    return "".join(parts)


def value_ticks(values: Sequence[float], unit: str, count: int = 5) -> list[float]:
    """Round numbers that span ``values``, with zero among them when it is not far; the outer two are the scale."""
    usable = [value if abs(value) > 1 / _LARGEST else 0.0 for value in values if abs(value) < _LARGEST] or [0.0]
    low, high = min(usable), max(usable)
    if 0 < low < high * 0.6:
        low = 0.0
    least = max(abs(high), abs(low)) * 1e-6 or 1.0
    if high - low < least:
        low, high = (0.0, high * 2) if high > 0 and unit != "%" else (low - least, high + least)
    step = _step((high - low) / count, 2.0 if unit == "B" else 10.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, max(last, first + 1) + 1)]


def _step(rough: float, base: float) -> float:
    """The next round step: a power of two for bytes, else one, two, two and a half or five times a power of ten."""
    power = base ** math.floor(math.log(rough, base) + 1e-9)
    if base == 2.0:  # noqa: PLR2004 bytes come in powers of two
        return power if power >= rough * 0.999 else power * 2
    return next(power * step for step in _STEPS if power * step >= rough * 0.999)


def time_ticks(axis: Axis, most: int = 6) -> list[float]:
    """Round moments within the axis, at most ``most`` of them."""
    width = axis.end - axis.start
    step = next((float(step) for step in _TIME_STEPS if width / step <= most), width / most)
    first = math.ceil(axis.start / step - 1e-9)
    return [index * step for index in range(first, math.floor(axis.end / step + 1e-9) + 1)][: most + 1]


def time_label(seconds: float) -> str:
    """A moment on the time axis: ``30s``, ``2m``, ``2m30s``, ``1h15m``."""
    if not math.isfinite(seconds):
        return NONE
    if abs(seconds) < 60 or seconds != round(seconds):  # noqa: PLR2004 a minute
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the ``wanted`` ones, in their order, at least ``gap`` apart and within ``low`` and ``high``."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    placed = dict.fromkeys(order, 0.0)
    floor = low
    for index in order:
        placed[index] = max(wanted[index], floor)
        floor = placed[index] + gap
    ceiling = high
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return [placed[index] for index in range(len(wanted))]
