"""``process.kill``: one process is ended by a signal; chaoskit, or whoever supervises it, starts it again."""

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, ClassVar, Literal, Protocol, Self, runtime_checkable

from pydantic import BeforeValidator, Field, model_validator

from chaoskit.domain.capabilities import Owner, ProcessState, Target, processes
from chaoskit.domain.errors import TargetError, Unsupported
from chaoskit.domain.ports import Capability, Effect, Fault, Injection, Residue
from chaoskit.domain.secrecy import check_argv
from chaoskit.domain.texts import Argv, AskedArgv
from chaoskit.faults._processes import Life, age, hittable, life_of, newcomers, newest, program, running, soon, usurped
from chaoskit.faults._signals import ENDING

_ENDS_WITHIN = 3.0
"""Seconds that inject waits for the process to end: the effect is to be seen when it returns."""
_IN_FLIGHT = 10.0
"""Seconds that a process may take to end after a signal it can handle, before it counts as one that ignores it."""
_BACK_WITHIN = 10.0
_STEADY = 1.0
"""Seconds that a new process must have been up to count as back: one that cannot start ends at once."""
_EXAMPLE = 'restart: ["/usr/sbin/nginx"], restart: same or supervised: true'


@runtime_checkable
class Remembers(Protocol):
    """A target that can put aside what a later spawn needs and only the running process has: its environment."""

    def remember(self, output: str) -> None:
        """Put it aside as ``output`` + ``.environ``, NUL-terminated as in /proc. Raises TargetError."""

    def forget(self, output: str) -> None:
        """Remove what was put aside. Raises TargetError."""


def parse_ending_signal(text: object) -> str:
    """The name of a signal that ends a process, without ``SIG``, in capitals. Raises ValueError."""
    name = text.upper().removeprefix("SIG") if isinstance(text, str) else ""
    if name in ENDING:
        return name
    if name == "STOP":
        raise ValueError("SIGSTOP freezes a process without ending it; use process.pause")
    raise ValueError(f"{text!r} is not a signal that ends a process; write for example KILL or TERM")


