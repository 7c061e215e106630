"""Numbers and lengths of time as people read them, in reports and on terminals alike.

Base units are those of :class:`~chaoskit.domain.quantities.Quantity`: seconds, bytes, and ratios for percentages.
"""

import math
from collections.abc import Iterable

NONE = "\u2013"
"""What stands where there is no number."""
_DIGITS = 4
_MOST_DIGITS = 15
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e15
_SCALES: dict[str, tuple[tuple[float, float, str], ...]] = {
    # (from this magnitude on, one unit in base units, its name), largest first
    "s": ((7200, 3600, " h"), (600, 60, " min"), (1, 1, " s"), (1e-3, 1e-3, " ms"), (0, 1e-6, " \u00b5s")),
    "%": ((0, 0.01, "%"),),
    "B": ((2**40, 2**40, " TiB"), (2**30, 2**30, " GiB"), (2**20, 2**20, " MiB"), (2**10, 2**10, " KiB"), (0, 1, " B")),
    "": ((0, 1, ""),),
}
_ZERO = {"": "0", "%": "0%"}


def humane(value: float | None, unit: str = "", near: Iterable[float] = ()) -> str:
    """``value``, in base units, with four digits and the unit that suits its size: ``212 ms``, ``99.87%``, ``1.5 GiB``.

    It gets more digits when it would otherwise read the same as a bound in ``near`` that it is not equal to: a check
    that deviated at 98.9996% must not be shown as 99%.
    """
    if value is None:
        return NONE
    if not math.isfinite(value):
        return {math.inf: "+\u221e", -math.inf: "\u2212\u221e"}.get(value, "not a number")
    others = [bound for bound in near if bound != value]
    for digits in range(_DIGITS, _MOST_DIGITS):
        shown = _scaled(value, unit, digits)
        if all(shown != _scaled(other, unit, digits) for other in others):
            return shown
    return _scaled(value, unit, _MOST_DIGITS)


def _scaled(value: float, unit: str, digits: int) -> str:
    if value == 0:
        return _ZERO.get(unit, f"0 {unit}")
    # The unit suits the number as it will read, so that 0.99999 s is 1 s and not 1,000 ms.
    seen = abs(float(f"{value:.{digits - 1}e}"))
    _, size, name = next(scale for scale in _SCALES.get(unit, _SCALES[""]) if seen >= scale[0])
    return _digits(value / size, digits) + name


def _digits(number: float, digits: int) -> str:
    if not _PLAIN_FROM <= abs(number) < _PLAIN_TO:
        return f"{number:.{digits - 1}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    shown = f"{number:,.{decimals}f}"
    return shown.rstrip("0").rstrip(".") if decimals else shown


def humane_seconds(seconds: float | None) -> str:
    """A length of time in seconds as text: ``240 ms``, ``3.42 s``, ``42.1 s``, ``2 min 5 s``, ``1 h 12 min``."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    if abs(seconds) < 0.9995:  # noqa: PLR2004 from here on, it would read 1000 ms
        milliseconds = round(seconds * 1000)
        return f"{milliseconds} ms" if milliseconds else "0 s"
    if abs(seconds) < 59.95:  # noqa: PLR2004 from here on, one decimal would read 60.0 s
        return f"{seconds:.2f} s" if abs(seconds) < 9.995 else f"{seconds:.1f} s"  # noqa: PLR2004 three digits
    sign = "-" if seconds < 0 else ""
    minutes, rest = divmod(round(abs(seconds)), 60)
    if minutes < 60:  # noqa: PLR2004 minutes of an hour
        return f"{sign}{minutes} min {rest} s" if rest else f"{sign}{minutes} min"
    return f"{sign}{minutes // 60} h {minutes % 60} min"
