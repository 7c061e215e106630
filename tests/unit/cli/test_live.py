"""The live display: what a frame says in which terminal, and that the run never waits for it."""

import io
import logging
import re
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from chaoskit.cli import frame as frames
from chaoskit.cli import live as lives
from chaoskit.cli.frame import frame
from chaoskit.cli.live import Live
from chaoskit.cli.phrases import ASCII, UNICODE, Signs
from chaoskit.cli.view import View
from tests.unit.cli.story import (
    RUN,
    FakeClock,
    Heard,
    Story,
    checks,
    experiment,
    injection,
    usual_beginning,
    usual_end,
)

THEN, NONE = "\u203a", "\u2013"
CURSOR_OFF, CURSOR_ON, OTHER_SCREEN = "\x1b[?25l", "\x1b[?25h", "\x1b[?1049h"


class Screen:
    """A told story, and the frames that come of it."""

    def __init__(self, **changes: object) -> None:
        self.clock = FakeClock()
        self.heard = Heard(experiment(**changes), self.clock)
        self.story = Story(self.heard, self.clock)

    def lines(self, width: int = 80, height: int = 24, signs: Signs = UNICODE, **view: Any) -> list[str]:
        shown = View(RUN, self.heard.progress, self.heard.time.now(), width, signs, **view)
        drawn = frame(shown, height, self.clock.utc())
        assert 1 <= len(drawn) <= max(height - 1, 1)
        assert all(line.cell_len <= width for line in drawn)
        return [line.plain for line in drawn]

    def row(self, about: str, **terminal: Any) -> str:
        """The one line that has ``about`` in it."""
        found = [line for line in self.lines(**terminal) if about in line]
        assert len(found) == 1, "\n".join(self.lines(**terminal))
        return found[0].strip()

    def observing(self, *targets: str) -> "Screen":
        usual_beginning(self.story, *targets)
        self.story.phase("observe", 60.0)
        return self


@pytest.fixture
def screen() -> Screen:
    return Screen()


# --- head and foot ----------------------------------------------------------------------------------------


def test_the_head_tells_title_run_owner_and_both_times(screen: Screen) -> None:
    screen.observing()
    screen.story.until(75.0)
    title, who = screen.lines()[:2]
    assert re.fullmatch(r" Checkout keeps serving when one web replica dies +\+1:15", title)
    assert re.fullmatch(rf" run {RUN}  owner team-checkout +09:31:15 UTC", who)
    assert len(title) == len(who) == 79


def test_the_phase_at_hand_is_in_brackets_with_the_time_it_has_left(screen: Screen) -> None:
    screen.observing()
    screen.story.until(screen.story.at + 22.0)
    assert re.fullmatch(
        f" {THEN} ".join(["plan", "guard", "baseline", "inject", r"\[observe\]", "rollback", r"recovery +0:38 left"]),
        screen.row("guard"),
    )
    bar = screen.lines()[3].strip()
    assert bar.count("━") == round(22 / 60 * 78)
    assert set(bar) == {"━", "─"}


def test_time_left_never_goes_below_zero(screen: Screen) -> None:
    screen.observing()
    screen.story.until(100.0)
    assert screen.row("guard").endswith("0:00 left")


def test_a_narrow_terminal_names_only_the_phase_at_hand(screen: Screen) -> None:
    screen.observing()
    assert re.fullmatch(r"\[observe\] 5/7 +1:00 left", screen.row("[observe]", width=50))


def test_before_anything_was_heard_the_screen_already_says_what_is_planned(screen: Screen) -> None:
    shown = "\n".join(screen.lines())
    assert "planned           instance.kill  1 of web  for 1m" in shown
    assert "waiting     availability" in shown


@pytest.mark.parametrize(
    ("phase", "advice"),
    [
        ("baseline", "Ctrl-C stops; nothing has been injected yet"),
        ("inject", "Ctrl-C stops and rolls back"),
        ("observe", "Ctrl-C stops and rolls back"),
        ("rollback", "rolling back: Ctrl-C does not interrupt it; watch with `chaoskit status`"),
        ("recovery", "every target is restored; Ctrl-C stops watching, and the run ends as aborted"),
    ],
)
def test_the_last_line_says_what_ctrl_c_does_now(screen: Screen, phase: Any, advice: str) -> None:
    screen.story.phase(phase, 5.0)
    assert screen.lines()[-1].strip() == advice


