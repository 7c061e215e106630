"""Numbers, times and sentences as people read them. Every renderer takes its words from here."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from chaoskit.domain.checks import Bounds, Check, ProbeSpec
from chaoskit.domain.experiment import FaultStep
from chaoskit.domain.humane import NONE
from chaoskit.domain.quantities import format_duration, format_percent
from chaoskit.domain.readings import Outcome

SIGNS: dict[Outcome, str] = {"held": "\u2713", "unknown": "?", "deviated": "\u2717"}


def offset(at: float | None) -> str:
    """A moment of the run as an offset from its start, to the millisecond: ``+72.041 s``."""
    return NONE if at is None or not math.isfinite(at) else f"{at:+.3f} s"


def moment(started: datetime, at: float | None = 0.0, *, millis: bool = False, date: bool = False) -> str:
    """The UTC time ``at`` seconds after ``started``: ``10:03:27``, with milliseconds or with the date if asked."""
    if at is None or not math.isfinite(at):
        return NONE
    start = started.replace(tzinfo=UTC) if started.tzinfo is None else started.astimezone(UTC)
    try:
        time = start + timedelta(seconds=at)
    except OverflowError:
        return NONE
    text = time.isoformat(sep=" ", timespec="milliseconds" if millis else "seconds").removesuffix("+00:00")
    return f"{text} UTC" if date else text.partition(" ")[2]


def plural(count: int, noun: str) -> str:
    """``1 target``, ``3 targets``, ``12,000 samples``."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def oneline(text: str) -> str:
    """``text`` on one line."""
    return " ".join(text.split())


def clip(text: str, width: int) -> str:
    """``text`` on one line of at most ``width`` characters, with a sign where something was left out."""
    line = oneline(text)
    return line if len(line) <= width else line[: width - 1].rstrip() + "\u2026"


def listed(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def sentence(text: str) -> str:
    """``text`` ended with a full stop, unless it ends with a mark of its own."""
    stripped = text.strip()
    return stripped if not stripped or re.search(r"[.!?\u2026]$", stripped) else stripped + "."


def watched(spec: ProbeSpec) -> str:
    """What a probe looks at: the query, the request, the address or the command."""
    if spec.promql is not None:
        return spec.promql.strip()
    if spec.http is not None:
        return f"{spec.http.method} {spec.http.url}"
    if spec.tcp is not None:
        return f"tcp {spec.tcp.host}:{spec.tcp.port}"
    return " ".join(spec.command.run) if spec.command is not None else NONE


def claim(check: Check) -> str:
    """What the check states, after its name: ``is at most 300ms``, ``answers 200 within 1s``."""
    own = f"is {check!s}" if check.stated else _own_claim(check)
    if check.during is None:
        return own
    return f"{own} ({_during(check)})"


def bound(check: Check) -> tuple[str, str]:
    """The bound of a check, and the one while the fault is in, if it has its own."""
    return str(check) if check.stated else _own_claim(check), "" if check.during is None else _during(check)


def bound_values(*bounds: Bounds | None) -> tuple[float, ...]:
    """The numbers of some bounds, in base units."""
    found = [(b.at_least, b.at_most, b.equals) for b in bounds if b is not None]
    return tuple(quantity.value for three in found for quantity in three if quantity is not None)


def unit_of(check: Check) -> str:
    """The unit in which the values of a check are shown."""
    return check.unit or (check.during.unit if check.during is not None else "")


def _during(check: Check) -> str:
    during = check.during
    if during is None:
        return ""
    parts = [str(during)] if during.stated else []
    if during.allow_for:
        parts.append(f"may be missed for {format_duration(during.allow_for)} in one piece")
    return "while the fault is in: " + (", ".join(parts) or "the same bound")


def _own_claim(check: Check) -> str:
    if check.http is not None:
        status = check.http.status
        wanted = " or ".join(map(str, status)) if isinstance(status, tuple) else str(status)
        body = " with the expected body" if check.http.body_contains else ""
        return f"answers {wanted}{body} within {format_duration(check.http.within)}"
    if check.tcp is not None:
        return f"accepts a connection within {format_duration(check.tcp.within)}"
    if check.command is not None:
        return f"ends with status {check.command.status} within {format_duration(check.command.within)}"
    return "holds"


def picked(step: FaultStep) -> str:
    """Whom a fault asks for: ``1 of web``, ``30% of web``, ``all of web``, ``web with zone=a``."""
    pick = step.pick
    if isinstance(pick, dict):
        return f"{step.target} with {', '.join(f'{key}={value}' for key, value in pick.items())}"
    return f"{format_percent(pick) if isinstance(pick, Decimal) else pick} of {step.target}"


def labels(pairs: dict[str, str]) -> str:
    """Labels on one line: ``app=web, zone=a``."""
    return ", ".join(f"{key}={value}" for key, value in sorted(pairs.items()))
