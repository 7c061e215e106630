"""``instance.stop``: an instance is stopped in order, as by an operator or a deployment."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from chaoskit.domain.capabilities import InstanceState, Target, lifecycle
from chaoskit.domain.ports import Capability, Fault
from chaoskit.faults._instance import (
    ENGINE_TAKES,
    RENEWED,
    Grace,
    InstanceInjection,
    attachments,
    bring_back,
    stoppable,
)


class StopInjection(InstanceInjection):
    """One stopped instance."""

    grace: float

    @property
    def revert_within(self) -> float:  # type: ignore[override] # it depends on the grace period
        """A stop that may still be under way is waited for."""
        return 15.0 + self.grace + ENGINE_TAKES

    def actions(self) -> tuple[str, ...]:
        """The command."""
        return (self.command("stop", "-t", f"{self.grace:g}"),)

    def undo(self) -> tuple[str, ...]:
        """The command, and what restored means."""
        return (
            self.command("start"),
            "restored: running, on the same networks, as healthy as before",
            RENEWED,
        )

    def by_hand(self) -> tuple[str, ...]:
        """The command."""
        return (self.command("start"),)

    def inject(self, target: Target) -> None:
        """Stop it; the engine kills it after the grace period."""
        lifecycle(target).stop(self.grace)

    def revert(self, target: Target) -> str:
        """Start it unless it runs."""
        return bring_back(lifecycle(target), self.before, in_flight=self.grace + ENGINE_TAKES)

    @property
    def requested(self) -> str:
        """The effect that was asked for."""
        return "stopped"

    def measure(self, now: InstanceState) -> tuple[bool | None, str]:
        """It does not run, or runs since a later moment than before."""
        if now.running and now.started_at != self.before.started_at:
            return True, f"it was stopped, and has been started again at {now.started_at}"
        return not now.running, f"the engine says {now.status}"

    def changed_by_others(self, now: InstanceState) -> str:
        """Somebody started it."""
        return "started again by somebody else" if now.running else ""


class InstanceStop(Fault):
    """Stop the instance as an operator would: SIGTERM (or its own stop signal), SIGKILL after ``grace``.

    The grace period is rounded up to whole seconds. Restart policies do not react.
    """

    kind: ClassVar[str] = "instance.stop"
    needs: ClassVar[frozenset[Capability]] = frozenset({"lifecycle"})
    injection: ClassVar[type[StopInjection]] = StopInjection
    examples: ClassVar[Sequence[Mapping[str, object]]] = ({}, {"grace": "1s"}, {"grace": "0s"})

    grace: Grace = 10.0

    def prepare(self, target: Target, tag: str) -> StopInjection:
        """Look at the instance. Raises Unsupported when it is not running or could not be started again."""
        instance, before = stoppable(target, self.kind)
        return StopInjection(
            tag=tag,
            target=target.id,
            handle=instance.handle,
            before=before,
            attached=attachments(target),
            grace=math.ceil(self.grace),
        )