def test_a_second_ctrl_c_is_heard_and_changes_nothing(screen: Screen) -> None:
    screen.observing()
    screen.story.event("halt", "stopped by SIGINT")
    assert screen.lines()[-1].strip() == "stopping"
    screen.story.begin_rollback()
    assert screen.lines(width=100, again="SIGINT")[-1].strip() == (
        "SIGINT heard; rolling back: Ctrl-C does not interrupt it; watch with `chaoskit status`"
    )


def test_a_target_that_is_not_restored_stays_on_the_last_line(screen: Screen) -> None:
    screen.observing()
    screen.story.begin_rollback()
    screen.story.fail_to_restore(1, "container is still stopped")
    screen.story.phase("recovery", 30.0)
    assert screen.lines()[-1].strip() == f"NOT every target is restored; see `chaoskit rollback {RUN}`"
    assert screen.row("✗ NOT RESTORED").endswith("instance.kill  web-1  container is still stopped")


def test_the_last_frame_has_no_advice_any_more(screen: Screen) -> None:
    screen.observing()
    usual_end(screen.story)
    shown = screen.lines(ended=True)
    assert "Ctrl-C" not in "\n".join(shown)
    assert screen.row("[recovery]", ended=True).endswith("ended")


# --- checks -----------------------------------------------------------------------------------------------


def test_a_check_shows_outcome_in_words_and_sign_name_value_bound_and_bars(screen: Screen) -> None:
    screen.story.phase("baseline", 5.0)
    screen.story.steadily(5.0)
    assert screen.row("p95").split() == ["✓", "held", "p95", "latency", "212", "ms", "≤", "300ms", "▆▆▆▆▆"]
    assert screen.row("front page").split() == ["✓", "held", "front", "page", "31", "ms", "200", "in", "1s", "▁▁▁▁▁"]
    assert screen.row("Checks") == "Checks 3 held"


def test_while_the_fault_is_in_the_looser_bound_is_shown(screen: Screen) -> None:
    screen.observing()
    assert "during ≤ 800ms" in screen.row("p95")
    screen.story.begin_rollback()
    assert "≤ 300ms" in screen.row("p95")


def test_an_unknown_reading_is_a_gap_a_word_and_a_reason(screen: Screen) -> None:
    screen.observing()
    screen.story.steadily(8.0)
    screen.story.check("p95 latency", None, "unknown", "no data")
    assert screen.row("p95").startswith(f"? unknown   p95 latency            {NONE}  during ≤ 800ms")
    screen.story.steady()
    assert screen.row("p95").endswith("▃▃ ▃")
    screen.story.check("p95 latency", None, "unknown", "no data")
    shown = screen.lines()
    assert shown[shown.index(next(line for line in shown if "p95" in line)) + 1].strip() == "no data"


def test_a_deviation_says_how_long_it_lasts_and_how_long_it_may(screen: Screen) -> None:
    screen.observing()
    for _ in range(5):
        screen.story.until(screen.story.at + 1.0)
        screen.story.check("p95 latency", 1.2, "deviated")
        screen.story.check("front page", None, "deviated", "http://web.example: connection refused")
    assert screen.row("p95").startswith("✗ deviated  p95 latency        1.2 s")
    shown = "\n".join(screen.lines())
    assert "deviated for 4.0s of 10s allowed" in shown
    assert "deviated for 4.0s; http://web.example: connection refused" in shown
    assert screen.row("Checks").startswith("Checks 2 deviated · 1 held")


def test_a_value_just_short_of_its_bound_does_not_read_like_the_bound(screen: Screen) -> None:
    screen.observing()
    screen.story.check("availability", 0.989996, "deviated")
    assert "0.989996" in screen.row("availability")


def test_of_thirty_checks_the_worst_are_shown_and_the_others_counted() -> None:
    screen = Screen(steady_state=checks(30))
    screen.story.phase("baseline", 5.0)
    for n in range(1, 31):
        screen.story.check(f"check {n}", 0.5 if n == 23 else 1.0, "deviated" if n == 23 else "held")
    shown = "\n".join(screen.lines())
    assert "✗ deviated  check 23 " in shown
    assert screen.row("more;").startswith("… and 2")
    assert screen.row("Checks") == "Checks 1 deviated · 29 held"
    assert len(re.findall(r"check \d+", "\n".join(screen.lines(140, 60)))) == 30


# --- expected alerts --------------------------------------------------------------------------------------


