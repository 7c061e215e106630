"""Writes lines to a stream that may stall, without ever holding up the run for long.

A pipe whose reader sleeps, or a terminal at the far end of a dead network, blocks every writer. The run loop must
not be such a writer: faults would stay in for as long as the reader sleeps.
"""

import io
import os
from queue import Full, Queue
from select import select
from threading import Event, Thread
from typing import TextIO

CAPACITY = 2000
PATIENCE = 0.5


class Writer:
    """Lines to ``out``, each flushed. As long as the stream flows, a line is out when :meth:`line` returns.

    Once it stalls for ``patience`` seconds, lines wait in memory; of more than ``capacity`` the newest are dropped
    and counted, and the count is written when the stream flows again.
    """

    def __init__(self, out: TextIO, *, patience: float = PATIENCE, capacity: int = CAPACITY) -> None:
        self._out = out
        self._patience = patience
        self._lines: Queue[str | None] = Queue(capacity)
        self._idle = Event()
        self._idle.set()
        self._ended = Event()
        self._stalled = False
        self._lost = 0
        self._error: Exception | None = None
        out.flush()
        self._thread = Thread(target=self._work, name="lines", daemon=True)
        self._thread.start()

    def line(self, text: str) -> None:
        """Write one line. Raises OSError or ValueError when the stream is closed, once that is known."""
        self._raise_if_closed()
        # Asked, not waited for: a stalled stream may cost the run its patience once, not once a line.
        self._stalled = self._stalled and not self._idle.is_set()
        self._idle.clear()
        try:
            self._lines.put_nowait(text + "\n")
        except Full:
            self._lost += 1
            return
        if not self._stalled:
            self._stalled = not self._idle.wait(self._patience)
            self._raise_if_closed()

    def close(self) -> None:
        """Write what still waits, for a few seconds at most. Does not close the stream, and never raises."""
        try:
            self._lines.put_nowait(None)
        except Full:
            self._ended.set()
        self._thread.join(self._patience if self._stalled else 2.0)

    def _raise_if_closed(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while not self._ended.is_set():
            text = self._lines.get()
            if text is None:
                return
            try:
                self._write(text)
            except (OSError, ValueError) as error:
                self._error = error
                self._idle.set()
                return
            if self._lines.empty():
                self._idle.set()

    def _write(self, text: str) -> None:
        lost, self._lost = self._lost, 0
        notice = f"({lost} lines were left out while nobody read them)\n" if lost else ""
        whole = (text + notice).encode(self._out.encoding or "utf-8", "replace")
        try:
            number = self._out.fileno()
        except io.UnsupportedOperation:
            self._out.write(whole.decode(self._out.encoding or "utf-8"))
            self._out.flush()
            return
        # Past Python's buffer: a thread that is stuck inside it would keep the interpreter from ending in peace.
        while whole:
            try:
                whole = whole[os.write(number, whole) :]
            except BlockingIOError:
                select([], [number], [])
