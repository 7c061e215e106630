"""The live display in a real terminal: a tmux pane of some size, real keys, real signals."""

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PATIENCE = 20.0


class Pane:
    """One tmux server of our own with one pane. Its shell stays, so that what a program leaves behind can be seen."""

    def __init__(self, socket: Path, width: int, height: int) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        size = ["-x", str(width), "-y", str(height)]
        self("new-session", "-d", "-s", "pane", *size, "env", "-u", "NO_COLOR", "PS1=$ ", "sh")
        self("set-option", "-g", "window-size", "manual")

    def __call__(self, *args: str) -> str:
        done = subprocess.run([*self._tmux, *args], capture_output=True, text=True, timeout=10, check=True)
        return done.stdout

    def play(self, *args: str, env: str = "") -> None:
        """Type the command that plays a scene."""
        command = shlex.join([sys.executable, "-m", "tests.testbed.cli.play", *args])
        self.type(f"cd {shlex.quote(str(ROOT))}; clear; {env} {command}")

    def type(self, text: str) -> None:
        self("send-keys", "-t", "pane", text, "Enter")

    def key(self, name: str) -> None:
        self("send-keys", "-t", "pane", name)

    def resize(self, width: int, height: int) -> None:
        self("resize-window", "-t", "pane", "-x", str(width), "-y", str(height))

    def screen(self, *, history: bool = False) -> str:
        return self("capture-pane", "-p", "-t", "pane", *(["-S", "-"] if history else []))

    def colours(self) -> set[str]:
        """The colour codes that are on the screen."""
        drawn = self("capture-pane", "-p", "-e", "-t", "pane")
        codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", drawn) for code in found.split(";")}
        return {code for code in codes if code.isdigit() and 30 <= int(code) <= 107 and code not in {"39", "49"}}

    def cursor_is_on(self) -> bool:
        return self("display-message", "-p", "-t", "pane", "#{cursor_flag}").strip() == "1"

    def wait(self, what: str | Callable[[str], bool]) -> str:
        """The screen, once it shows a pattern or satisfies a condition; fails after some seconds."""
        shows = (lambda shown: re.search(what, shown) is not None) if isinstance(what, str) else what
        deadline = time.monotonic() + PATIENCE
        while not shows(shown := self.screen()):
            assert time.monotonic() < deadline, f"never showed {what!r}:\n{shown}"
            time.sleep(0.05)
        return shown


@pytest.fixture
def open_pane(tmp_path: Path) -> Iterator[Callable[[int, int], Pane]]:
    if shutil.which("tmux") is None:
        pytest.skip("missing capability: tmux (apt-get install tmux)")
    opened: list[Pane] = []

    def opener(width: int, height: int) -> Pane:
        opened.append(Pane(tmp_path / f"tmux{len(opened)}", width, height))
        return opened[-1]

    yield opener
    for pane in opened:
        pane("kill-server")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 40)])
def test_a_run_is_shown_whole_and_its_last_state_stays(
    open_pane: Callable[[int, int], Pane], width: int, height: int
) -> None:
    pane = open_pane(width, height)
    pane.play("usual", "--observe", "3")
    shown = pane.wait(r"\[observe\]")
    assert re.search(r"^ Checkout keeps serving when one web replica dies +\+0:0\d$", shown, re.MULTILINE)
    assert re.search(r"^ ✓ held +availability +0\.99\d+ +≥ 0\.99 +[▁-█]+$", shown, re.MULTILINE)
    assert re.search(r"^ ● in force +instance\.kill +web-1 +exited with 137$", shown, re.MULTILINE)
    assert "Ctrl-C stops and rolls back" in shown
    assert all(len(line) <= width for line in shown.splitlines())
    ended = pane.wait(r"(?m)^ended$")
    assert re.search(r"✓ restored +instance\.kill +web-1 +started again", ended)
    assert ended.count("Checkout keeps serving") == 1, "the display was drawn in place, not again and again"
    assert pane.cursor_is_on()


