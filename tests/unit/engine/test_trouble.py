"""What goes wrong in drivers, the store and the display: the run ends, tells the truth, and leaves nothing behind."""

import threading
from collections import Counter
from collections.abc import Callable
from unittest.mock import patch

import pytest

from chaoskit.domain.errors import Blocked, StoreFailed
from chaoskit.domain.history import Event, InjectionRecord, PhaseName, RunRecord
from chaoskit.domain.journal import Entry, InjectFailed, Intended, Restored, Unrestored, outstanding
from chaoskit.domain.ports import Sample
from chaoskit.domain.readings import Reading
from chaoskit.domain.verdict import Verdict, judge
from chaoskit.engine import crew
from chaoskit.engine.injecting import LANDS_WITHIN
from tests.unit.engine.kit import BAD, GOOD, Trouble, World, away, experiment, lost, raising, step


def restored(world: World) -> bool:
    return not world.faulty and not outstanding(world.book.journal)


def entries(world: World, kind: type[Entry]) -> list[Entry]:
    return [entry for entry in world.book.journal if isinstance(entry, kind)]


# --- injecting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("trouble", [away(), lost(), raising(ValueError("a defect"))])
def test_an_injection_that_fails_is_undone_whether_or_not_it_acted(when: str, trouble: Trouble) -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=3)
    getattr(world.one, when)["inject"] = trouble
    record = world.run()
    assert judge(record).verdict is Verdict.ERROR
    assert restored(world)
    assert world.one.calls["revert"] >= 1
    assert len(entries(world, InjectFailed)) == 1
    assert "web-0" in judge(record).reasons[0]
    assert all(injection.restored_at is not None for injection in record.injections)


def test_one_failed_injection_ends_the_run_and_all_others_are_undone() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=50)
    world.one.before["inject"] = lost()
    record = world.run()
    assert record.span("observe") is None
    assert restored(world)


def test_an_injection_that_lands_only_after_its_undo_is_undone_again() -> None:
    """The request timed out on our side, and took effect some seconds later."""
    world = World()

    def lands_later() -> None:
        world.future.at(world.clock.now() + LANDS_WITHIN - 1, lambda: world.one.broken.add("chaoskit-r1-1"))
        lost()()

    world.one.before["inject"] = lands_later
    world.when("check", "up", lambda: GOOD["check"])
    record = world.run()
    assert restored(world)
    assert judge(record).verdict is Verdict.ERROR
    assert any("may still land" in event.text for event in record.events)
    restorations = entries(world, Restored)
    assert len(restorations) == 1
    assert record.ended_at is not None
    assert record.ended_at >= LANDS_WITHIN


def test_a_failed_injection_stays_open_in_the_journal_until_it_was_read_back_for_the_last_time() -> None:
    world = World()
    world.one.after["inject"] = lost()
    left: list[int] = []

    def look() -> Sample:
        left.append(len(outstanding(world.book.journal)))
        return GOOD["check"]

    world.when("check", "up", look)
    world.run()
    assert left[-1] == 1  # still while recovering
    assert restored(world)


def test_an_injection_that_hangs_does_not_keep_the_others_in_when_the_run_must_stop() -> None:
    world = World(experiment(faults=[step(pick="all", duration="60s")]), machines=4)
    released = threading.Event()
    hung = world.machines["web"][2]

    def hang() -> None:
        released.wait()
        lost()()

    hung.before["inject"] = hang
    world.book.halt = lambda: "enough" if world.now > 8.0 else None
    try:
        with patch.object(crew, "_PULSE", 0.01), patch("chaoskit.engine.runner.HURRY", 0.05):
            world.narrator = Ticking(world)
            record = world.run()
    finally:
        released.set()
    assert judge(record).verdict is Verdict.ABORTED
    assert restored(world)
    assert record.injections[2].error == ""


