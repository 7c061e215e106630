"""Restores what outlived a runner that died, from its journal alone."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from chaoskit.app import Finished, is_live, revive
from chaoskit.closing import close_record
from chaoskit.domain.errors import StoreFailed, TargetError, UnknownRun
from chaoskit.domain.journal import Accepted, Intended, outstanding
from chaoskit.domain.ports import KeepsAside
from chaoskit.drivers import DriverSources, timers
from chaoskit.engine.access import Access
from chaoskit.engine.clock import RealClock
from chaoskit.engine.injecting import closing_entry
from chaoskit.engine.rollback import Undone, roll_back
from chaoskit.guardian import places
from chaoskit.settings import Settings
from chaoskit.store.liveness import WATCHED_FOR, me, told_by_heartbeat
from chaoskit.store.rows import RunnerRow

if TYPE_CHECKING:
    from chaoskit.store.store import Store


_LOOK_EVERY = 0.25

Teller = Callable[[Undone], None]


def silent(_undone: Undone) -> None:
    """Tell nobody."""


class Orphans(NamedTuple):
    """What one run left behind, newest first, whether its runner still lives, and what of it cannot be read."""

    run: str
    left: tuple[Intended, ...]
    live: bool
    unreadable: tuple[str, ...] = ()


class Restoration(NamedTuple):
    """What came of undoing one run's residue."""

    run: str
    undone: Sequence[Undone]
    finished: Finished | None
    trouble: str = ""


def orphans(store: "Store", run: str | None = None) -> list[Orphans]:
    """What is outstanding, by run, newest first; of one run only when ``run`` is given.

    A row of the journal that cannot be read strands neither the other targets of its run nor other runs.
    """
    found = [one for one in store.open_runs() if run in {None, one}]
    live = living(store, found)
    still_open = set(store.open_runs())  # finding out who lives takes its time
    return [_orphans_of(store, one, live=one in live) for one in found if one in still_open]


def _orphans_of(store: "Store", run: str, *, live: bool) -> Orphans:
    entries, unreadable = store.salvage(run)
    return Orphans(run, outstanding(entries), live, tuple(unreadable))


def living(store: "Store", runs: Sequence[str]) -> set[str]:
    """Those of ``runs`` whose runner is alive. Takes some seconds where only a heartbeat tells, and seems old.

    It is watched then: the clock of a machine may be set, and those of two may differ by any amount.
    """
    live = {run for run in runs if is_live(store, run)}
    rows = [_runner_of(store, run) for run in runs if run not in live]
    return live | _moving(store, {row.run: row.heartbeat_at for row in rows if row and told_by_heartbeat(row)})


def _runner_of(store: "Store", run: str) -> RunnerRow | None:
    with suppress(UnknownRun):  # a journal may outlive the history
        return store.runner_of(run)
    return None


def _moving(store: "Store", heartbeats: Mapping[str, datetime]) -> set[str]:
    clock = RealClock()
    deadline = clock.now() + WATCHED_FOR
    moving: set[str] = set()
    while moving < heartbeats.keys() and clock.now() < deadline:
        clock.wait(_LOOK_EVERY)
        moving |= {run for run, seen in heartbeats.items() if store.runner_of(run).heartbeat_at != seen}
    return moving


def restore(
    orphaned: Orphans,
    store: "Store",
    settings: Settings,
    tell: Teller = silent,
) -> Restoration:
    """Undo and verify everything that one dead run left, then judge and report the run anew.

    A store that fails keeps nobody from being restored; what it could not take is told in ``trouble``.
    """
    clock = RealClock()
    sources = DriverSources(settings.docker_host)
    access = Access(sources)
    undone: list[Undone] = []
    troubles: list[str] = []

    def keep(one: Undone) -> None:
        undone.append(one)
        try:
            store.append(closing_entry(one, clock))
        except StoreFailed as error:  # the undoing of the others comes first; the journal keeps this one open
            troubles.append(str(error))
        with suppress(OSError):  # a reader that went away must not stand between us and the other targets
            tell(one)

    try:
        roll_back(orphaned.left, access, revive, timers(), clock, keep)
    finally:
        access.close()
        sources.close()
    if not orphaned.live and all(one.restored for one in undone):
        _send_guardians_home(orphaned, settings)
    finished = None
    try:
        finished = _close(orphaned, undone, store, settings)
    except StoreFailed as error:
        troubles.append(str(error))
    return Restoration(orphaned.run, undone, finished, "\n".join(dict.fromkeys(troubles)))


