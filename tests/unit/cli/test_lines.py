"""The plain lines: what they say, how often, and what happens when nobody reads."""

import io
import os
import re
import threading
from collections.abc import Iterator

import pytest

from chaoskit.cli.lines import Lines
from chaoskit.cli.writer import Writer
from tests.unit.cli.story import (
    RUN,
    FakeClock,
    Story,
    checks,
    experiment,
    injection,
    usual_beginning,
    usual_end,
)

LINE = re.compile(r"2026-03-05T09:\d\d:\d\dZ {2} +\+\d+\.\ds {2}[a-z]+ +\S.*")


class Log:
    """A told story and the lines that came of it."""

    def __init__(self, **changes: object) -> None:
        self.out = io.StringIO()
        self.clock = FakeClock()
        self.lines = Lines(experiment(**changes), RUN, self.out, self.clock)
        self.story = Story(self.lines, self.clock)

    def all(self) -> list[str]:
        return self.out.getvalue().splitlines()

    def of(self, word: str) -> list[str]:
        """The texts of all lines of one kind."""
        return [line[42:] for line in self.all() if line[32:40].rstrip() == word]

    def since(self, word: str) -> "list[str]":
        """The texts of one kind that were not asked for before."""
        found = self.of(word)
        self.out.seek(0)
        self.out.truncate()
        return found


@pytest.fixture
def log() -> Iterator[Log]:
    one = Log()
    yield one
    one.lines.close()


def test_a_whole_run_is_told_in_order_with_utc_time_offset_and_word(log: Log) -> None:
    usual_beginning(log.story)
    log.story.phase("observe", 60.0)
    log.story.steadily(66.0)
    usual_end(log.story)
    assert all(LINE.fullmatch(line) for line in log.all()), "\n".join(log.all())
    assert log.all()[0] == (
        f"2026-03-05T09:30:00Z     +0.0s  run       {RUN}: Checkout keeps serving when one web replica dies "
        "(checkout-survives-web-loss, owner team-checkout)"
    )
    assert log.of("phase") == [
        "plan",
        "guard",
        "baseline: every check must hold for 5s",
        "inject",
        "observe: for 1m",
        "rollback: undoing 1 of 1 injection",
        "recovery: every check must hold again within 30s",
    ]
    assert log.of("fault") == [
        "1 injection intended: instance.kill on web-1",
        "instance.kill on web-1: injected; exited with 137",
    ]
    assert log.of("rollback") == ["instance.kill on web-1: started again"]
    assert log.of("recovery") == ["the hypothesis holds again, 0.6s after rollback"]
    assert "2026-03-05T09:31:02Z    +62.8s  checks    " in log.out.getvalue()


def test_nothing_drives_a_terminal_and_others_text_stays_on_one_line(log: Log) -> None:
    log.story.phase("plan")
    log.story.event("trouble", "no answer:\r\n\x1b[31mred\x1b[0m \x07 http://joe:hunter2@web.example/")
    assert log.of("trouble") == ["no answer: \u241b[31mred\u241b[0m \u2407 http://***@web.example/"]


def test_steady_checks_are_told_at_most_every_five_seconds(log: Log) -> None:
    usual_beginning(log.story)
    log.since("checks")
    log.story.phase("observe", 60.0)
    log.story.steadily(log.story.at + 50.0, tick=0.1)
    told = log.of("checks")
    assert 9 <= len(told) <= 11
    assert set(told) == {
        "availability 0.9987 \u2713 held \u00b7 p95 latency 212 ms \u2713 held \u00b7 front page 31 ms \u2713 held"
    }


def test_an_outcome_that_changes_is_told_within_a_second_with_bound_and_problem(log: Log) -> None:
    usual_beginning(log.story)
    log.story.phase("observe", 60.0)
    log.story.steadily(7.8)
    log.since("checks")
    log.story.until(8.8)
    log.story.check("p95 latency", None, "unknown", "no data")
    log.story.check("availability", 0.989996, "deviated")
    log.story.until(9.8)
    log.story.steady()
    assert log.since("checks")[0].split(" \u00b7 ") == [
        "availability 0.9987 \u2713 held",
        "p95 latency \u2013 ? unknown (during \u2264 800ms; no data)",
        "front page 31 ms \u2713 held",
    ]
    log.story.until(11.0)
    log.story.check("availability", 0.98999996, "deviated")
    assert log.of("checks")[0].startswith("availability 0.98999996 \u2717 deviated (\u2265 0.99) ")


