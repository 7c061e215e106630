"""``instance.pause``: every process of an instance is frozen; connections stay open and nothing answers."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chaoskit.domain.capabilities import InstanceState, Target, lifecycle
from chaoskit.domain.ports import Capability, Fault
from chaoskit.faults._instance import IN_CASE_IT_ENDED, InstanceInjection, attachments, hittable


class PauseInjection(InstanceInjection):
    """One frozen instance."""

    def actions(self) -> tuple[str, ...]:
        """The command."""
        return (self.command("pause"),)

    def undo(self) -> tuple[str, ...]:
        """The command, and what restored means."""
        return (self.command("unpause"), "restored: running and not paused, on the same networks, as healthy as before")

    def by_hand(self) -> tuple[str, ...]:
        """The command, and one for an instance that ended meanwhile; each is refused where there is nothing to do."""
        return (self.command("unpause"), self.command("start") + IN_CASE_IT_ENDED)

    def inject(self, target: Target) -> None:
        """Freeze it."""
        lifecycle(target).pause()

    def revert(self, target: Target) -> str:
        """Thaw it; one that was stopped meanwhile is left to whoever stopped it, and verify says so."""
        instance = lifecycle(target)
        if not instance.state().paused:
            return "was not paused; nothing to undo"
        instance.unpause()
        return "unpaused by chaoskit"

    @property
    def requested(self) -> str:
        """The effect that was asked for."""
        return "frozen"

    def measure(self, now: InstanceState) -> tuple[bool | None, str]:
        """It is paused."""
        return now.paused, f"the engine says {now.status}"

    def changed_by_others(self, now: InstanceState) -> str:
        """Somebody stopped, restarted or thawed it."""
        if not now.running:
            return f"stopped by somebody else (status {now.status})"
        if now.started_at != self.before.started_at:
            return "restarted by somebody else, which also thawed it"
        return "" if now.paused else "thawed by somebody else"


class InstancePause(Fault):
    """Freeze every process of the instance; it keeps its memory and its connections, and answers nothing."""

    kind: ClassVar[str] = "instance.pause"
    needs: ClassVar[frozenset[Capability]] = frozenset({"lifecycle"})
    injection: ClassVar[type[PauseInjection]] = PauseInjection
    examples: ClassVar[Sequence[Mapping[str, object]]] = ({},)

    def prepare(self, target: Target, tag: str) -> PauseInjection:
        """Look at the instance. Raises Unsupported when it is not running, or paused already."""
        instance, before = hittable(target, self.kind)
        return PauseInjection(
            tag=tag, target=target.id, handle=instance.handle, before=before, attached=attachments(target)
        )