def test_an_expected_alert_waits_fires_or_stays_silent(screen: Screen) -> None:
    assert screen.row("HighErrorRate").split() == ["waiting", "HighErrorRate", NONE, "≤", "2m", "alert"]
    screen.observing()
    screen.story.until(66.0)
    assert screen.row("HighErrorRate").endswith("alert, 0:59 left")
    screen.story.until(200.0)
    assert screen.row("HighErrorRate").startswith("✗ silent")
    screen.story.alert(fires=True)
    assert screen.row("HighErrorRate").startswith("✗ late")


def test_an_alert_in_time_shows_when_and_one_before_the_fault_is_no_proof() -> None:
    good, bad = Screen().observing(), Screen()
    good.story.until(17.5)
    good.story.alert(fires=True)
    good.story.alert(fires=False)
    assert good.row("HighErrorRate").startswith("✓ fired     HighErrorRate     12.0 s  ≤ 2m")
    bad.story.phase("baseline", 5.0)
    bad.story.alert(fires=True)
    assert bad.row("HighErrorRate").startswith("✗ too soon")


# --- abort conditions -------------------------------------------------------------------------------------


def test_an_abort_condition_shows_its_value_against_its_limit(screen: Screen) -> None:
    screen.observing()
    screen.story.condition(0.05)
    row = screen.row("error ratio")
    assert row.startswith("✓ ok        error ratio         0.05  > 0.2 for 3s")
    meter = row.rsplit("  ", 1)[1]
    assert meter.count("━") == round(len(meter) / 4)
    screen.story.condition(0.17)
    assert screen.row("error ratio").startswith("! near")
    assert screen.row("Abort conditions") == "Abort conditions armed · 1 near"


def test_an_exceeded_abort_condition_shows_its_timer(screen: Screen) -> None:
    screen.observing()
    screen.story.condition(0.31, "deviated")
    screen.story.until(screen.story.at + 1.5)
    screen.story.condition(0.31, "deviated")
    row = screen.row("error ratio")
    assert row.startswith("✗ EXCEEDED  error ratio         0.31  > 0.2 for 3s")
    assert row.endswith("for 1.5s of 3s")


def test_a_timer_that_ran_before_the_brakes_were_armed_does_not_count(screen: Screen) -> None:
    screen.story.phase("baseline", 5.0)
    screen.story.condition(0.31, "deviated")
    screen.story.until(4.0)
    screen.story.phase("inject")
    screen.story.condition(0.31, "deviated")
    assert screen.row("error ratio").endswith("for 0.0s of 3s")


def test_not_knowing_neither_starts_nor_ends_a_timer(screen: Screen) -> None:
    screen.observing()
    screen.story.condition(0.31, "deviated")
    screen.story.until(screen.story.at + 1.0)
    screen.story.condition(None, "unknown", "no data")
    assert screen.row("error ratio").startswith("? unknown")
    screen.story.until(screen.story.at + 1.0)
    screen.story.condition(0.31, "deviated")
    assert screen.row("error ratio").endswith("for 2.0s of 3s")


def test_silence_of_any_probe_is_shown_against_its_limit(screen: Screen) -> None:
    assert screen.row("no data").startswith("waiting")
    screen.observing()
    screen.story.until(6.0)
    assert screen.row("no data").startswith("✓ ok        no data             0.5s  > 10s")
    screen.story.steady()
    screen.story.until(12.0)
    for name in ("availability", "front page"):
        screen.story.check(name, 1.0)
    screen.story.condition(0.0)
    screen.story.alert(fires=False)
    assert screen.row("no data").startswith("! near      no data             6.0s  > 10s")
    assert "nothing usable from p95 latency" in screen.row("nothing usable")
    screen.story.begin_rollback()
    assert screen.row("no data").startswith("over")


# --- faults and events ------------------------------------------------------------------------------------


def test_an_injection_is_shown_from_intended_to_restored(screen: Screen) -> None:
    screen.story.phase("inject")
    screen.story.intend(injection())
    assert screen.row("○").split() == ["○", "intended", "instance.kill", "web-1"]
    screen.story.inject(1)
    assert screen.row("●") == "● in force        instance.kill  web-1  exited with 137"
    screen.story.begin_rollback()
    assert screen.row("↶").startswith("↶ rolling back    instance.kill  web-1")
    screen.story.restore(1)
    assert screen.row("✓ restored") == "✓ restored        instance.kill  web-1  started again"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        (
            {"error": "injecting failed: TargetGone"},
            "✗ inject failed   instance.kill  web-1  injecting failed: TargetGone",
        ),
        ({"injected_at": 1.0, "drift": "it was restarted"}, "! gone            instance.kill  web-1  it was restarted"),
    ],
)
def test_an_injection_in_trouble_says_what_is_wrong(screen: Screen, changes: dict[str, Any], shown: str) -> None:
    screen.story.phase("inject")
    screen.story.intend(injection(1, **changes))
    assert shown in [line.strip() for line in screen.lines()]


