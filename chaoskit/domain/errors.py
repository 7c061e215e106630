"""Every error chaoskit raises on purpose, and the exit code each one ends with.

::

    ChaoskitError                      7  chaoskit or a driver failed
    ├── InvalidInput                   2  what the user wrote cannot be used; nothing was started
    │   ├── InvalidExperiment          2  an experiment file, with every problem in it
    │   ├── InvalidSettings            2  chaoskit.toml or a CHAOSKIT_* variable
    │   └── UnknownRun                 2  no such run in the store
    ├── Blocked                        3  a guard said no; nothing was injected
    ├── TargetError                    7  talking to a target failed
    │   ├── Unreachable                7  nobody answers at the address
    │   ├── AccessDenied               7  somebody answers, but not to us
    │   ├── TargetGone                 7  the target itself no longer exists
    │   ├── TargetTimeout              7  no answer in time: the state is unknown
    │   ├── VersionMismatch            7  the two sides speak different API versions
    │   ├── Unsupported                7  this target cannot do what the fault needs
    │   └── CommandFailed              7  a command on the target ended non-zero
    ├── GuardianLost                   7  nobody would undo the faults if this runner died
    ├── StoreFailed                    7  the journal or the run history cannot be read or written
    ├── ReportNotWritten               7  a report cannot be written; the verdict stands
    └── RollbackIncomplete             6  residue is left on a target

Trouble of a probe is not an error: it is a reading whose outcome is unknown.
An abort or a halt is not an error either: it is how a run ended.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """The exit codes of every chaoskit command: a contract, see docs/reference/exit-codes.md."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    BLOCKED = 3
    ABORTED = 4
    INCONCLUSIVE = 5
    DIRTY = 6
    ERROR = 7


class ChaoskitError(Exception):
    """The root of the tree; its message is written for the person at the terminal."""

    exit_code: ClassVar[Exit] = Exit.ERROR


class InvalidInput(ChaoskitError):
    """What the user wrote cannot be used. ``problems`` holds one finished line for each fault in it."""

    exit_code = Exit.USAGE

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems


class InvalidExperiment(InvalidInput):
    """An experiment file that cannot be used."""


class InvalidSettings(InvalidInput):
    """A settings file or environment variable that cannot be used."""


class UnknownRun(InvalidInput):
    """The store holds no run of that id."""


class Blocked(ChaoskitError):
    """A guard said no. ``reasons`` holds all of them, not only the first."""

    exit_code = Exit.BLOCKED

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)


class TargetError(ChaoskitError):
    """Talking to a target failed."""


class Unreachable(TargetError):
    """Nobody answers at the target's address."""


class AccessDenied(TargetError):
    """The target, or the daemon in front of it, refuses us."""


class TargetGone(TargetError):
    """The target itself no longer exists (not merely something chaoskit made on it)."""


class TargetTimeout(TargetError):
    """No answer in time: whether the request took effect is unknown."""


class VersionMismatch(TargetError):
    """Client and server speak different API versions."""


class Unsupported(TargetError):
    """The target lacks a capability that the fault needs."""


class CommandFailed(TargetError):
    """A command on the target ended with a non-zero status."""

    def __init__(self, argv: Sequence[str], status: int, stderr: str) -> None:
        super().__init__(f"`{' '.join(argv)}` ended with status {status}: {stderr.strip() or 'no message'}")
        self.argv = tuple(argv)
        self.status = status


class GuardianLost(ChaoskitError):
    """The guardian did not start, died, or does not answer: nobody would undo the faults if this runner died."""


class StoreFailed(ChaoskitError):
    """The journal or the run history cannot be read or written."""


class ReportNotWritten(ChaoskitError):
    """At least one report could not be written; those that could are there."""


class RollbackIncomplete(ChaoskitError):
    """Residue is left on at least one target; ``residue`` holds one line for each."""

    exit_code = Exit.DIRTY

    def __init__(self, residue: Sequence[str]) -> None:
        super().__init__("\n".join(residue))
        self.residue = tuple(residue)
