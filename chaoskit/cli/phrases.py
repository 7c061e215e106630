"""The words and signs of the live display and of the plain lines, so that both say the same thing the same way."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from chaoskit.cli.sparkline import ASCII_PEN, BLOCK_PEN, Pen
from chaoskit.domain.checks import AbortCondition, Bounds, Check, ProbeSpec
from chaoskit.domain.history import InjectionRecord
from chaoskit.domain.humane import humane
from chaoskit.domain.quantities import format_duration
from chaoskit.domain.readings import Outcome, Reading
from chaoskit.reports.clean import redact, visible

State = Literal[
    "intended",
    "in force",
    "no effect",
    "effect unknown",
    "inject failed",
    "gone",
    "rolling back",
    "restored",
    "NOT RESTORED",
]
TROUBLED: frozenset[State] = frozenset({"no effect", "effect unknown", "inject failed", "gone", "NOT RESTORED"})
_BY_EFFECT: dict[bool | None, State] = {True: "in force", False: "no effect", None: "effect unknown"}
ConditionState = Literal["no answer yet", "ok", "near", "unknown", "exceeded"]
NEAR = 0.8
"""From this share of its limit on, an abort condition is near it."""


class Signs(NamedTuple):
    """The characters beyond letters that are used; never colour alone, and never more than the terminal can show."""

    outcomes: dict[Outcome, str]
    states: dict[State, str]
    pen: Pen
    at_least: str
    at_most: str
    to: str
    then: str
    dot: str
    full: str
    empty: str
    cut: str
    none: str


UNICODE = Signs(
    outcomes={"held": "\u2713", "unknown": "?", "deviated": "\u2717"},
    states={
        "intended": "\u25cb",
        "in force": "\u25cf",
        "no effect": "!",
        "effect unknown": "?",
        "inject failed": "\u2717",
        "gone": "!",
        "rolling back": "\u21b6",
        "restored": "\u2713",
        "NOT RESTORED": "\u2717",
    },
    pen=BLOCK_PEN,
    at_least="\u2265",
    at_most="\u2264",
    to="\u2026",
    then="\u203a",
    dot="\u00b7",
    full="\u2501",
    empty="\u2500",
    cut="\u2026",
    none="\u2013",
)
ASCII = Signs(
    outcomes={"held": "+", "unknown": "?", "deviated": "x"},
    states={
        "intended": "o",
        "in force": "*",
        "no effect": "!",
        "effect unknown": "?",
        "inject failed": "x",
        "gone": "!",
        "rolling back": "<",
        "restored": "+",
        "NOT RESTORED": "x",
    },
    pen=ASCII_PEN,
    at_least=">=",
    at_most="<=",
    to="to",
    then=">",
    dot="-",
    full="=",
    empty="-",
    cut="~",
    none="-",
)


def signs_for(encoding: str | None) -> Signs:
    """The signs that a stream of this encoding can carry."""
    return UNICODE if encoding is None or encoding.lower().replace("-", "").startswith("utf") else ASCII


def clean(text: str) -> str:
    """``text`` that others wrote, on one line, without secrets and without anything that could drive a terminal."""
    return visible(redact(" ".join(text.split())))


def bound_of(check: Check, *, fault_in: bool, signs: Signs) -> str:
    """The bound that a check is judged by now, short: at least 0.99 is ``≥ 0.99``."""
    if fault_in and check.during is not None and check.during.stated:
        return f"during {_bounds(check.during, signs)}"
    return _bounds(check, signs) if check.stated else _own_bound(check)


def bounds_in_force(check: Check, *, fault_in: bool) -> list[float]:
    """The numbers of the bound that a check is judged by now, in base units."""
    bounds = during_or_own(check, fault_in=fault_in)
    return [b.value for b in (bounds.at_least, bounds.at_most, bounds.equals) if b is not None]


def _bounds(bounds: Bounds, signs: Signs) -> str:
    low, high, exact = bounds.at_least, bounds.at_most, bounds.equals
    if exact is not None:
        return f"= {exact}"
    if low is not None and high is not None:
        return f"{low} {signs.to} {high}"
    return f"{signs.at_least} {low}" if low is not None else f"{signs.at_most} {high}"


def _own_bound(check: Check) -> str:
    if check.http is not None:
        status = check.http.status
        wanted = "/".join(map(str, status)) if isinstance(status, tuple) else str(status)
        return f"{wanted} in {format_duration(check.http.within)}"
    if check.tcp is not None:
        return f"connects in {format_duration(check.tcp.within)}"
    return f"exit {check.command.status}" if check.command is not None else ""


def scale_of(check: Check, *, fault_in: bool) -> list[float]:
    """What a sparkline of a check must reach to, so that its height tells how far a value is from its bound."""
    numbers = bounds_in_force(check, fault_in=fault_in)
    within = check.http.within if check.http is not None else check.tcp.within if check.tcp is not None else None
    if within is not None and not numbers:
        numbers = [within]
    low = during_or_own(check, fault_in=fault_in).at_least
    # An upper bound alone is measured from zero: 250 ms of 300 ms must not look like the bottom.
    return numbers if low is not None or not numbers else [0.0, *numbers]


def during_or_own(check: Check, *, fault_in: bool) -> Bounds:
    """The bounds that a check is judged by now."""
    return check.during if fault_in and check.during is not None and check.during.stated else check


def unit_of(spec: ProbeSpec) -> str:
    """The unit of the values of a check or an abort condition; HTTP and TCP probes measure seconds."""
    if spec.http is not None or spec.tcp is not None:
        return "s"
    if isinstance(spec, Check):
        return spec.unit or (spec.during.unit if spec.during is not None else "")
    limit = (spec.above or spec.below) if isinstance(spec, AbortCondition) else None
    return limit.unit if limit is not None else ""


def check_value(check: Check, reading: Reading | None, *, fault_in: bool, signs: Signs) -> str:
    """The value of a check's reading, as people read it; a sign for nothing where there is none."""
    if reading is None or reading.value is None:
        return signs.none
    return humane(reading.value, unit_of(check), bounds_in_force(check, fault_in=fault_in))


