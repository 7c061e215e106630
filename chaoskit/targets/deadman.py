"""Dead-man timers: what a target can undo by itself is armed on it, and fires when nobody renews its lease.

A timer is a detached shell loop on the target (see :mod:`chaoskit.targets.deadman_shell`) that holds the injection's
own undo. The order is arm, inject, renew again and again, revert, verify, disarm.
"""

import math
import re
from contextlib import suppress
from typing import Literal, NamedTuple

from chaoskit.domain.capabilities import Completed, Target
from chaoskit.domain.errors import CommandFailed, TargetError, TargetTimeout
from chaoskit.targets import deadman_shell

ARMS_WITHIN = 30.0
RENEWS_WITHIN = 10.0
DISARMS_WITHIN = 40.0
LATE = 2.0
"""Seconds after the end of a lease in which the undo begins: the loop looks every second."""

_TAG = re.compile(r"chaoskit-[a-z0-9-]{1,80}-[0-9]{1,9}")
_FOUND = re.compile(rf"(?P<state>\S+) (?P<life>alive|dead) (?P<folder>/\S+/(?P<tag>{_TAG.pattern}))")
_FAILED, _LOST = 1, 3
_LONGEST_LEASE = 24 * 3600.0
_LONGEST_SCRIPT = 100_000
"""Bytes of an undo: Linux takes 128 KiB for one argument of a command."""

State = Literal["held", "fired", "undone", "disarmed", "gone"]
_STATES: dict[str, State] = {"fired": "fired", "undone": "undone", "disarmed": "disarmed", "gone": "gone"}


class Timer(NamedTuple):
    """A timer found on a target.

    ``alive``: its loop is at work. ``state``: ``fired`` is undoing, or gave up; ``undone`` has undone; ``gone`` has
    lost its folder, and undoes.
    """

    tag: str
    folder: str
    alive: bool
    state: State

    @property
    def fired(self) -> bool:
        """Whether its undo has begun."""
        return self.state in {"fired", "undone", "gone"}


def arm(target: Target, tag: str, script: str, seconds: float) -> None:
    """Start the timer of ``tag``, which runs ``script`` unless it is renewed within ``seconds``.

    Returns when its loop was seen at work. Arming what is armed with the same script renews it. Raises TargetError,
    and leaves nothing behind then, as far as the target answers.
    """
    lease = _hundredths(seconds)
    if not script.strip() or "\0" in script or len(script.encode()) > _LONGEST_SCRIPT:
        raise ValueError(f"the undo of {tag} is empty, too long or no text")
    try:
        done = _ask(target, tag, "armed", ARMS_WITHIN, deadman_shell.ARM, lease, script, deadman_shell.LOOP)
    except TargetError:
        _take_back(target, tag)
        raise
    if done.status not in {0, _FAILED}:
        _take_back(target, tag)
    _expect("armed", done, target, tag)


def renew(target: Target, tag: str, seconds: float) -> str:
    """Hold the lease of ``tag`` for ``seconds`` more from now: empty while it is held, else why it is lost.

    Raises TargetError when the target does not say.
    """
    done = _ask(target, tag, "renewed", RENEWS_WITHIN, deadman_shell.RENEW, _hundredths(seconds))
    if done.status == _LOST and done.stdout.strip():
        return done.stdout.strip()
    _expect("renewed", done, target, tag)
    return ""


def disarm(target: Target, tag: str) -> None:
    """End the timer of ``tag`` without a deed; harmless when there is none.

    Raises TargetError unless it is proven that no loop of it runs and nothing of it is left.
    """
    done = _ask(target, tag, "disarmed", DISARMS_WITHIN, deadman_shell.DISARM)
    _expect("disarmed", done, target, tag)


def armed(target: Target) -> tuple[Timer, ...]:
    """Every timer of the target's user, in the order of their tags. Raises TargetError."""
    done = _run(target, "the dead-man timers", "listed", RENEWS_WITHIN, deadman_shell.LIST, "")
    *lines, last = done.stdout.splitlines() or [""]
    if done.status != 0 or last != "listed":
        raise TargetError(f"the dead-man timers on {target.id} cannot be listed: {_complaint(done)}")
    return tuple(sorted(timer for timer in map(_timer, lines) if timer is not None))


def _timer(line: str) -> Timer | None:
    """The timer that a line of the list tells of; None for a folder that only looks like one."""
    found = _FOUND.fullmatch(line)
    if found is None:
        return None
    return Timer(found["tag"], found["folder"], found["life"] == "alive", _STATES.get(found["state"], "held"))


def _take_back(target: Target, tag: str) -> None:
    # The arming may have come through, or still come through; what it was to undo is never injected now.
    with suppress(TargetError):
        disarm(target, tag)


def _ask(target: Target, tag: str, deed: str, within: float, script: str, *words: str) -> Completed:
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{tag!r} is not the tag of an injection; one looks like chaoskit-260101t120000abc-1")
    return _run(target, f"the dead-man timer {tag}", deed, within, script, tag, *words)


def _run(target: Target, what: str, deed: str, within: float, script: str, *words: str) -> Completed:
    """Run ``script`` on the target; words are its positional parameters, so that nothing is read as shell."""
    try:
        return target.run("sh", "-c", script, "chaoskit", *words, timeout=within)
    except TargetTimeout as error:
        raise TargetTimeout(f"{what} on {target.id} could not be {deed} within {within:g}s") from error
    except CommandFailed as error:
        raise TargetError(f"{what} on {target.id} could not be {deed}: it has no POSIX shell `sh`") from error


def _expect(deed: str, done: Completed, target: Target, tag: str) -> None:
    if done.status != 0 or done.stdout.strip() != deed:
        raise TargetError(f"the dead-man timer {tag} on {target.id} could not be {deed}: {_complaint(done)}")


def _complaint(done: Completed) -> str:
    said = "; ".join(line for line in (done.stderr or done.stdout).splitlines() if line.strip())
    return said or f"the shell ended with status {done.status}"


def _hundredths(seconds: float) -> str:
    if not 0 < seconds <= _LONGEST_LEASE:  # false for NaN, too
        raise ValueError(f"a lease of {seconds}s is none; give seconds above 0, at most {_LONGEST_LEASE:g}")
    return str(math.ceil(seconds * 100))