@pytest.mark.parametrize(("bit", "state"), [(False, "! no effect"), (None, "? effect unknown")])
def test_an_injection_without_proof_of_its_effect_is_not_called_in_force(
    screen: Screen, bit: bool | None, state: str
) -> None:
    screen.story.phase("inject")
    screen.story.intend(injection())
    screen.story.inject(1, bit=bit, measured="still running")
    assert screen.row(state).endswith("instance.kill  web-1  still running")
    assert "● in force" not in "\n".join(screen.lines())


def test_three_hundred_targets_are_one_line_for_each_fault_and_one_for_each_in_trouble() -> None:
    screen = Screen().observing(*(f"web-{n}" for n in range(1, 301)))
    assert screen.row("on 300").startswith("instance.kill  on 300 of web  ● 300 in force")
    screen.story.begin_rollback()
    for n in range(2, 200):
        screen.story.restore(n)
    screen.story.fail_to_restore(1, "container is still stopped")
    assert screen.row("on 300") == ("instance.kill  on 300 of web  ✗ 1 NOT RESTORED · ↶ 101 rolling back · ✓ 198 r…")
    assert screen.row("✗ NOT RESTORED").endswith("web-1    container is still stopped")


def test_the_last_events_are_shown_in_full_the_newest_at_the_bottom(screen: Screen) -> None:
    screen.observing()
    for n in range(30):
        screen.story.event("note", f"note {n}")
    screen.story.event("abort", "abort condition met: " + "a very long reason " * 8)
    shown = screen.lines()
    assert shown[-2].strip().startswith("very long reason")
    assert not any("note 0" in line for line in shown)
    assert any("note 29" in line for line in shown)


def test_others_text_cannot_drive_the_terminal(screen: Screen) -> None:
    screen.observing()
    screen.story.event("trouble", "\x1b[2J\x1b[31mred\r\n\x07http://joe:hunter2@web.example/")
    shown = "\n".join(screen.lines())
    assert "␛[2J␛[31mred ␇http://***@web.example/" in shown
    assert "\x1b" not in shown


# --- any terminal -----------------------------------------------------------------------------------------


def test_a_terminal_without_unicode_gets_plain_signs() -> None:
    screen = Screen().observing()
    screen.story.steadily(10.0)
    assert "\n".join(screen.lines(signs=ASCII)).isascii()


def test_a_tall_terminal_gets_blank_lines_and_a_tiny_one_only_summaries(screen: Screen) -> None:
    screen.observing()
    assert "" in screen.lines(height=40)
    assert "" not in screen.lines(height=24)
    assert [line.strip().partition(" ")[0] for line in screen.lines(height=9)][2:] == [
        "Checks:",
        "Abort",
        "Faults:",
        "+5.8s",
        "Ctrl-C",
    ]


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 220),
    height=st.integers(1, 70),
    count=st.integers(1, 40),
    targets=st.integers(1, 40),
    text=st.text(max_size=90),
    value=st.none() | st.floats(),
)
def test_every_frame_fits_every_terminal(
    width: int, height: int, count: int, targets: int, text: str, value: float | None
) -> None:
    screen = Screen(steady_state=checks(count), owner=text)
    screen.lines(width, height)
    usual_beginning(screen.story, *(f"{text}{n}" for n in range(targets)))
    screen.story.phase("observe", 60.0)
    screen.story.check("check 1", value, "deviated", text)
    screen.story.condition(value, "unknown", text)
    screen.story.event("trouble", text)
    screen.lines(width, height)
    screen.story.begin_rollback()
    screen.story.fail_to_restore(1, text)
    screen.lines(width, height, signs=ASCII)
    screen.lines(width, height, ended=True, again="SIGTERM")


@pytest.mark.parametrize("value", [-1.7e308, 1e306, 1.7e308, float("inf"), float("nan")])
def test_a_huge_value_or_none_at_all_is_drawn_like_any_other(value: float) -> None:
    screen = Screen().observing()
    screen.story.check("check 1", value, "deviated", "")
    screen.story.condition(value, "unknown", "")
    screen.lines(width=200, height=60)


