"""Standard output and error whose trouble never takes the place of an exit code: what was done outranks its echo.

A reader that leaves, a full disk or a closed stream would otherwise raise in the middle of a command, and somebody
who asks for the exit code would hear of the stream in place of the verdict.
"""

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

ERROR = 7
_ACTING = {"run", "rollback", "halt"}
"""Commands whose exit code says what they did; that of all others also says that their output is whole."""


class Outlet(io.FileIO):
    """A descriptor that takes whatever is written: after the first trouble, which it keeps, it writes nothing more."""

    trouble: BaseException | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """All of ``data``, or as much as the stream takes. Raises only what a signal handler raises."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left and self.trouble is None:
                left = left[super().write(left) or self._patiently() :]
        except OSError as error:
            self.trouble = error
        except BaseException as error:
            # Ctrl-C at a reader that sleeps: what is left in buffers must not wait for that reader once more.
            self.trouble = error
            raise
        return size

    def _patiently(self) -> int:
        """Wait until a stream that does not block takes more."""
        from select import select

        select([], [self.fileno()], [])
        return 0


def steady() -> Outlet:
    """Put outlets under ``sys.stdout`` and ``sys.stderr``; the one of standard output.

    A closed descriptor is opened on the null device first: else the next file to be opened, the store perhaps, would
    get its number and whatever is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    out = Outlet(1, "w", closefd=False)
    sys.stdout, sys.stderr = _over(out, sys.stdout), _over(Outlet(2, "w", closefd=False), sys.stderr)
    return out


def _over(outlet: Outlet, old: TextIO | None) -> TextIO:
    """A text stream over ``outlet`` like ``old``, which is None when it was closed."""
    unbuffered = old is not None and isinstance(getattr(old, "buffer", None), io.FileIO)
    errors = old.errors if old is not None else None
    return io.TextIOWrapper(
        outlet if unbuffered else io.BufferedWriter(outlet),
        encoding=old.encoding if old is not None else "utf-8",
        # A stream that cannot hold a sign gets its code; in JSON the two are the same.
        errors="backslashreplace" if errors in {None, "strict"} else errors,
        line_buffering=bool(getattr(old, "line_buffering", False)),
        write_through=unbuffered,
    )


def settled(code: int, command: str, outlet: Outlet) -> int:
    """The exit code, once everything is written: ``code``, or 7 when output was all there was to it and it is lost."""
    with suppress(KeyboardInterrupt):
        sys.stdout.flush()
    trouble = outlet.trouble
    if isinstance(trouble, OSError) and not isinstance(trouble, BrokenPipeError):
        with suppress(KeyboardInterrupt):
            print(f"chaoskit: the output could not be written whole: {trouble.strerror}", file=sys.stderr)
    return ERROR if trouble is not None and code == 0 and command not in _ACTING else code
