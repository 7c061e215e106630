"""``instance.restart``: an instance is stopped and started at once, as by a rolling deployment."""

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


class RestartInjection(InstanceInjection):
    """One restarted instance."""

    grace: float

    @property
    def revert_within(self) -> float:  # type: ignore[override] # it depends on the grace period
        """A restart that may still be under way is waited for."""
        return 15.0 + self.grace + ENGINE_TAKES

    def actions(self) -> tuple[str, ...]:
        """The command."""
        return (self.command("restart", "-t", f"{self.grace:g}"),)

    def undo(self) -> tuple[str, ...]:
        """What is done in case it does not run, and what restored means."""
        return (
            f"in case it did not come up: {self.command('start')}",
            "restored: running, on the same networks, as healthy as before",
            RENEWED,
        )

    def by_hand(self) -> tuple[str, ...]:
        """The command."""
        return (self.command("start"),)

    def inject(self, target: Target) -> None:
        """Restart it; this takes up to the grace period, and then as long as its start takes."""
        lifecycle(target).restart(self.grace)

    def revert(self, target: Target) -> str:
        """Start it unless it runs."""
        return bring_back(lifecycle(target), self.before, in_flight=self.grace + ENGINE_TAKES)

    @property
    def requested(self) -> str:
        """The effect that was asked for."""
        return "restarted"

    def measure(self, now: InstanceState) -> tuple[bool | None, str]:
        """It was started later than before, or is down on its way."""
        if not now.running:
            return True, f"it was stopped and did not come up: {now.status}"
        return now.started_at != self.before.started_at, f"{now.status}, started at {now.started_at}"


class InstanceRestart(Fault):
    """Stop the instance (SIGKILL after ``grace``, in whole seconds) and start it again at once."""

    kind: ClassVar[str] = "instance.restart"
    needs: ClassVar[frozenset[Capability]] = frozenset({"lifecycle"})
    injection: ClassVar[type[RestartInjection]] = RestartInjection
    examples: ClassVar[Sequence[Mapping[str, object]]] = ({}, {"grace": "1s"}, {"grace": "0s"})

    grace: Grace = 10.0

    def prepare(self, target: Target, tag: str) -> RestartInjection:
        """Look at the instance. Raises Unsupported when it is not running or could not be started again."""
        instance, before = stoppable(target, self.kind)
        return RestartInjection(
            tag=tag,
            target=target.id,
            handle=instance.handle,
            before=before,
            attached=attachments(target),
            grace=math.ceil(self.grace),
        )