# --- the thread that draws --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def drawn_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on how far the painter's own time has come."""
    monkeypatch.setattr(lives, "REFRESH_EVERY", 3600.0)


def made(out: Any = None, **console: Any) -> tuple[Live, Any, Story]:
    """A display on a terminal that writes to memory, the memory, and a story to tell it."""
    out = io.StringIO() if out is None else out
    clock = FakeClock()
    options = {"width": 80, "height": 24, "color_system": "standard", **console}
    live = Live(experiment(), RUN, console=Console(file=out, force_terminal=True, _environ={}, **options), clock=clock)
    return live, out, Story(live, clock)


def test_the_last_state_stays_on_the_ordinary_screen_with_the_cursor_on() -> None:
    live, out, story = made()
    with live:
        usual_beginning(story)
        story.phase("observe", 60.0)
        usual_end(story)
    text = out.getvalue()
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text[text.rindex("Checkout keeps") :])
    assert "✓ restored        instance.kill  web-1  started again" in last
    assert last.endswith("the hypothesis holds again, 0.6s after rollback\n")
    assert OTHER_SCREEN not in text
    assert text.rindex(CURSOR_ON) > text.rindex(CURSOR_OFF)


def test_the_cursor_is_on_all_the_time_so_that_even_a_kill_leaves_a_sane_terminal() -> None:
    live, out, _ = made()
    live.close()
    assert out.getvalue().startswith(CURSOR_OFF + CURSOR_ON)
    assert out.getvalue().count(CURSOR_OFF) == 1


def test_an_exception_in_the_run_passes_through_and_the_terminal_is_given_back() -> None:
    live, out, _ = made()

    def interrupted() -> None:
        with live:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert CURSOR_ON in out.getvalue()


def test_closing_twice_and_telling_after_the_close_are_harmless() -> None:
    live, _, story = made()
    live.close()
    live.close()
    usual_beginning(story)


def test_no_color_leaves_no_colour_but_every_word() -> None:
    clock, out = FakeClock(), io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, _environ={"NO_COLOR": "1"})
    with Live(experiment(), RUN, console=console, clock=clock) as live:
        story = Story(live, clock)
        usual_beginning(story)
        story.check("availability", 0.5, "deviated")
    codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", out.getvalue()) for code in found.split(";")}
    assert codes <= {"", "0", "1", "2", "7"}
    assert "✗ deviated" in re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


class Dead(io.StringIO):
    """A terminal that is gone."""

    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")


class Stalled(io.StringIO):
    """A terminal at the far end of a dead network: writing to it takes until ``flows``."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.flows = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.flows.wait(30)
        return super().write(text)


def test_a_dead_terminal_is_not_the_runs_trouble(capfd: pytest.CaptureFixture[str]) -> None:
    live, _, story = made(Dead())
    usual_beginning(story)
    live.close()
    assert capfd.readouterr() == ("", "")


def test_a_stalled_terminal_never_holds_up_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "CLOSE_WITHIN", 0.05)
    out = Stalled()
    live, _, story = made(out)
    assert out.reached.wait(10)
    usual_beginning(story)
    story.begin_rollback()
    story.restore(1)
    live.close()
    assert out.getvalue() == ""
    out.flows.set()


def test_a_defect_of_the_display_is_logged_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> list[object]:
        raise RuntimeError("no such frame")

    monkeypatch.setattr(frames, "frame", broken)
    with caplog.at_level(logging.ERROR):
        live, _, story = made()
        usual_beginning(story)
        live.close()
    assert "stopped the live display; the run goes on" in caplog.text


def test_another_size_starts_from_a_clean_screen() -> None:
    live, out, story = made()
    usual_beginning(story)
    live._draw()
    before = out.getvalue()
    live._console.width = 50
    live._draw()
    live.close()
    after = out.getvalue()[len(before) :]
    assert after.startswith("\x1b[2J\x1b[H")
    assert "[inject] 4/7" in re.sub(r"\x1b\[[0-9;]*m", "", after)


def test_another_signal_during_rollback_is_shown() -> None:
    live, out, story = made(width=100)
    usual_beginning(story)
    story.begin_rollback()
    live.again("SIGTERM")
    live._draw()
    live.close()
    assert "SIGTERM heard; rolling back" in out.getvalue()