class Ticking:
    """A narrator under whom time passes, as it does in real life while somebody hangs."""

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self._patience = threading.Timer(0.0, lambda: None)

    def phase(self, name: PhaseName, until: float | None) -> None:
        if name == "inject":
            self._patience = threading.Timer(0.05, lambda: self._clock.wait(10.0))
            self._patience.daemon = True
            self._patience.start()

    def reading(self, reading: Reading) -> None:
        pass

    def event(self, event: Event) -> None:
        pass

    def injection(self, injection: InjectionRecord) -> None:
        pass


def test_a_look_at_the_effect_that_fails_is_a_failed_injection() -> None:
    world = World()
    world.one.before["effect"] = lost()
    assert judge(world.run()).verdict is Verdict.ERROR
    assert restored(world)


# --- undoing ---------------------------------------------------------------------------------------------


def test_a_target_that_cannot_be_restored_makes_the_run_dirty_and_strands_nobody() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=20)
    world.one.before["revert"] = away()
    record = world.run()
    judged = judge(record)
    assert judged.verdict is Verdict.DIRTY
    assert (judged.restored, judged.injected) == (19, 20)
    assert [one.ref.name for one in outstanding(world.book.journal)] == ["web-0"]
    assert entries(world, Unrestored)
    assert [injection.residue != () for injection in record.injections] == [True] + [False] * 19


def test_a_target_whose_read_back_never_comes_clean_is_dirty() -> None:
    world = World()
    world.one.after["revert"] = lambda: world.one.broken.add("chaoskit-r1-1")
    record = world.run()
    assert judge(record).verdict is Verdict.DIRTY
    assert record.injections[0].residue == ("chaoskit-r1-1 is still there",)
    assert record.injections[0].by_hand == ("mend fake://web-0 chaoskit-r1-1",)


def test_a_target_that_comes_back_while_the_system_recovers_is_restored_after_all() -> None:
    world = World(experiment(expect={"recover_within": "2m"}))
    world.when("check", "up", lambda: BAD["check"] if world.one.touched and world.now < 60.0 else GOOD["check"])

    def unreachable_for_a_minute() -> None:
        if world.now < 60.0:
            away()()

    world.one.before["revert"] = unreachable_for_a_minute
    record = world.run()
    assert restored(world)
    assert judge(record).verdict is Verdict.FAILED


def test_an_early_rollback_that_fails_is_tried_again_at_the_end_and_its_time_in_force_ends_with_the_first_try() -> None:
    world = World(experiment(faults=[step("web", "4s"), step("db", "1m")]))
    world.add("db", 1)
    world.one.before["revert"] = away(times=5)
    record = world.run()
    assert record.injections[0].rollback_at == pytest.approx(6.0)
    assert record.injections[0].attempts == 6
    assert restored(world)
    assert judge(record).verdict is Verdict.PASSED


def test_attempts_add_up() -> None:
    world = World()
    world.one.before["revert"] = lost(times=7)
    record = world.run()
    assert record.injections[0].attempts == 8
    assert restored(world)


# --- the store -------------------------------------------------------------------------------------------

CALLS = ["begin", "claim", "append", "save", "extend", "heartbeat", "halted"]


def failing(call: str, nth: int, forever: bool, error: Exception) -> Callable[[str], None]:
    seen: Counter[str] = Counter()

    def fail(name: str) -> None:
        seen[name] += 1
        if name == call and (seen[name] == nth or (forever and seen[name] > nth)):
            raise error

    return fail


def two_faults() -> World:
    world = World(experiment(faults=[step("web", "3s"), step("db", "4s"), step("web", "4s")]))
    world.add("db", 1)
    return world


def calls_of_a_good_run() -> Counter[str]:
    world = two_faults()
    assert judge(world.run()).verdict is Verdict.PASSED
    return world.book.calls


POSITIONS = [(call, nth) for call, times in calls_of_a_good_run().items() for nth in range(1, times + 1)]