def condition_value(condition: AbortCondition, reading: Reading | None, signs: Signs) -> str:
    """The value of an abort condition's reading, as people read it."""
    if reading is None or reading.value is None:
        return signs.none
    limit = condition.above or condition.below
    return humane(reading.value, unit_of(condition), [] if limit is None else [limit.value])


def condition_name(condition: AbortCondition) -> str:
    """What an abort condition watches, without its limit."""
    return clean(condition.name or condition.title.removesuffix(condition.limit))


def condition_limit(condition: AbortCondition) -> str:
    """The limit of an abort condition, short: ``> 0.2 for 3s``; ``fails`` where the probe itself judges."""
    over = f"> {condition.above}" if condition.above else f"< {condition.below}" if condition.below else "fails"
    return over + (f" for {format_duration(condition.held_for)}" if condition.held_for else "")


def nearness(condition: AbortCondition, value: float | None) -> float | None:
    """How much of the way to its limit a value has gone: 1 is at the limit. None where that cannot be told."""
    if value is None:
        return None
    if condition.above is not None and condition.above.value > 0:
        return max(value / condition.above.value, 0.0)
    if condition.below is not None and condition.below.value > 0 and value > 0:
        return condition.below.value / value
    return None


def condition_state(condition: AbortCondition, reading: Reading | None) -> ConditionState:
    """How an abort condition stands by its last reading."""
    if reading is None:
        return "no answer yet"
    if reading.outcome != "held":
        return "exceeded" if reading.outcome == "deviated" else "unknown"
    return "near" if (nearness(condition, reading.value) or 0.0) >= NEAR else "ok"


def state_of(injection: InjectionRecord) -> State:
    """Where an injection is in its life, worst news first."""
    if injection.restored_at is not None:
        return "restored"
    if injection.residue:
        return "NOT RESTORED"
    if injection.rollback_at is not None:
        return "rolling back"
    if injection.error:
        return "inject failed"
    if injection.drift:
        return "gone"
    if injection.effect is None:
        return "intended"
    return _BY_EFFECT[injection.effect.bit]


def tally(injections: Iterable[InjectionRecord]) -> dict[State, int]:
    """How many injections are in each state, trouble first and then in the order of a life; none is left out."""
    counts = Counter(state_of(one) for one in injections)
    order = sorted(get_args(State), key=lambda state: state not in TROUBLED)
    return {state: counts[state] for state in order if counts[state]}


def detail_of(injection: InjectionRecord) -> str:
    """What there is to say about the state of an injection."""
    effect = injection.effect.measured if injection.effect is not None else ""
    return clean(
        {
            "restored": injection.note,
            "NOT RESTORED": "; ".join(injection.residue),
            "inject failed": injection.error,
            "gone": injection.drift,
        }.get(state_of(injection), effect)
    )


def countdown(seconds: float) -> str:
    """A length of time that counts up or down on a screen: ``0:38``, ``12:05``, ``1:00:09``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
