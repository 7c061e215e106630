"""Which part of a time the readings of one probe tell about, and how old an answer may be to go by. Pure.

A reading with an answer tells of the time it took; the next one is due on the next tick. Each tick that passes
without one counts as missing, whether its sample came back without an answer, hung, or was never taken.
"""

import math
from collections.abc import Sequence

from chaoskit.domain.readings import Reading

_LATE = 1.0


def ticks(seconds: float, tick: float) -> int:
    """How many ticks there are in so many seconds, to the nearest one: samples come a little late or early."""
    return math.ceil(seconds / tick - 0.5)


def missing_ticks(answers: Sequence[Reading], start: float, end: float, tick: float) -> int:
    """How many ticks between ``start`` and ``end`` passed without an answer; ``answers`` lie in between."""
    if not answers:
        return ticks(end - start, tick)
    usual_length = _took(answers)
    until, at_border, missing = start, True, 0
    for answer in sorted(answers, key=lambda r: r.at):
        missing += _missing(answer.at - until, tick, usual_length if at_border else 0.0)
        until, at_border = max(until, answer.at + answer.took), False
    return missing + _missing(end - until, tick, usual_length)


def _missing(gap: float, tick: float, under_way: float) -> int:
    """The ticks of one gap without an answer; none if a sample of the usual length, ``under_way``, explains it."""
    if ticks(gap - under_way, tick) <= 1:
        return 0
    return ticks(gap, tick) - 1


def _took(answers: Sequence[Reading]) -> float:
    return usual([answer.took for answer in answers])


def usual(lengths: Sequence[float]) -> float:
    """The usual one of some lengths of time, in seconds: the median, so that a few long ones excuse nothing."""
    return sorted(lengths)[(len(lengths) - 1) // 2] if lengths else 0.0


def lately(tick: float, took: float) -> float:
    """How old, in seconds, the last answer of a probe that takes ``took`` may be to tell how things are now."""
    return 2 * (tick + took) + _LATE


def is_late(answers: Sequence[Reading], at: float, tick: float) -> bool:
    """Whether the last of ``answers`` is too old to tell how things are ``at`` that moment; none at all is too."""
    last = max((answer.at + answer.took for answer in answers), default=None)
    return last is None or at - last > lately(tick, _took(answers))
