"""What became of each expected alert: proven and refuted only by what was seen."""

import pytest

from chaoskit.domain.detection import DetectionResult, judge_alert, time_to_detect
from chaoskit.domain.history import InjectionRecord
from chaoskit.domain.readings import Outcome, Reading
from tests.unit.domain.runs import DETECTING, abort, passing, reading

Timed = tuple[float, Outcome]


def seen(at: float, outcome: Outcome, took: float = 0.01) -> Reading:
    return reading(at, outcome, role="detection", name="Down", took=took)


def alerted(*timed: Timed | Reading, **more: object) -> DetectionResult:
    mine = tuple(one if isinstance(one, Reading) else seen(*one) for one in timed)
    return judge_alert(passing(DETECTING, readings=mine, **more), DETECTING.expect.alerts[0])


def quiet(begin: float, end: float) -> list[Timed]:
    """Quiet each second from ``begin`` until before ``end``; the fault comes at 10 s, and the limit is 16 s."""
    return [(float(at), "deviated") for at in range(int(begin), int(end))]


QUIET = quiet(2, 18)


def test_an_alert_is_detected_when_it_fires_within_its_limit() -> None:
    result = alerted(*quiet(2, 13), (13.0, "held"))
    assert (result.outcome, result.fired_after) == ("held", 3.0)


def test_an_alert_that_fires_too_late_is_refuted() -> None:
    result = alerted(*QUIET, (16.5, "held"))
    assert (result.outcome, result.fired_after) == ("deviated", 6.5)
    assert "fired only after 6.5s, not within 6s" in result.why


def test_an_alert_that_never_fires_is_refuted() -> None:
    result = alerted(*QUIET)
    assert (result.outcome, result.fired_after) == ("deviated", None)


def test_an_alert_that_fired_before_the_fault_proves_nothing() -> None:
    assert alerted((9.0, "held"), (12.0, "held")).outcome == "unknown"


@pytest.mark.parametrize(
    ("readings", "between"),
    [
        ([*quiet(2, 16), (16.9, "held")], "between 5.0s and 6.9s"),
        ([*quiet(2, 13), *((at, "unknown") for at in (13.0, 14.0, 15.0, 16.0)), (17.0, "held")], "2.0s and 7.0s"),
        ([*quiet(2, 15), seen(15.0, "held", took=4.0)], "between 4.0s and 9.0s"),
        ([*quiet(2, 16), (16.9, "held"), (18.0, "deviated")], "between 5.0s and 6.9s"),
    ],
    ids=["between two samples", "in a silence", "in a slow sample", "and ended again"],
)
def test_an_alert_that_began_to_fire_on_a_side_of_its_limit_that_nobody_saw_is_unknown(
    readings: list[Timed | Reading], between: str
) -> None:
    result = alerted(*readings)
    assert result.outcome == "unknown"
    assert between in result.why


def test_an_alert_that_was_not_seen_quiet_right_before_the_fault_proves_nothing_by_firing() -> None:
    assert alerted(*quiet(2, 7), (12.0, "held")).outcome == "unknown"
    assert alerted(*quiet(2, 7), seen(7.5, "deviated", took=3.0), (12.0, "held")).outcome == "unknown"
    assert alerted((12.0, "held")).outcome == "unknown"
    assert alerted(*quiet(2, 8), (12.0, "held")).outcome == "held"


def test_an_alert_that_was_not_watched_for_its_whole_time_is_not_refuted() -> None:
    assert alerted(*quiet(2, 15)).outcome == "unknown"
    assert alerted().outcome == "unknown"


def test_an_alert_is_not_refuted_by_looking_away() -> None:
    away: list[Timed] = [(float(at), "unknown") for at in range(11, 15)]
    result = alerted(*quiet(2, 11), *away, (15.0, "deviated"), (16.0, "deviated"))
    assert result.outcome == "unknown"
    assert "4 of 7 samples are missing" in result.why
    late = alerted(*quiet(2, 11), *away, (15.0, "deviated"), (16.0, "deviated"), (16.5, "held"))
    assert late.outcome == "unknown"


@pytest.mark.parametrize(
    "hung", [[], [seen(11.5, "unknown", took=4.0)], [seen(11.5, "unknown", took=2.0), seen(13.5, "unknown", took=2.0)]]
)
def test_an_alert_is_not_refuted_by_a_probe_that_hung_however_few_samples_that_were(hung: list[Reading]) -> None:
    result = alerted(*quiet(2, 12), *hung, *quiet(16, 40))
    assert result.outcome == "unknown"
    assert "4s of 6s passed without an answer" in result.why or "samples are missing" in result.why


def test_quiet_samples_after_its_time_do_not_make_up_for_what_was_missing_in_it() -> None:
    away: list[Timed] = [(float(at), "unknown") for at in range(11, 15)]
    assert alerted(*quiet(2, 11), *away, *quiet(15, 60)).outcome == "unknown"


def test_an_alert_is_not_refuted_when_the_fault_was_taken_away_before_its_time() -> None:
    assert alerted(*QUIET, abort=abort("blind", at=14.0)).outcome == "unknown"
    assert alerted(*QUIET, abort=abort("blind", at=17.0)).outcome == "deviated"
    assert alerted(*QUIET, (16.5, "held"), abort=abort("blind", at=14.0)).outcome == "unknown"


def test_an_alert_of_a_run_that_injected_nothing_is_unknown() -> None:
    nothing: tuple[InjectionRecord, ...] = ()
    assert alerted(*QUIET, injections=nothing).outcome == "unknown"


def test_the_time_to_detect_is_that_of_the_last_alert_and_only_when_all_fired() -> None:
    def fired(after: float | None) -> DetectionResult:
        return DetectionResult(alert="a", limit=9.0, outcome="held", why="", fired_after=after)

    assert time_to_detect([fired(1.0), fired(3.0)]) == 3.0
    assert time_to_detect([fired(1.0), fired(None)]) is None
    assert time_to_detect([]) is None
