"""``instance.kill``: the main process of an instance gets a signal, from the engine or past it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from chaoskit.domain.capabilities import InstanceState, Lifecycle, Target, lifecycle
from chaoskit.domain.errors import Unsupported
from chaoskit.domain.ports import Capability, Fault
from chaoskit.faults._instance import RENEWED, InstanceInjection, attachments, bring_back, stoppable
from chaoskit.faults._signals import ENDING, parse_signal

Signal = Annotated[
    str,
    BeforeValidator(parse_signal),
    Field(description="The name of the signal, with or without SIG.", examples=["KILL", "TERM", "QUIT"]),
]
Via = Literal["engine", "process"]

_ENDS_WITHIN = 10.0
"""Seconds that a process may take to end after a signal it can handle; as long as `docker stop` gives it."""


class KillInjection(InstanceInjection):
    """One instance whose main process got a signal."""

    signal: str
    via: Via

    @property
    def revert_within(self) -> float:  # type: ignore[override] # it depends on the signal
        """A process that may still be ending is waited for."""
        return 15.0 + self._in_flight

    def actions(self) -> tuple[str, ...]:
        """The command; past the engine, that is a command for the Docker host."""
        if self.via == "engine":
            return (self.command("kill", "--signal", self.signal),)
        return (f"kill -{self.signal} {self.before.pid}  # the main process, on the Docker host",)

    def undo(self) -> tuple[str, ...]:
        """The command unless the restart policy was faster, and what restored means."""
        return (
            f"unless it runs again by its policy ({self.before.restart_policy}): {self.command('start')}",
            "restored: running, on the same networks, as healthy as before",
            RENEWED,
            *self._caveat(),
        )

    def by_hand(self) -> tuple[str, ...]:
        """The command; harmless when the instance runs."""
        return (self.command("start"),)

    def inject(self, target: Target) -> None:
        """Send the signal."""
        instance = lifecycle(target)
        send = instance.signal if self.via == "engine" else instance.crash
        send(self.signal)

    def revert(self, target: Target) -> str:
        """Start it unless it runs."""
        return bring_back(lifecycle(target), self.before, in_flight=self._in_flight)

    @property
    def requested(self) -> str:
        """The effect that was asked for."""
        return f"ended by SIG{self.signal}"

    def measure(self, now: InstanceState) -> tuple[bool | None, str]:
        """It does not run, or not the same process; what else a signal did cannot be seen from outside."""
        if not now.running:
            return True, f"the engine says {now.status}, exit code {now.exit_code}"
        if now.started_at != self.before.started_at:
            return True, f"it ended, and was started again at {now.started_at}"
        if self.signal in ENDING:
            return False, f"still running: SIG{self.signal} did not end it (a process 1 without a handler ignores it)"
        return None, f"still running; what SIG{self.signal} did to it cannot be seen from outside"

    @property
    def _in_flight(self) -> float:
        return 0.0 if self.signal == "KILL" else _ENDS_WITHIN

    def _caveat(self) -> tuple[str, ...]:
        if not self._in_flight:
            return ()
        return (f"a process that takes more than {_ENDS_WITHIN:g}s to end counts as one that ignores the signal",)


class InstanceKill(Fault):
    """Send ``signal`` to the main process of the instance.

    ``via: engine`` is `docker kill`: the engine takes it for a wish, and restart policies do not react.
    ``via: process`` signals the process on the host, as a crash or the kernel's memory killer would: policies react.
    It needs chaoskit on the Docker host, as root.
    """

    kind: ClassVar[str] = "instance.kill"
    needs: ClassVar[frozenset[Capability]] = frozenset({"lifecycle"})
    injection: ClassVar[type[KillInjection]] = KillInjection
    examples: ClassVar[Sequence[Mapping[str, object]]] = (
        {},
        {"signal": "KILL", "via": "process"},
        {"signal": "TERM"},
        {"signal": "TERM", "via": "process"},
    )

    signal: Signal = "KILL"
    via: Via = Field(default="engine", description="Who sends it: the engine, or chaoskit as a process of the host.")

    def prepare(self, target: Target, tag: str) -> KillInjection:
        """Look at the instance. Raises Unsupported when it could not be hit so, or not be put back."""
        instance, before = stoppable(target, self.kind)
        if problem := self._problem(instance, before):
            raise Unsupported(f"{target.id}: {problem}")
        return KillInjection(
            tag=tag,
            target=target.id,
            handle=instance.handle,
            before=before,
            attached=attachments(target),
            signal=self.signal,
            via=self.via,
        )

    def _problem(self, instance: Lifecycle, before: InstanceState) -> str:
        if self.via == "process":
            return instance.uncrashable()
        # Seen on real engines: after any `docker kill`, an instance that survived is not restarted when it crashes
        # later, and nothing shows that; only a start brings the policy back.
        if self.signal != "KILL" and before.restart_policy != "no":
            return (
                f"`docker kill --signal {self.signal}` would switch its restart policy ({before.restart_policy}) off "
                "for good if it survives; write via: process, or signal: KILL"
            )
        return ""