class KillInjection(Injection):
    """One process that got a signal.

    ``others`` are the processes that matched its selector and were younger, before. Without ``restart``, somebody
    supervises it.
    """

    signal: str
    before: ProcessState
    others: tuple[Life, ...] = ()
    restart: Argv | None = None
    output: str = ""

    @property
    def revert_within(self) -> float:  # type: ignore[override] # it depends on the signal
        """A process that may still be ending is waited for, and then one that is starting."""
        return self._in_flight + _BACK_WITHIN + 5.0

    def actions(self) -> tuple[str, ...]:
        """The command."""
        return (f"kill -{self.signal} {self.before.pid}  # {program(self.before)}",)

    def undo(self) -> tuple[str, ...]:
        """The command, where there is one, and what restored means."""
        how = "wait until its supervisor has started it again"
        if self.restart is not None:
            how = f"unless it runs again: {shlex.join(self.restart)}, in {self.before.cwd or '/'}, as our own user"
        return (how, f"restored: a new process that matches the selector runs and is not stopped{self._rights}")

    def by_hand(self) -> tuple[str, ...]:
        """The command, where there is one; without, what to look for."""
        if self.restart is not None:
            return (f"{self._restart_line()}  # unless it runs again{self._rights}",)
        return (f"ps -eo pid,lstart,args  # unless {program(self.before)} runs again, have its supervisor start it",)

    def inject(self, target: Target) -> None:
        """Send the signal, and wait a moment for the end."""
        if self.restart is not None and isinstance(target, Remembers):
            target.remember(self.output)
        processes(target).signal_process(self.signal)
        soon(lambda: not running(target), _ENDS_WITHIN)

    def revert(self, target: Target) -> str:
        """Start it, or wait for its supervisor, unless it runs; never a second copy."""
        if not soon(lambda: not running(target), self._in_flight):
            done = "is still running; nothing to undo"
        elif self._back(target):
            done = self._settled(target, "started by somebody else, or by chaoskit before")
        elif self.restart is None:
            done = self._settled(target, "started by its supervisor")
        else:
            processes(target).spawn(self.restart, self.before.cwd, self.output)
            done = self._settled(target, "started by chaoskit")
        with suppress(TargetError):  # it runs again, which is what an undo is for
            self.discard(target)
        return done

    def discard(self, target: Target) -> None:
        """Remove the environment that was put aside."""
        if self.restart is not None and isinstance(target, Remembers):
            target.forget(self.output)

    def verify(self, target: Target) -> Residue:
        """It runs, or what took its place does."""
        now = processes(target).process()
        if now.running:
            return (f"stopped; it was running before: kill -CONT {now.pid}",) if now.stopped else ()
        if found := self._back(target):
            wrong = self._usurped(found)
            return (wrong,) if wrong else ()
        return (f"not running: {program(self.before)} (process {self.before.pid}); nothing new matches its selector",)

    def effect(self, target: Target) -> Effect:
        """Whether it has ended."""
        requested = f"ended by SIG{self.signal}"
        if running(target):
            return Effect(bit=False, requested=requested, measured=f"process {self.before.pid} is still running")
        found = self._back(target)
        since = f"; process {newest(found).pid} runs in its place" if found else ""
        return Effect(bit=True, requested=requested, measured=f"process {self.before.pid} has ended{since}")

    def drift(self, target: Target) -> str:
        """It never ended, or somebody started it while it was to stay down."""
        if running(target):
            return f"process {self.before.pid} is still running"
        found = self._back(target) if self.restart is not None else ()
        return f"started again by somebody else as process {newest(found).pid}" if found else ""

    @property
    def _rights(self) -> str:
        return f", with the rights of {self.before.owner}" if self.before.owner is not None else ""

    @property
    def _in_flight(self) -> float:
        return 0.5 if self.signal == "KILL" else _IN_FLIGHT

    def _back(self, target: Target) -> Sequence[ProcessState]:
        """What took its place.

        A supervisor may replace several killed processes at once, and then nobody can tell whose place a new one
        took; so there must be as many of them as there were.
        """
        if self.restart is not None:
            return newcomers(target, self.others)
        found = newcomers(target, ())
        return found if len(found) > len(self.others) else ()

    def _usurped(self, found: Sequence[ProcessState]) -> str:
        return usurped([state for state in found if life_of(state) not in self.others], self.before.owner)

    def _settled(self, target: Target, by_whom: str) -> str:
        """Wait for what took its place, and until that has stayed up for a moment; in words. Raises TargetError.

        A daemon may need that moment to give up rights that it was started with.
        """
        steady: list[ProcessState] = []

        def stays_up() -> bool:
            steady[:] = self._back(target)
            return bool(steady) and all(age(state) >= _STEADY for state in steady) and not self._usurped(steady)

        if soon(stays_up, _BACK_WITHIN):
            return f"runs again as process {newest(steady).pid}, {by_whom}"
        wrong = self._usurped(steady)
        if self.restart is None:
            return wrong or f"its supervisor has not started it again within {_BACK_WITHIN:g}s"
        nothing = f"nothing that matches the selector stays up; see {self.output}"
        raise TargetError(f"`{shlex.join(self.restart)}` was run, but {wrong or nothing}")

    def _restart_line(self) -> str:
        folder, environment = (shlex.quote(place) for place in (self.before.cwd or "/", f"{self.output}.environ"))
        start = f'exec setsid --fork env "$@" {shlex.join(self.restart or ())} >>{shlex.quote(self.output)} 2>&1'
        return f"cd {folder} && cat {environment} 2>/dev/null | xargs -0 sh -c {shlex.quote(start)} sh"