def test_ctrl_c_rolls_back_and_leaves_a_sane_terminal(open_pane: Callable[[int, int], Pane]) -> None:
    pane = open_pane(80, 24)
    pane.play("usual", "--observe", "60")
    pane.wait(r"\[observe\]")
    pane.key("C-c")
    shown = pane.wait(r"\[rollback\]")
    assert "rolling back: Ctrl-C does not interrupt it; watch with `chaoskit status`" in shown
    assert re.search(r"halt +stopped by SIGINT", shown)
    pane.key("C-c")
    pane.wait("SIGINT heard; rolling back")
    ended = pane.wait(r"(?m)^ended$")
    assert re.search(r"✓ restored +instance\.kill +web-1", ended)
    assert ended.count("Checkout keeps serving") == 1
    assert pane.cursor_is_on()
    pane.type("echo still-$((40 + 2))")
    pane.wait("still-42")


def test_a_killed_run_leaves_the_cursor_on(open_pane: Callable[[int, int], Pane]) -> None:
    pane = open_pane(80, 24)
    pane.play("usual", "--observe", "60")
    pane.wait(r"\[observe\]")
    pid = pane("display-message", "-p", "-t", "pane", "#{pane_pid}").strip()
    children = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True, check=True).stdout.split()
    assert len(children) == 1
    subprocess.run(["kill", "-KILL", children[0]], check=True)
    pane.wait("Killed")
    assert pane.cursor_is_on()


def test_a_window_that_changes_its_size_is_drawn_anew(open_pane: Callable[[int, int], Pane]) -> None:
    pane = open_pane(140, 40)
    pane.play("usual", "--observe", "60")
    pane.wait(r"\[observe\]")
    for width, height, strip in ((80, 24, r"plan .*\[observe\]"), (50, 18, r"\[observe\] 5/7"), (120, 30, "plan ")):
        pane.resize(width, height)
        shown = pane.wait(partial(_drawn_once, width, strip))
        assert "Ctrl-C stops and rolls back" in shown
    pane.key("C-c")
    pane.wait(r"(?m)^ended$")


def _drawn_once(width: int, strip: str, shown: str) -> bool:
    """The head is there once, at the top, as wide as the window, and the phases are as the width allows."""
    lines = shown.splitlines()
    once = shown.count("Checkout keeps") == 1 and shown.count("Ctrl-C stops") == 1
    return once and lines[0].startswith(" Checkout") and len(lines[0]) == width - 1 and bool(re.search(strip, shown))


def test_the_window_counts_and_not_what_the_environment_says_of_it(open_pane: Callable[[int, int], Pane]) -> None:
    pane = open_pane(100, 24)
    pane.play("usual", "--observe", "60", env="COLUMNS=40 LINES=10")
    pane.wait(partial(_drawn_once, 100, r"plan .*\[observe\]"))


def test_three_hundred_targets_and_thirty_checks_fit_a_small_terminal(open_pane: Callable[[int, int], Pane]) -> None:
    pane = open_pane(80, 24)
    pane.play("many", "--observe", "2")
    shown = pane.wait(r"● 300 in force")
    assert "instance.kill  on 300 of web" in shown
    assert re.search(r"… and \d+ more; the worst are shown", shown)
    assert shown.splitlines()[0].startswith(" Checkout keeps serving")
    pane.wait(r"\d+ rolling back · ✓ \d+ restored")
    assert re.search(r"✓ 300 restored", pane.wait(r"(?m)^ended$"))


def test_colours_are_used_unless_no_color_is_set(open_pane: Callable[[int, int], Pane]) -> None:
    coloured, plain = open_pane(80, 24), open_pane(80, 24)
    coloured.play("usual", "--observe", "60")
    plain.play("usual", "--observe", "60", env="NO_COLOR=1")
    coloured.wait(r"\[observe\]")
    shown = plain.wait(r"\[observe\]")
    assert coloured.colours()
    assert plain.colours() == set()
    assert re.search(r"✓ held +availability", shown)


def test_what_others_print_stands_above_the_display(open_pane: Callable[[int, int], Pane]) -> None:
    pane = open_pane(80, 40)
    pane.play("usual", "--observe", "2", "--print", "a warning from elsewhere")
    pane.wait(r"\[observe\]")
    ended = pane.wait(r"(?m)^ended$").splitlines()
    warning = ended.index("a warning from elsewhere")
    head = next(index for index, line in enumerate(ended) if line.startswith(" Checkout keeps serving"))
    assert warning < head
    assert sum(line.startswith(" Checkout keeps serving") for line in ended) == 1
