"""Makes injections and undoes them, keeping the journal one step ahead of every touch."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple, ParamSpec, TypeVar

from chaoskit.domain.errors import Blocked, TargetTimeout
from chaoskit.domain.history import InjectionRecord
from chaoskit.domain.journal import Entry, Injected, InjectFailed, Intended, Restored, Unrestored
from chaoskit.domain.ports import Clock, Effect, Injection, SelfReverting, Target
from chaoskit.engine.access import Access
from chaoskit.engine.crew import PATIENCE, Done, fan_out
from chaoskit.engine.desk import Desk
from chaoskit.engine.planner import Prepared
from chaoskit.engine.recorder import Recorder
from chaoskit.engine.rollback import Revive, Undone, roll_back

EFFECT_FOR = 3.0
EFFECT_EVERY = 0.05
LANDS_WITHIN = 10.0
"""Seconds after a failed injection in which it may still take effect: a request that timed out is not taken back."""
LANDING_PAUSE = 0.1

P = ParamSpec("P")
R = TypeVar("R")


class Made(NamedTuple):
    """One injection that was made: when, and what it was seen to do."""

    at: float
    effect: Effect


class Injector:
    """Claims, injects and rolls back for one run.

    ``in_force`` holds the numbers of injections believed to be in, ``armed`` of those among them whose target has a
    timer; once ``stopped``, nothing more is begun.
    """

    def __init__(self, run: str, access: Access, revive: Revive, recorder: Recorder, desk: Desk) -> None:
        self._run = run
        self._access = access
        self._revive = revive
        self._recorder = recorder
        self._desk = desk
        self._open: dict[int, Intended] = {}
        self._uncertain: dict[int, float] = {}
        self.stopped = False
        self.in_force: set[int] = set()
        self.armed: set[int] = set()

    @property
    def claimed(self) -> bool:
        """Whether any intention is open: then targets may have been touched, and a rollback is due."""
        return bool(self._open)

    # --- in --------------------------------------------------------------------------------------------

    def claim(self, prepared: Sequence[Prepared]) -> None:
        """Write every intention in one durable step, and hand them to the guardian.

        Raises Blocked, StoreFailed, GuardianLost; then nothing has been touched.
        """
        intended = [self._intend(one) for one in prepared]
        if lossy := [why for one, entry in zip(prepared, intended, strict=True) if (why := self._lossy(one, entry))]:
            raise Blocked(lossy)
        self._desk.book.claim(*intended)
        self._open = {one.n: one for one in intended}
        for one in prepared:
            self._recorder.injection(_intended_record(one, self._recorder.now()))
        self._desk.lease.arm(intended)

    def inject(self, prepared: Sequence[Prepared], patience: Callable[[], float] = lambda: PATIENCE) -> bool:
        """Make all injections, several at once. True when every one is proven in force; else it is time to undo.

        ``patience`` is as for :func:`fan_out`. Raises what it raises, and StoreFailed when the journal cannot be
        written; then no further injection is begun.
        """
        fan_out(self._make, prepared, self._or_stop(self._made), patience=self._or_stop(patience))
        records = self._recorder.injections()
        return all(r.effect is not None and r.effect.bit is True for r in records)

    def stop(self) -> None:
        """Begin no further injection."""
        self.stopped = True

    @property
    def _over(self) -> bool:
        return self.stopped or self._desk.halt.engaged

    def _or_stop(self, call: Callable[P, R]) -> Callable[P, R]:
        """``call``, after whose failure no further injection is begun."""

        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return call(*args, **kwargs)
            except BaseException:
                self.stop()
                raise

        return guarded

    def _make(self, one: Prepared) -> Made | None:
        if self._over:
            return None
        target = self._access.target(one.hit.spec, one.hit.ref)
        self._arm(one, target)
        self.in_force.add(one.hit.n)
        one.injection.inject(target)
        at = self._recorder.now()
        return Made(at, self._prove(one.injection, target))

    def _arm(self, one: Prepared, target: Target) -> None:
        """Start the dead-man timer of what its target can undo alone, before it is touched."""
        if isinstance(one.injection, SelfReverting):
            lease = self._desk.lease.seconds
            self._desk.timers.arm(target, one.injection.tag, one.injection.undo_script(), lease)
            self.armed.add(one.hit.n)

    def _prove(self, injection: Injection, target: Target) -> Effect:
        """Look for the effect until it shows, for some seconds: a signal needs a moment to end a process."""
        clock = self._desk.clock
        deadline = clock.now() + EFFECT_FOR
        while True:
            effect = injection.effect(target)
            if effect.bit is True or self._over or clock.now() >= deadline:
                return effect
            clock.wait(EFFECT_EVERY)

    def _made(self, done: Done[Prepared, Made | None]) -> None:
        hit = done.item.hit
        record = self._record(hit.n)
        what = f"{hit.fault.kind} on {hit.ref.name}"
        if done.error is not None:
            error = f"{type(done.error).__name__}: {done.error}"
            self._uncertain[hit.n] = self._desk.clock.now()
            # When the run is stopped, what is still under way is not waited for: that is no failure of its driver.
            if not (self._over and isinstance(done.error, TargetTimeout)):
                self._recorder.injection(record.model_copy(update={"error": f"injecting failed: {error}"}))
            self._recorder.event("trouble", f"{what}: injecting failed, so it is undone: {error}")
            self._append(InjectFailed(run=self._run, n=hit.n, at=self._desk.clock.utc(), error=error))
        elif done.result is not None:
            at, effect = done.result
            self._recorder.injection(record.model_copy(update={"injected_at": at, "effect": effect}))
            self._recorder.event("fault", f"{what}: injected; {effect.measured}")
            self._append(Injected(run=self._run, n=hit.n, at=self._desk.clock.utc(), effect=effect))

    def note_drift(self, found: Mapping[int, str]) -> None:
        """Keep, by injection, why it was no longer in force."""
        for n, why in found.items():
            self._recorder.injection(self._record(n).model_copy(update={"drift": why}))

    # --- out -------------------------------------------------------------------------------------------

    def roll_back(self, only: Container[int] | None = None, patience: Callable[[], float] | None = None) -> None:
        """Undo what is outstanding (or ``only`` those), newest first, and prove it. Never raises for a target."""
        chosen = [i for n, i in reversed(self._open.items()) if only is None or n in only]
        for intended in chosen:
            self.in_force.discard(intended.n)
            self.armed.discard(intended.n)
            record = self._record(intended.n)
            if record.rollback_at is None:
                self._recorder.injection(record.model_copy(update={"rollback_at": self._recorder.now()}))
        desk = self._desk
        roll_back(
            chosen, self._access, self._revive, desk.timers, desk.clock, self._undone, patience or self._keep_lease
        )

    def settle(self) -> None:
        """Undo and prove once more what is still open: what was left, and what may have landed after its undo."""
        if self._uncertain:
            self._let_it_land(max(self._uncertain.values()) + LANDS_WITHIN - self._desk.clock.now())
            self._uncertain.clear()
        self.roll_back()

    def disarm(self) -> None:
        """Send the guardian home, unless something is left for it to undo."""
        if not self._open:
            self._desk.lease.disarm()

    def _keep_lease(self) -> float:
        """While the crew is undoing, nobody else needs to; should the lease be lost, undoing twice does no harm."""
        self._desk.lease.keep()
        self._recorder.show_life_if_possible()
        return PATIENCE

    def _let_it_land(self, seconds: float) -> None:
        if seconds > 0:
            self._recorder.event("note", f"an injection failed and may still land: read back again in {seconds:.0f}s")
            until = self._desk.clock.now() + seconds
            while (left := until - self._desk.clock.now()) > 0:
                self._keep_lease()
                self._desk.clock.wait(min(left, LANDING_PAUSE))

    def _undone(self, undone: Undone) -> None:
        intended = undone.intended
        record = self._record(intended.n)
        update = {
            "attempts": record.attempts + undone.attempts,
            "note": undone.note or record.note,
            "residue": undone.residue,
            "restored_at": self._recorder.now() if undone.restored else None,
        }
        self._recorder.injection(record.model_copy(update=update))
        what = f"{intended.kind} on {intended.ref.name}"
        told = undone.note if undone.restored else f"NOT restored: {'; '.join(undone.residue)}"
        self._recorder.event("rollback", f"{what}: {told}")
        if undone.restored and intended.n in self._uncertain:
            return  # its journal entry stays open: it is read back once more, when what was under way has landed
        if undone.restored:
            self._open.pop(intended.n)
            self._desk.lease.release(intended.n)
        self._append_if_possible(closing_entry(undone, self._desk.clock))

    # --- records ---------------------------------------------------------------------------------------

    def _append(self, entry: Entry) -> None:
        self._desk.book.append(entry)

    def _append_if_possible(self, entry: Entry) -> None:
        """A journal that fails during rollback leaves the intention open, which is the safe side; the undo goes on."""
        try:
            self._append(entry)
        except Exception as error:  # noqa: BLE001 whatever a store raises, the other targets must still be told of
            self._recorder.trouble(f"the journal could not be written: {error}")

    def _record(self, n: int) -> InjectionRecord:
        return next(record for record in self._recorder.injections() if record.n == n)

    def _lossy(self, one: Prepared, entry: Intended) -> str:
        """Why the journal could not undo this after a crash; empty when what comes out of it is what went in."""
        what = f"{one.hit.fault.kind} on {one.hit.ref.name}"
        try:
            same = self._revive(entry) == one.injection
        except Exception as error:  # noqa: BLE001 an undo that cannot be read back is no undo, whatever the reason
            return f"{what}: its undo cannot be read back from the journal: {type(error).__name__}: {error}"
        return "" if same else f"{what}: its undo would come back from the journal as something else"

    def _intend(self, one: Prepared) -> Intended:
        hit = one.hit
        return Intended(
            run=self._run,
            n=hit.n,
            at=self._desk.clock.utc(),
            kind=hit.fault.kind,
            step=hit.step,
            group=hit.group,
            spec=hit.spec,
            ref=hit.ref,
            injection=one.injection.model_dump(mode="json"),
            by_hand=one.injection.by_hand(),
        )


def closing_entry(undone: Undone, clock: Clock) -> Restored | Unrestored:
    """The journal entry that ends, or fails to end, an intention."""
    run, n, at, attempts = undone.intended.run, undone.intended.n, clock.utc(), undone.attempts
    if undone.restored:
        return Restored(run=run, n=n, at=at, note=undone.note, attempts=attempts)
    return Unrestored(run=run, n=n, at=at, residue=undone.residue, attempts=attempts)


def _intended_record(one: Prepared, at: float) -> InjectionRecord:
    hit, injection = one
    return InjectionRecord(
        n=hit.n,
        step=hit.step,
        kind=hit.fault.kind,
        group=hit.group,
        target_id=hit.ref.id,
        target=hit.ref.name,
        tag=injection.tag,
        duration=hit.duration,
        actions=injection.actions(),
        undo=injection.undo(),
        by_hand=injection.by_hand(),
        intended_at=at,
    )
