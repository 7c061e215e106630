"""What is known of a run while it goes on."""

import pytest

from chaoskit.cli.progress import MOST_READINGS, Progress, RunTime
from tests.unit.cli.story import FakeClock, Heard, Story, experiment, injection, usual_beginning


def test_run_time_starts_when_the_run_did_and_not_when_it_was_first_heard_of() -> None:
    clock = FakeClock()
    time = RunTime(clock)
    clock.wait(3.0)
    assert time.now() == 0.0
    time.heard()
    clock.wait(1.0)
    time.heard(at=1.8)
    assert time.now() == pytest.approx(1.8)
    clock.wait(1.0)
    time.heard(at=2.1)
    assert time.now() == pytest.approx(2.8)


def test_a_snapshot_does_not_change_any_more() -> None:
    clock = FakeClock()
    heard = Heard(experiment(), clock)
    story = Story(heard, clock)
    usual_beginning(story)
    before = heard.progress.snapshot()
    kept = repr(before)
    story.phase("observe", 60.0)
    story.check("availability", 0.1, "deviated")
    story.alert(fires=True)
    story.intend(injection(2))
    story.event("note", "later")
    assert repr(before) == kept
    assert repr(heard.progress) != kept


def test_memory_does_not_grow_with_the_run() -> None:
    clock = FakeClock()
    heard = Heard(experiment(), clock)
    story = Story(heard, clock)
    story.phase("baseline", 5.0)
    story.steadily(500.0)
    assert len(heard.progress.history["availability"]) == MOST_READINGS


def test_the_most_silent_probe_is_the_one_whose_last_usable_answer_is_oldest() -> None:
    clock = FakeClock()
    heard = Heard(experiment(), clock)
    story = Story(heard, clock)
    assert Progress(experiment()).silence(5.0) is None
    story.phase("inject")
    story.until(4.0)
    for name in ("availability", "p95 latency", "front page"):
        story.check(name, 1.0)
    story.condition(0.1)
    story.until(5.0)
    silence = heard.progress.silence(story.at)
    assert silence is not None
    assert (silence.name, silence.seconds) == ("HighErrorRate", 5.0)
