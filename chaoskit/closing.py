"""Closes the record of a run whose runner did not live to do it, or left something that was undone only later."""

from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from chaoskit.app import Finished, conclude
from chaoskit.domain.errors import UnknownRun
from chaoskit.domain.history import Event, InjectionRecord, RunRecord
from chaoskit.domain.journal import Entry, Intended, Restored, tag_of
from chaoskit.engine.clock import RealClock
from chaoskit.engine.rollback import Undone
from chaoskit.settings import Settings

if TYPE_CHECKING:
    from chaoskit.store.store import Store


def close_record(
    run: str,
    undone: Sequence[Undone],
    store: "Store",
    settings: Settings,
    notes: Sequence[str] = (),
    when: Mapping[int, float] = MappingProxyType({}),
    at: float | None = None,
) -> Finished | None:
    """End the run's record ``at`` that run second (now, where it is not said), and say why from outside.

    ``when`` tells, by number, when what was undone was; ``at``, where it is not said.
    None when the history does not know the run. Raises StoreFailed.
    """
    try:
        record = store.load(run)
    except UnknownRun:
        return None
    at = _by_the_clock(record) if at is None else at
    by_n = {one.intended.n: one for one in undone}
    known = _known(record, store.salvage(run)[0], by_n)
    injections = tuple(_ended(known[n], by_n.get(n), when.get(n, at)) for n in sorted(known))
    events = [Event(at=at, kind="rollback", text=text) for text in (*map(_told, undone), *notes)]
    later = any(one not in record.injections for one in injections)
    errors = (*record.errors, *_why_from_outside(record, later=later))
    closed = record.model_copy(
        update={"injections": injections, "errors": errors, "ended_at": at, "events": (*record.events, *events)}
    )
    store.extend(run, (), events)
    return conclude(closed, store, settings)


def _by_the_clock(record: RunRecord) -> float:
    """The run second that it is now, by the time of day. That may have been set: it is never before what was seen."""
    seen = [span.start for span in record.phases] + [event.at for event in record.events]
    seen += [reading.at + reading.took for reading in record.readings]
    return max([(RealClock().utc() - record.started_at).total_seconds(), *seen])


def _ended(record: InjectionRecord, one: Undone | None, at: float) -> InjectionRecord:
    if one is None:
        return record
    update: dict[str, object] = {"attempts": record.attempts + one.attempts, "note": one.note, "residue": one.residue}
    if one.restored:
        update["restored_at"] = at
    return record.model_copy(update=update)


def _known(record: RunRecord, entries: Sequence[Entry], undone: Container[int]) -> dict[int, InjectionRecord]:
    """The injections of a run by number, with what its runner journalled and did not live to put into its record.

    Those that were ``undone`` from outside are told of by whoever did that.
    """
    known = {one.n: one for one in record.injections}
    for entry in entries:
        at = (entry.at - record.started_at).total_seconds()
        if isinstance(entry, Intended):
            known.setdefault(entry.n, _from_journal(entry, at))
        elif isinstance(entry, Restored) and entry.n not in undone:
            before = known.get(entry.n)
            if before is not None and before.restored_at is None:
                update = {"restored_at": at, "note": entry.note, "attempts": entry.attempts, "residue": ()}
                known[entry.n] = before.model_copy(update=update)
    return known


def _from_journal(intended: Intended, at: float) -> InjectionRecord:
    """What the journal knows of an injection."""
    return InjectionRecord(
        n=intended.n,
        step=intended.step,
        kind=intended.kind,
        group=intended.group,
        target_id=intended.ref.id,
        target=intended.ref.name,
        tag=tag_of(intended.run, intended.n),
        duration=0.0,
        by_hand=intended.by_hand,
        intended_at=at,
    )


def _told(one: Undone) -> str:
    what = f"{one.intended.kind} on {one.intended.ref.name}"
    return f"{what}: {one.note}" if one.restored else f"{what}: NOT restored: {'; '.join(one.residue)}"


def _why_from_outside(record: RunRecord, *, later: bool) -> list[str]:
    """What went wrong in the run itself: one whose faults outlived it must not pass because of a ``later`` rollback."""
    if record.ended_at is None:
        where = record.phases[-1].name if record.phases else "the start"
        return [f"the runner (pid {record.runner.pid} on {record.runner.host}) died in {where}"]
    return ["the run's own rollback left something behind, which was undone only later"] if later else []