def test_a_check_that_flaps_at_every_tick_does_not_flood(log: Log) -> None:
    usual_beginning(log.story)
    log.story.phase("observe", 60.0)
    log.since("checks")
    flip = iter(range(1000))

    def flap() -> None:
        odd = next(flip) % 2
        log.story.check("availability", 0.95 if odd else 0.999, "deviated" if odd else "held")
        log.story.condition(0.3 if odd else 0.1, "deviated" if odd else "held")
        log.story.alert(fires=False)

    log.story.steadily(log.story.at + 10.0, tick=0.1, tell=flap)
    lines = log.all()
    assert 9 <= sum(" checks " in line for line in lines) <= 11
    assert any(line.endswith("(10 changes)") for line in lines)
    assert len(lines) <= 30


def test_of_many_checks_only_those_that_do_not_hold_are_named() -> None:
    log = Log(steady_state=checks(30))
    log.story.phase("baseline", 5.0)
    for n in range(1, 31):
        log.story.check(f"check {n}", 0.5 if n > 22 else 1.0, "deviated" if n > 22 else "held")
    text = log.of("checks")[0]
    assert text.startswith("22 of 30 held \u00b7 check 23 0.5 \u2717 deviated (\u2265 0.99) \u00b7 check 24 ")
    assert text.endswith("check 28 0.5 \u2717 deviated (\u2265 0.99) \u00b7 2 more do not")
    log.lines.close()


def test_a_check_that_has_not_answered_yet_is_unknown_and_not_left_out(log: Log) -> None:
    log.story.phase("baseline", 5.0)
    log.story.check("availability", 1.0)
    assert log.of("checks") == []
    log.story.until(1.0)
    log.story.check("availability", 1.0)
    assert "front page \u2013 ? unknown (200 in 1s; no answer yet)" in log.of("checks")[0]


def test_an_abort_condition_is_told_when_near_exceeded_and_back(log: Log) -> None:
    usual_beginning(log.story)
    log.story.phase("observe", 60.0)
    assert log.of("abort") == []
    for value, outcome in ((0.1, "held"), (0.17, "held"), (0.21, "deviated"), (0.3, "deviated"), (0.1, "held")):
        log.story.until(log.story.at + 1.0)
        log.story.condition(value, outcome)  # type: ignore[arg-type]  # the literals are right
    assert [text for text in log.of("abort") if text.startswith("error ratio")] == [
        "error ratio: 0.17, limit > 0.2 for 3s: near its limit",
        "error ratio: 0.21, limit > 0.2 for 3s: exceeded for 0.0s of 3s",
        "error ratio: 0.3, limit > 0.2 for 3s: exceeded for 1.0s of 3s",
        "error ratio: 0.1, limit > 0.2 for 3s: within its limit",
    ]


def test_an_abort_condition_that_goes_blind_is_told(log: Log) -> None:
    usual_beginning(log.story)
    log.story.phase("observe", 60.0)
    log.story.until(7.0)
    log.story.condition(None, "unknown", "connection refused")
    assert log.of("abort") == ["error ratio: \u2013, limit > 0.2 for 3s: unknown (connection refused)"]


def test_silence_is_told_before_it_stops_the_run(log: Log) -> None:
    usual_beginning(log.story)
    log.story.phase("observe", 60.0)
    log.story.steadily(6.8)

    def without_p95() -> None:
        log.story.check("availability", 0.9987)
        log.story.check("p95 latency", None, "unknown", "no data")
        log.story.check("front page", 0.031)
        log.story.condition(0.013)
        log.story.alert(fires=False)

    log.story.steadily(14.8, tell=without_p95)
    assert log.of("abort") == [
        "p95 latency: no usable answer for 6.0s; 10s stops the run",
        "p95 latency: no usable answer for 8.0s; 10s stops the run",
    ]


def test_an_alert_is_told_once_when_it_begins_to_fire(log: Log) -> None:
    usual_beginning(log.story)
    log.story.phase("observe", 60.0)
    for at, fires in ((7.5, False), (9.5, True), (10.5, True)):
        log.story.until(at)
        log.story.alert(fires=fires)
    assert log.of("alert") == ["HighErrorRate fires 4.00 s after the first injection"]


def test_an_alert_that_fires_too_early_is_told_as_such(log: Log) -> None:
    log.story.phase("baseline", 5.0)
    log.story.alert(fires=True)
    assert log.of("alert") == ["HighErrorRate fires before the fault was in"]