class ProcessKill(Fault):
    """End the process with ``signal``, and have it started again when the fault is over.

    ``restart`` is the command that starts it, or ``same`` for its own command line, run by chaoskit: with chaoskit's
    user and groups, in the folder and with the environment of the original where those can be read, its output
    appended to a file in chaoskit's state folder. Either command line stands in the plan, the journal and the report,
    so one that seems to hold a secret is refused.
    ``supervised: true``: somebody else starts it again, and restored means that they did.

    Restored also means the user and groups of before. ``same`` is refused where those are not chaoskit's: nobody can
    see whether such a process was started with them or came to them by itself. Put ``setpriv --reuid=NAME
    --regid=GROUP --init-groups --`` in front of the command, or give one that changes them by itself. Needs the user
    of the process, or root.
    """

    kind: ClassVar[str] = "process.kill"
    needs: ClassVar[frozenset[Capability]] = frozenset({"process"})
    injection: ClassVar[type[KillInjection]] = KillInjection
    examples: ClassVar[Sequence[Mapping[str, object]]] = (
        {"restart": ["/usr/sbin/nginx"]},
        {"restart": "same"},
        {"signal": "TERM", "supervised": True},
    )

    signal: Annotated[str, BeforeValidator(parse_ending_signal)] = Field(
        default="KILL", description="The name of a signal that ends a process.", examples=["KILL", "TERM"]
    )
    restart: AskedArgv | Literal["same"] | None = Field(
        default=None,
        description="The command that starts it again, as a list, or same for its own.",
        examples=[["/usr/sbin/nginx"], "same"],
    )
    supervised: bool = Field(default=False, description="Whether somebody else starts it again.", examples=[True])

    @model_validator(mode="after")
    def _one_undo(self) -> Self:
        if self.restart is not None and self.supervised:
            raise ValueError(f"write either restart or supervised, for two would start it twice: {_EXAMPLE}")
        return self

    def prepare(self, target: Target, tag: str) -> KillInjection:
        """Look at the process. Raises TargetGone, and Unsupported when nothing would start it again."""
        if self.restart is None and not self.supervised:
            raise Unsupported(f"process.kill has no undo here; write {_EXAMPLE}")
        before, others = hittable(target)
        restart = _own_command(target, before.owner) if self.restart == "same" else self.restart
        if restart is not None:
            _see_program(target, restart[0], before.cwd)
        return KillInjection(
            tag=tag,
            target=target.id,
            signal=self.signal,
            before=before,
            others=others,
            restart=None if restart is None else tuple(restart),
            output="" if restart is None else _output(tag),
        )


def _own_command(target: Target, owner: Owner | None) -> Sequence[str]:
    """The command line of the process itself.

    Raises Unsupported where it cannot be read or was overwritten, where it holds a secret, and where we would start it
    with other rights.
    """
    argv = processes(target).process().argv
    if not argv or not argv[0] or (len(argv) == 1 and " " in argv[0]):
        raise Unsupported(f"the command line of {target.id} cannot be read; write restart: [PROGRAM, ARGUMENT, ...]")
    try:
        check_argv(argv)
    except ValueError as error:
        raise Unsupported(f"restart: same: {error}; or write restart: [SCRIPT], which knows it") from None
    ours = processes(target).spawns_as()
    if owner is None or ours is None or owner != ours:
        raise Unsupported(
            f"restart: same would start {target.id} with the rights of {ours or 'chaoskit'}, and it has those of "
            f"{owner or 'a user that cannot be read'}; write {_with_rights_of(owner)}, or a command that changes them "
            "by itself"
        )
    return argv


def _with_rights_of(owner: Owner | None) -> str:
    """How a restart is written that gives a program the rights of ``owner``; nothing runs beside it afterwards."""
    if owner is None:
        return "restart: [PROGRAM, ARGUMENT, ...]"
    groups = f"--groups={','.join(map(str, owner.groups))}" if owner.groups else "--clear-groups"
    words = ["setpriv", f"--reuid={owner.uid}", f"--regid={owner.gid}", groups, "--", "PROGRAM", "ARGUMENT"]
    return f"restart: {json.dumps(words)}"


def _see_program(target: Target, program: str, cwd: str) -> None:
    """Raise Unsupported unless ``program`` can be run in ``cwd``: better now than when it is the only way back."""
    look = 'cd -- "$1" && command -v -- "$2" >/dev/null'
    if target.run("sh", "-c", look, "sh", cwd or "/", program).status != 0:
        raise Unsupported(f"restart: {program} cannot be run in {cwd or '/'}; give the full path of the program")


def _output(tag: str) -> str:
    from platformdirs import user_state_path

    return str(user_state_path("chaoskit") / "processes" / f"{tag}.log")
