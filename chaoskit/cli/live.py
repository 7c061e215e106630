"""The live display on a terminal: drawn in place, four times a second at most, by a thread of its own.

The run only leaves word here, under a lock that is held for a copy at most, so no terminal, however slow or dead,
can hold up a rollback. The alternate screen is not used: the last state stays in the scrollback.
"""

import contextlib
import logging
import os
import sys
from threading import Event as Signal
from threading import Lock, Thread
from typing import TYPE_CHECKING, Self, TextIO

from chaoskit.cli.phrases import signs_for
from chaoskit.cli.progress import Progress, RunTime
from chaoskit.domain.experiment import Experiment
from chaoskit.domain.history import Event, InjectionRecord, PhaseName
from chaoskit.domain.ports import Clock
from chaoskit.domain.readings import Reading
from chaoskit.engine.clock import RealClock

if TYPE_CHECKING:
    from rich.console import Console, ConsoleDimensions, Group

REFRESH_EVERY = 0.25
CLOSE_WITHIN = 2.0


class Live:
    """A narrator for a person at a terminal; it begins to draw when made and stops when closed.

    ``console`` is for tests; otherwise one is made for ``out`` (standard output), which honours ``NO_COLOR``.
    """

    def __init__(
        self,
        experiment: Experiment,
        run: str,
        out: TextIO | None = None,
        *,
        console: "Console | None" = None,
        clock: Clock | None = None,
    ) -> None:
        from rich.console import Console
        from rich.live import Live as Display

        self._run = run
        self._clock: Clock = clock or RealClock()
        self._time = RunTime(self._clock)
        self._progress = Progress(experiment)
        self._lock = Lock()
        self._ended = Signal()
        self._again = ""
        self._console = console or Console(file=out or sys.stdout, highlight=False)
        self._signs = signs_for(self._console.encoding)
        self._size = _size_of(self._console)
        self._display = Display(
            console=self._console,
            auto_refresh=False,
            vertical_overflow="crop",
            # What others print on the same terminal goes above the display; a stream that leads elsewhere is left be.
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )
        self._painter = Thread(target=self._paint, name="live display", daemon=True)
        self._painter.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Draw the last state and give the terminal back. Never raises; gives up soon on a dead terminal."""
        self._ended.set()
        self._painter.join(CLOSE_WITHIN)

    # --- what the recorder tells -----------------------------------------------------------------------

    def phase(self, name: PhaseName, until: float | None) -> None:
        """A phase begins."""
        with self._lock:
            if self._progress.phase is None:
                self._time.heard()
            self._progress.begin(name, self._time.now(), until)

    def reading(self, reading: Reading) -> None:
        """A probe was read."""
        with self._lock:
            self._time.heard(reading.at + reading.took)
            self._progress.read(reading)

    def event(self, event: Event) -> None:
        """Something worth a line happened."""
        with self._lock:
            self._time.heard(event.at)
            self._progress.happened(event)

    def injection(self, injection: InjectionRecord) -> None:
        """The state of an injection changed."""
        with self._lock:
            self._progress.injected(injection)

    def again(self, signal: str) -> None:
        """A person asked once more to stop. Takes no lock, so that a signal handler may call it."""
        self._again = signal

    # --- drawing, on the painter's thread ----------------------------------------------------------------

    def _paint(self) -> None:
        try:
            self._display.start()
            # A visible cursor needs no restoring, not even after SIGKILL.
            self._console.show_cursor()
            while not self._ended.wait(REFRESH_EVERY):
                self._draw()
            self._draw()
        except (OSError, ValueError):
            # The terminal is gone. There is nobody to tell, and the run must not notice.
            self._ended.set()
        except Exception:
            logging.getLogger(__name__).exception("a defect of chaoskit stopped the live display; the run goes on")
        finally:
            with contextlib.suppress(OSError, ValueError):
                self._display.stop()

    def _draw(self) -> None:
        size = _size_of(self._console)
        if size != self._size:
            # Terminals fold and shift drawn lines each in its own way: start from a clean screen.
            self._size = size
            self._console.clear()
        self._console.size = size
        self._display.update(self._frame(), refresh=True)

    def _frame(self) -> "Group":
        from rich.console import Group

        from chaoskit.cli.frame import frame
        from chaoskit.cli.view import View

        with self._lock:
            progress, now = self._progress.snapshot(), self._time.now()
        width, height = self._size
        view = View(self._run, progress, now, width, self._signs, ended=self._ended.is_set(), again=self._again)
        return Group(*frame(view, height, self._clock.utc()))


def _size_of(console: "Console") -> "ConsoleDimensions":
    """The size of the very terminal that is drawn on; COLUMNS and LINES in the environment may be of another time."""
    from rich.console import ConsoleDimensions

    try:
        width, height = os.get_terminal_size(console.file.fileno())
    except (OSError, ValueError):
        return console.size
    return ConsoleDimensions(width, height) if width and height else console.size
