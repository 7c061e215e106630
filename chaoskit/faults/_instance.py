"""What the faults on instances share: who may be hit, what restored means, and how an instance is brought back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from chaoskit.domain.errors import TargetGone, Unsupported
from chaoskit.domain.ports import (
    NOT_AS_BEFORE,
    Effect,
    Handle,
    Injection,
    InstanceState,
    Lifecycle,
    Networks,
    Residue,
    Target,
    lifecycle,
)
from chaoskit.domain.quantities import Duration

Grace = Annotated[
    Duration, Field(ge=0, le=300, description="How long it may take to end before it is killed.", examples=["10s"])
]
"""Seconds between the request to end and SIGKILL."""

RENEWED = "addresses and host ports that the engine chose by itself may come back different"
IN_CASE_IT_ENDED = "  # in case it has ended meanwhile"
"""Behind a command by hand: somebody else may have stopped what a fault left running, and so may the engine's end."""

ENGINE_TAKES = 2.0
"""Seconds that an engine may take beyond the grace period of a stop."""

_STEADY = 1.0
"""Seconds an instance that came back by itself must stay up to count as back."""


class InstanceInjection(Injection, ABC):
    """An injection on one instance: how to reach it by hand, what it was doing, and its networks, before."""

    handle: Handle
    before: InstanceState
    attached: tuple[str, ...] = ()

    def verify(self, target: Target) -> Residue:
        """The instance runs as before, on the networks it was on."""
        return instance_residue(self.before, lifecycle(target).state()) + missing(self.attached, attachments(target))

    def drift(self, target: Target) -> str:
        """Whether the instance was removed or is otherwise not as this fault left it."""
        try:
            return self.changed_by_others(lifecycle(target).state())
        except TargetGone as gone:
            return str(gone)

    def changed_by_others(self, now: InstanceState) -> str:  # noqa: ARG002 - for those that can tell
        """Why ``now`` is not what this fault makes; empty when it is, or when coming back is part of the fault."""
        return ""

    def effect(self, target: Target) -> Effect:
        """Whether the fault bit, by what the engine tells now."""
        try:
            bit, measured = self.measure(lifecycle(target).state())
        except TargetGone as gone:
            bit, measured = None, str(gone)
        return Effect(bit=bit, requested=self.requested, measured=measured)

    @property
    @abstractmethod
    def requested(self) -> str:
        """The effect that was asked for, in words."""

    @abstractmethod
    def measure(self, now: InstanceState) -> tuple[bool | None, str]:
        """Whether ``now`` shows the effect, and what was seen."""

    def command(self, *words: str) -> str:
        """The docker command line ``words`` on this instance."""
        return self.handle.line(*words, self.handle.instance)


def hittable(target: Target, kind: str) -> tuple[Lifecycle, InstanceState]:
    """The target as an instance, and what it is doing. Raises Unsupported unless it runs undisturbed."""
    instance = lifecycle(target)
    state = instance.state()
    if not state.serving:
        raise Unsupported(
            f"{target.id} is {state.status}; {kind} needs an instance that is running and not paused, "
            "so that it can be put back as it was"
        )
    return instance, state


def stoppable(target: Target, kind: str) -> tuple[Lifecycle, InstanceState]:
    """As :func:`hittable`, for faults that end the instance. Raises Unsupported if it could not come back whole."""
    instance, state = hittable(target, kind)
    if state.auto_remove:
        raise Unsupported(
            f"{target.id} was started with --rm: the engine deletes it when it ends, and {kind} could not undo that; "
            "start it without --rm, or use instance.pause"
        )
    if dependents := instance.dependents():
        raise Unsupported(
            f"{target.id} lends its network to {', '.join(dependents)}, which would stay cut off after {kind}; "
            "use instance.pause"
        )
    return instance, state


def attachments(target: Target) -> tuple[str, ...]:
    """The names of the networks the target is attached to, for a target that has networks."""
    return tuple(end.network for end in target.endpoints()) if isinstance(target, Networks) else ()


def missing(before: tuple[str, ...], now: tuple[str, ...]) -> Residue:
    """A line for each network that the instance was on and is not any more."""
    return tuple(f"not attached to the network {name}, as it was before" for name in before if name not in now)


def instance_residue(before: InstanceState, now: InstanceState) -> Residue:
    """What keeps ``now`` from being as ``before``, when it ran undisturbed. A health check that starts anew is fine."""
    if not now.running:
        return (f"not running: {now.status} (exit code {now.exit_code}); it was running before",)
    found = []
    if now.paused:
        found.append("paused; it was not paused before")
    elif now.status != "running":
        found.append(f"{now.status}; it was running before")
    if now.health == "unhealthy" and before.health == "healthy":
        found.append("unhealthy; it was healthy before")
    return tuple(found)


def bring_back(instance: Lifecycle, before: InstanceState, in_flight: float) -> str:
    """Start the instance unless it runs; says in words what was done.

    A stop or signal that was sent may still be under way in the engine, even when the one who sent it is dead: an
    instance that looks untouched is watched for ``in_flight`` seconds before that is believed.
    """
    now = instance.changed(before, in_flight) if in_flight else instance.state()
    if now.running and now.started_at == before.started_at:
        return "was still running; nothing to undo"
    if now.paused:
        return "runs, but somebody else has paused it"
    if now.serving and (now := instance.changed(now, _STEADY)).serving:
        return _told(f"was already running again, {_by_whom(before, now)}", before, now)
    done = "started by chaoskit" if instance.start() else ""
    now = instance.state()
    return _told(done or f"came up again while it was looked at, {_by_whom(before, now)}", before, now)


def renewed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What the engine gave anew and different: ``; not as before: host port of 80/tcp is 32775, was 32774``."""
    changes = [f"{what} is {now[what]}, was {was}" for what, was in before.items() if now.get(what, was) != was]
    return f"{NOT_AS_BEFORE}{', '.join(changes)}" if changes else ""


def _told(done: str, before: InstanceState, now: InstanceState) -> str:
    return f"{done}{renewed(before.dynamic, now.dynamic)}"


def _by_whom(before: InstanceState, now: InstanceState) -> str:
    if now.restart_count > before.restart_count:
        return f"restarted by its policy ({now.restart_policy})"
    return "started by somebody else, or by the fault itself"