def test_the_positions_below_are_all_calls_of_the_store() -> None:
    assert {call for call, _ in POSITIONS} == set(CALLS)


@pytest.mark.parametrize(
    ("side", "forever", "error"),
    [
        pytest.param("before", False, StoreFailed("the disk is full"), id="once, and not written"),
        pytest.param("after", False, OSError("no space left"), id="once, though written"),
        pytest.param("before", True, OSError("no space left"), id="for ever"),
    ],
)
@pytest.mark.parametrize(("call", "nth"), POSITIONS)
def test_whenever_the_store_fails_nothing_stays_injected_and_the_run_ends_as_an_error(
    call: str, nth: int, side: str, forever: bool, error: Exception
) -> None:
    world = two_faults()
    setattr(world.book, side, failing(call, nth, forever, error))
    record = world.run()
    assert not world.faulty
    assert judge(record).verdict is Verdict.ERROR
    intended = {(entry.ref.id, entry.n) for entry in world.book.journal if isinstance(entry, Intended)}
    touched = {(m.id, int(tag.rpartition("-")[2])) for m in world.all for tag in m.touched}
    assert touched <= intended


def test_an_intention_that_could_not_be_written_is_never_carried_out() -> None:
    world = World()
    world.book.before = failing("claim", 1, False, StoreFailed("the disk is full"))
    record = world.run()
    assert judge(record).verdict is Verdict.ERROR
    assert not world.one.touched
    assert not world.one.calls["revert"]


def test_nothing_more_is_injected_once_the_journal_cannot_be_written() -> None:
    world = World(experiment(faults=[step(pick="all")]), machines=200)
    world.book.before = failing("append", 1, True, StoreFailed("the disk is full"))
    begun = threading.Semaphore(crew.WORKERS)

    def one_of_the_first() -> None:
        begun.acquire(timeout=0.5)  # the later ones give the loop time to hear of the first ones

    for machine in world.all:
        machine.before["inject"] = one_of_the_first
    record = world.run()
    assert judge(record).verdict is Verdict.ERROR
    assert sum(bool(machine.touched) for machine in world.all) < 100
    assert not world.faulty
    assert len(outstanding(world.book.journal)) == 200  # the safe side: nobody wrote that they are restored


def test_a_store_that_refuses_after_something_was_injected_is_an_error_and_not_a_guard() -> None:
    world = World()
    world.book.before = failing("append", 1, False, Blocked(["no"]))
    record = world.run()
    assert judge(record).verdict is Verdict.ERROR
    assert not world.faulty


# --- the display -----------------------------------------------------------------------------------------


class Broken:
    """A narrator whose terminal has gone."""

    def __init__(self, at: str) -> None:
        self._at = at
        self.heard = 0
        self.heard_until_it_broke = 0

    def _fail(self, what: str) -> None:
        self.heard += 1
        if what == self._at:
            self.heard_until_it_broke = self.heard_until_it_broke or self.heard
            raise BrokenPipeError

    def phase(self, name: PhaseName, until: float | None) -> None:
        self._fail(name)

    def reading(self, reading: Reading) -> None:
        self._fail("reading")

    def event(self, event: Event) -> None:
        self._fail("event")

    def injection(self, injection: InjectionRecord) -> None:
        self._fail("injection")


@pytest.mark.parametrize("at", ["plan", "baseline", "inject", "rollback", "recovery", "reading", "event", "injection"])
def test_a_broken_display_changes_nothing_and_is_not_asked_again(at: str) -> None:
    world = World()
    world.narrator = narrator = Broken(at)
    record = world.run()
    assert judge(record).verdict is Verdict.PASSED
    assert restored(world)
    assert strip(record) == strip(World().run())
    assert narrator.heard == narrator.heard_until_it_broke


def strip(record: RunRecord) -> object:
    return [(r.at, r.outcome) for r in record.readings], [p.name for p in record.phases]
