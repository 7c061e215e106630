"""The eyes of a run, looked at by themselves: samples go in by hand, and nothing else moves the clock."""

from typing import NamedTuple

import pytest

from chaoskit.domain.history import Runner, RunRecord
from chaoskit.domain.ports import Sample
from chaoskit.engine.recorder import Recorder
from chaoskit.engine.sampler import Inbox, Key, Taken
from chaoskit.engine.watch import Watch
from tests.unit.engine.kit import BAD, BLIND, GOOD, VirtualInbox, World, condition, experiment

CHECK, ABORT = Key("check", "up"), Key("abort", "errors")


class Eyes(NamedTuple):
    """A watch, with its world and what it writes down."""

    world: World
    watch: Watch
    recorder: Recorder
    inbox: VirtualInbox

    def took(self, key: Key, sample: Sample, at: float, took: float = 0.0) -> None:
        """A sample arrives that began at ``at`` seconds of the run."""
        self.inbox.put(Taken(key, self.world.begin + at, took, sample))

    def until(self, seconds: float, *, armed: bool = True) -> str:
        """Watch until that second of the run; the cause to stop before, or nothing."""
        abort = self.watch.until(self.world.begin + seconds, armed=armed)
        return abort.cause if abort else ""


def eyes(**changes: object) -> Eyes:
    world = World(experiment(**changes))
    me = Runner(host="h", user="u", pid=1, pid_started=0.0, version="0", python="3")
    record = RunRecord(
        run="r1",
        experiment=world.experiment,
        path="",
        text="",
        sha256="",
        seed="",
        runner=me,
        started_at=world.clock.utc(),
    )
    recorder = Recorder(record, world.book, world.clock, world.narrator)
    recorder.phase("baseline")
    inbox = VirtualInbox(world)
    watch = Watch(
        world.experiment,
        dict.fromkeys((CHECK, ABORT), 1.0),
        recorder,
        world.desk(),
        as_inbox(inbox),
    )
    return Eyes(world, watch, recorder, inbox)


def as_inbox(inbox: VirtualInbox) -> Inbox:
    return inbox  # type: ignore[return-value]  # it has all that the watch uses of a SimpleQueue


def observing(**changes: object) -> Eyes:
    one = eyes(**changes)
    one.watch.arm()
    one.recorder.phase("observe")
    return one


def test_what_arrived_while_nobody_looked_is_judged_before_silence_is_concluded() -> None:
    one = observing()
    one.world.clock.wait(30.0)
    for key in (CHECK, ABORT):
        one.took(key, GOOD[key.role], at=29.0)
    assert one.until(30.5) == ""


def test_silence_is_concluded_from_samples_and_not_from_time_alone() -> None:
    one = observing()
    one.world.clock.wait(30.0)
    one.took(CHECK, GOOD["check"], at=29.0)
    one.took(ABORT, BLIND, at=29.0)
    assert one.until(31.0) == "blind"


def test_silence_counts_from_the_arming() -> None:
    one = eyes()
    one.world.clock.wait(30.0)
    one.watch.arm()
    assert one.until(39.0) == ""
    assert one.until(60.0) == "blind"
    assert one.world.now == pytest.approx(40.0, abs=1.1)


def test_a_breach_from_before_the_arming_does_not_count() -> None:
    one = eyes(abort_when=[condition("errors", **{"for": "3s"})])
    one.took(ABORT, BAD["abort"], at=0.0)
    assert one.until(2.0, armed=False) == ""
    one.watch.arm()
    one.took(ABORT, BAD["abort"], at=2.5)
    one.took(ABORT, BAD["abort"], at=4.0)
    assert one.until(5.0) == ""
    one.took(ABORT, BAD["abort"], at=5.5)
    assert one.until(6.0) == "condition"


def test_a_probe_that_does_not_answer_reads_as_unknown_for_longer_and_longer() -> None:
    one = observing()
    one.took(CHECK, GOOD["check"], at=0.0)
    one.took(ABORT, GOOD["abort"], at=0.0)
    one.until(6.0)
    silent = [reading.problem for reading in one.recorder.readings if reading.name == "up" and reading.problem]
    assert silent == [f"no answer from the probe for {seconds:.1f}s" for seconds in (4.0, 5.0)]


def test_a_late_answer_is_filed_under_the_phase_in_which_its_sample_began() -> None:
    one = observing()
    one.world.clock.wait(10.0)
    one.recorder.phase("rollback")
    one.world.clock.wait(2.0)
    one.recorder.phase("recovery")
    one.watch.begin_recovery()
    one.took(CHECK, GOOD["check"], at=9.5, took=2.5)
    one.took(CHECK, GOOD["check"], at=11.0, took=1.0)
    one.until(12.0, armed=False)
    assert [reading.phase for reading in one.recorder.readings] == ["observe", "rollback"]
    assert one.watch.streaks == {}


@pytest.mark.parametrize(("phase", "outcome"), [("inject", "held"), ("observe", "held"), ("rollback", "deviated")])
def test_the_looser_bound_is_for_samples_that_began_while_the_fault_was_in(phase: str, outcome: str) -> None:
    check = {"name": "up", "promql": "up", "at_least": 1, "during": {"at_least": 0.5}}
    one = eyes(steady_state=[check])
    one.recorder.phase(phase)  # type: ignore[arg-type]  # parametrised over phases
    one.took(CHECK, Sample(values=(0.7,)), at=0.0)
    one.until(0.0, armed=False)
    assert [reading.outcome for reading in one.recorder.readings] == [outcome]


def test_a_streak_is_of_readings_in_a_row() -> None:
    one = eyes()
    one.recorder.phase("recovery")
    one.watch.begin_recovery()
    for at, sample in enumerate([GOOD["check"], BAD["check"], GOOD["check"], GOOD["check"]]):
        one.took(CHECK, sample, at=float(at))
    one.until(4.0, armed=False)
    assert one.watch.streaks == {"up": (2, 2.0)}


def test_a_halt_wakes_the_watch_and_outranks_everything() -> None:
    one = observing()
    one.world.at(3.3, lambda: one.world.halt.engage("stopped by SIGINT"))
    assert one.until(100.0) == "halt"
    assert one.world.now == pytest.approx(3.3)


def test_the_store_hears_a_heartbeat_each_second_even_when_the_tick_is_faster() -> None:
    one = eyes(sampling={"tick": "100ms", "baseline": "2s"})
    one.until(10.0, armed=False)
    assert 9 <= one.world.book.calls["heartbeat"] <= 12
    assert 90 <= one.world.book.calls["halted"] <= 101


def test_many_samples_cannot_keep_the_watch_from_stopping() -> None:
    """Each judged sample brings another one; the breach among them must be noticed all the same."""
    one = observing()
    judged = iter(range(1000))

    class Flood:
        def reading(self, reading: object) -> None:
            if next(judged) < 900:
                one.took(ABORT, BAD["abort"], at=0.0)

        def phase(self, name: object, until: object) -> None:
            pass

        def event(self, event: object) -> None:
            pass

        def injection(self, injection: object) -> None:
            pass

    one.recorder._narrator = Flood()
    one.took(ABORT, BAD["abort"], at=0.0)
    assert one.until(100.0) == "condition"
    assert len(one.recorder.readings) < 10
