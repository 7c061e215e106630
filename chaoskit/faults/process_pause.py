"""``process.pause``: one process is frozen by SIGSTOP; its connections stay open and it answers nothing."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chaoskit.domain.capabilities import ProcessState, Target, processes
from chaoskit.domain.errors import TargetGone, Unsupported
from chaoskit.domain.ports import Capability, Effect, Fault, Injection, Residue
from chaoskit.faults._processes import Life, hittable, newcomers, newest, program, running, soon

_CONTINUE = """\
[ -e /proc/{pid} ] || exit 0
stat=$(cat /proc/{pid}/stat) || exit 1
set -- ${{stat##*)}} # the name of the program, which may hold anything, is cut off
[ "${{20}}" != {ticks} ] || kill -CONT {pid}
"""


class PauseInjection(Injection):
    """One frozen process. ``others`` are the processes that matched its selector and were younger, before."""

    before: ProcessState
    others: tuple[Life, ...] = ()

    def actions(self) -> tuple[str, ...]:
        """The command."""
        return (f"kill -STOP {self.before.pid}",)

    def undo(self) -> tuple[str, ...]:
        """The command, and what restored means."""
        return (
            f"kill -CONT {self.before.pid}, if it is still the process that started then",
            "restored: running and not stopped, or replaced by a new process that is",
        )

    def by_hand(self) -> tuple[str, ...]:
        """The command."""
        return (f"kill -CONT {self.before.pid}",)

    def undo_script(self) -> str:
        """The command, if it is still the same life of the pid.

        One that is not stopped is continued as well: it may be in a system call, and would stop at the end of that.
        """
        return _CONTINUE.format(pid=self.before.pid, ticks=self.before.ticks)

    def inject(self, target: Target) -> None:
        """Freeze it, and wait a moment until it is: a process in a system call stops when that is over."""
        processes(target).signal_process("STOP")
        soon(lambda: not running(target) or processes(target).process().stopped, within=2.0)

    def revert(self, target: Target) -> str:
        """Let it go on. Raises TargetGone when it is no more and nothing took its place."""
        now = processes(target).process()
        if not now.running:
            return f"has ended; {self._replaced(target)}"
        if not now.stopped:
            return "was not stopped; nothing to undo"
        processes(target).signal_process("CONT")
        soon(lambda: not processes(target).process().stopped, within=2.0)
        return "continued by chaoskit"

    def verify(self, target: Target) -> Residue:
        """It runs and is not stopped. Raises TargetGone when it is no more and nothing took its place."""
        now = processes(target).process()
        if not now.running:
            self._replaced(target)
            return ()
        return (f"stopped; it was running before: kill -CONT {now.pid}",) if now.stopped else ()

    def effect(self, target: Target) -> Effect:
        """Whether it is stopped."""
        now = processes(target).process()
        if not now.running:
            return Effect(bit=None, requested="stopped", measured="the process has ended")
        return Effect(bit=now.stopped, requested="stopped", measured="stopped" if now.stopped else "running")

    def drift(self, target: Target) -> str:
        """Somebody ended it or let it go on."""
        now = processes(target).process()
        if not now.running:
            return "ended by somebody else"
        return "" if now.stopped else "continued by somebody else"

    def _replaced(self, target: Target) -> str:
        found = newcomers(target, self.others)
        if not found:
            raise TargetGone(f"process {self.before.pid} ({program(self.before)}) has ended and is not replaced")
        return f"replaced by process {newest(found).pid}"


class ProcessPause(Fault):
    """Freeze the process with SIGSTOP; it keeps its memory and its connections, and answers nothing.

    Only the one process is frozen, not its children. Needs the user of the process, or root.
    """

    kind: ClassVar[str] = "process.pause"
    needs: ClassVar[frozenset[Capability]] = frozenset({"process"})
    injection: ClassVar[type[PauseInjection]] = PauseInjection
    examples: ClassVar[Sequence[Mapping[str, object]]] = ({},)

    def prepare(self, target: Target, tag: str) -> PauseInjection:
        """Look at the process. Raises TargetGone, and Unsupported when it is stopped already."""
        before, others = hittable(target)
        if not before.ticks:
            raise Unsupported(
                f"{target.id} does not tell the start of its process in ticks; its undo could hit another"
            )
        return PauseInjection(tag=tag, target=target.id, before=before, others=others)