def _send_guardians_home(orphaned: Orphans, settings: Settings) -> None:
    """One beside an engine would undo once more when it ends, and that might be in the midst of a later run."""
    selectors = [one.spec.docker for one in orphaned.left]
    for host in {selector.host for selector in selectors if selector is not None}:
        from chaoskit.guardian.post import send_home
        from chaoskit.targets.docker_engine import engine_host

        with suppress(TargetError):  # it ends by itself, a little later
            send_home(engine_host(host, settings.docker_host, os.environ), orphaned.run)


def conclude_dead(
    orphaned: Orphans,
    undone: Sequence[Undone],
    store: "Store",
    settings: Settings,
    when: Mapping[int, float],
    at: float,
) -> Finished | None:
    """Write down what the guardian of a dead run has undone, and ``when``, by number. Raises StoreFailed.

    ``when`` and ``at``, which is now, are in run seconds.
    """
    clock = RealClock()
    store.append(*(closing_entry(one, clock) for one in undone))
    note = "the runner was gone; its guardian undid what it left"
    if orphaned.unreadable:
        return None
    return close_record(orphaned.run, undone, store, settings, [note], when, at)


def accept(orphaned: Orphans, store: "Store", settings: Settings, reason: str) -> Finished | None:
    """End what a dead run left open on a person's word; the run stays dirty, with the word in its record."""
    who, now = me().user, RealClock().utc()
    store.append(*(Accepted(run=one.run, n=one.n, at=now, who=who, reason=reason) for one in orphaned.left))
    told = [f"residue of {one.kind} on {one.ref.name} accepted by {who}: {reason}" for one in orphaned.left]
    told += _discard(orphaned.left, settings)
    return _close(orphaned, (), store, settings, told)


def _discard(left: Sequence[Intended], settings: Settings) -> list[str]:
    """Remove what was put aside for undos that will not come; what could not be removed, in words."""
    sources = DriverSources(settings.docker_host)
    access = Access(sources)
    kept = []
    for one in left:
        try:
            injection = revive(one)
            if isinstance(injection, KeepsAside):
                injection.discard(access.target(one.spec, one.ref))
        except Exception as error:  # noqa: BLE001 whatever one raises, the others get their turn and the record its end
            kept.append(f"what {one.kind} on {one.ref.name} put aside for its undo may still be there: {error}")
            logging.getLogger(__name__).warning(kept[-1])
    access.close()
    sources.close()
    return kept


def close_dead_runs(store: "Store", settings: Settings) -> list[Finished]:
    """Judge and report runs whose runner died without leaving anything behind, so that none stays open for ever.

    Of their guardians, those that did nothing are forgotten.
    """
    left = set(store.open_runs())
    places.sweep(store.path, but=left)
    unfinished = [run.run for run in store.runs(limit=200) if run.verdict is None and run.run not in left]
    live = living(store, unfinished)
    closed = [close_record(run, (), store, settings) for run in unfinished if run not in live]
    return [one for one in closed if one is not None]


def _close(
    orphaned: Orphans,
    undone: Sequence[Undone],
    store: "Store",
    settings: Settings,
    notes: Sequence[str] = (),
) -> Finished | None:
    """With an unreadable journal nobody knows what else was touched, so the record stays as it is then."""
    return None if orphaned.unreadable else close_record(orphaned.run, undone, store, settings, notes)
