"""Finds what carries chaoskit's tag on this machine and on Docker engines, without asking a journal, and removes it.

What belongs to a live run stays, as does what is at work: a timer that will fire by itself, the guardian of a runner
on another machine.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from chaoskit.app import is_live
from chaoskit.domain.errors import TargetError
from chaoskit.domain.traces import Trace
from chaoskit.settings import Settings

if TYPE_CHECKING:
    from chaoskit.store.store import Store

PATIENCE = 10.0
"""Seconds for each request to an engine."""


class Swept(NamedTuple):
    """What became of one trace. ``removed`` is None for one that was left alone."""

    trace: Trace
    removed: bool | None
    told: str


class Sweep(NamedTuple):
    """What was found, and the places that could not be searched, with why."""

    swept: Sequence[Swept]
    unsearched: Sequence[str]

    @property
    def clean(self) -> bool:
        """Whether everything was searched, and nothing is left but what is at work."""
        return not self.unsearched and all(one.removed is not False for one in self.swept)


def sweep(store: "Store", settings: Settings, engines: Sequence[str] = (), *, dry_run: bool = False) -> Sweep:
    """Search this machine and ``engines`` (the configured one where none is named). Never raises TargetError."""
    unsearched: list[str] = []
    with ExitStack() as stack:
        found = [*_here(unsearched), *_on_engines(settings, engines, stack, unsearched)]
        return Sweep([_treat(trace, store, dry_run=dry_run) for trace in found], unsearched)


def _treat(trace: Trace, store: "Store", *, dry_run: bool) -> Swept:
    if trace.run and is_live(store, trace.run):
        return Swept(trace, None, f"belongs to run {trace.run}, which is live")
    if trace.at_work:
        return Swept(trace, None, "is at work, and ends by itself")
    if dry_run:
        return Swept(trace, None, "would be undone and removed")
    try:
        return Swept(trace, removed=True, told=trace.remove())
    except TargetError as error:
        return Swept(trace, removed=False, told=str(error))


def _here(unsearched: list[str]) -> Iterator[Trace]:
    from platformdirs import user_state_path

    from chaoskit.targets import local_sweep

    try:
        yield from local_sweep.traces(user_state_path("chaoskit") / "processes")
    except TargetError as error:
        unsearched.append(f"{local_sweep.HERE}: {error}")


def _on_engines(settings: Settings, engines: Sequence[str], stack: ExitStack, unsearched: list[str]) -> Iterator[Trace]:
    from chaoskit.targets import docker_sweep
    from chaoskit.targets.docker_engine import Engine, engine_host

    configured = engine_host(None, settings.docker_host, os.environ)
    for host in dict.fromkeys(engines or [configured]):
        try:
            engine = Engine(host, PATIENCE)
            stack.callback(engine.close)
            yield from docker_sweep.traces(engine)
        except TargetError as error:
            if engines or settings.docker_host or os.environ.get("DOCKER_HOST"):
                unsearched.append(f"Docker engine {host}: {error}")