def test_three_hundred_targets_are_summarised_but_no_trouble_is_left_out(log: Log) -> None:
    log.story.phase("inject")
    log.story.intend(*(injection(n, f"web-{n}") for n in range(1, 301)))
    for n in range(1, 300):
        log.story.inject(n)
    log.story.fail_to_inject(300, "TargetGone: no such container")
    log.story.begin_rollback()
    for n in range(1, 300):
        log.story.restore(n)
    log.story.fail_to_restore(300, "still stopped")
    log.story.phase("recovery", 30.0)
    assert len(log.all()) < 60
    assert log.of("fault")[0] == (
        "300 injections intended: instance.kill on web-1, web-2, web-3, web-4, web-5 and 295 more"
    )
    assert log.of("trouble") == [
        "instance.kill on web-300: injecting failed, so it is undone: TargetGone: no such container"
    ]
    assert log.of("rollback")[-1] == "instance.kill on web-300: NOT restored: still stopped"
    assert log.of("note") == [
        "279 lines like these left out; 1 inject failed, 299 in force",
        "279 lines like these left out; 1 NOT RESTORED, 299 restored",
    ]


@pytest.mark.parametrize(("bit", "word"), [(False, "no effect"), (None, "effect unknown")])
def test_a_fault_without_proof_says_what_was_asked_of_it(log: Log, bit: bool | None, word: str) -> None:
    log.story.phase("inject")
    log.story.intend(injection())
    log.story.inject(1, bit=bit, measured="still running")
    assert log.of("fault")[-1] == (
        f"instance.kill on web-1: injected; still running; {word}, asked for the process ends"
    )


def test_a_stream_without_unicode_gets_plain_signs() -> None:
    raw = io.BytesIO()
    lines = Lines(experiment(), RUN, io.TextIOWrapper(raw, encoding="latin-1", write_through=True), FakeClock())
    story = Story(lines, FakeClock())
    story.phase("baseline", 5.0)
    story.steady()
    story.event("note", "caf\u00e9 \u2192 bar")
    lines.close()
    text = raw.getvalue().decode("latin-1")
    assert "p95 latency 212 ms + held - front page" in text
    assert "caf\u00e9 ? bar" in text


# --- when nobody reads ------------------------------------------------------------------------------------


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """The reading end of a pipe, and a text stream into its writing end."""
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w", encoding="utf-8")
    yield reading, stream
    stream.close()
    try:
        os.close(reading)
    except OSError:
        return  # a test closed it, which was its point


def test_each_line_is_there_as_soon_as_it_is_told(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    writer = Writer(stream)
    writer.line("one")
    assert os.read(reading, 100) == b"one\n"
    writer.close()


def test_a_closed_pipe_raises_so_that_the_recorder_can_mute_it(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    lines = Lines(experiment(), RUN, stream, FakeClock())
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        lines.phase("plan", None)
    with pytest.raises(BrokenPipeError):
        lines.phase("guard", None)
    lines.close()


def test_a_reader_that_sleeps_costs_the_run_its_patience_once_and_loses_nothing(
    pipe: tuple[int, io.TextIOWrapper],
) -> None:
    reading, stream = pipe
    writer = Writer(stream, patience=0.05)
    told = [f"{n} {'x' * 1000}" for n in range(200)]
    for text in told:
        writer.line(text)
    found = b""

    def drain() -> None:
        nonlocal found
        while found.count(b"\n") < len(told):
            found += os.read(reading, 65536)

    reader = threading.Thread(target=drain)
    reader.start()
    reader.join(10)
    assert found.decode().splitlines() == told
    writer.line("and on")
    assert os.read(reading, 100) == b"and on\n"
    writer.close()


def test_what_does_not_fit_in_memory_while_nobody_reads_is_counted(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    writer = Writer(stream, patience=0.01, capacity=5)
    for _ in range(100):
        writer.line("x" * 4000)
    found = b""
    while not re.search(rb"\((\d+) lines were left out while nobody read them\)", found):
        found += os.read(reading, 65536)
    left_out = re.search(rb"\((\d+) lines", found)
    assert left_out is not None
    assert int(left_out[1]) + found.count(b"xx\n") >= 94
    writer.close()


def test_closing_gives_up_on_a_reader_that_never_wakes(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    writer = Writer(stream, patience=0.05)
    for _ in range(40):
        writer.line("x" * 4000)
    writer.close()
    os.close(reading)
