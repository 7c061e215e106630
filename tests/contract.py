"""What every fault must do on a real target, whatever the target is.

A test module makes a :class:`Case` for each fault and parameter set, and subclasses :class:`FaultContract`::

    @pytest.mark.parametrize("case", CASES, ids=str)
    class TestFaultsOnDocker(FaultContract):
        pass

Each test gets a fresh :class:`Bed`: one real target to break, and ways to look at it that do not go through
chaoskit. What is asserted here is what the product promises, so a bound is never loosened for one fault: a fault
that cannot meet the contract on a kind of target refuses that target in ``prepare``.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pytest

from chaoskit.domain.errors import TargetError, TargetGone
from chaoskit.domain.ports import Fault, Injection, SelfReverting, Target

TAG = "chaoskit-contract-1"
OTHER_TAG = "chaoskit-contract-2"
SETTLES_WITHIN = 10.0
BITES_WITHIN = 3.0


class Bed(Protocol):
    """One real target that may be broken, and how to look at it from outside. Every call is bounded."""

    def open(self) -> AbstractContextManager[Target]:
        """A new connection to the target, made from data alone, as after a crash of the runner."""

    def group(self) -> dict[str, object]:
        """The target group of an experiment file that selects this target and no other."""

    def facts(self) -> object:
        """What must be as before once a fault is undone, read without chaoskit."""

    def trace(self) -> object:
        """The facts and whatever else any touch would change (start time, pid): equal only if nothing was done."""

    def serving(self) -> bool:
        """Whether the target's service answers, asked once from outside."""

    def bystanders(self) -> object:
        """The facts of everything near the target that no fault may touch."""

    def stop(self) -> None:
        """Somebody else stops the target."""

    def remove(self) -> None:
        """Somebody else removes the target for good."""


@dataclass(frozen=True)
class Case:
    """A fault with its parameters, and where to try it.

    ``breaks``: the service is down from inject until revert. ``by_itself``: the target comes back without a revert
    (a restart, a restart policy).
    """

    name: str
    fault: Fault
    bed: Callable[[], AbstractContextManager[Bed]]
    breaks: bool = True
    by_itself: bool = False

    def __str__(self) -> str:
        return self.name


def eventually(holds: Callable[[], bool], within: float = SETTLES_WITHIN) -> bool:
    """Whether ``holds`` becomes true within so many seconds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def from_journal(injection: Injection) -> Injection:
    """The injection as another process would read it back."""
    return type(injection).model_validate(json.loads(injection.model_dump_json()))


def restored(bed: Bed, injection: Injection) -> bool:
    """Revert and verify over a new connection, and say whether chaoskit claims the target restored."""
    try:
        with bed.open() as target:
            injection.revert(target)
            return injection.verify(target) == ()
    except TargetError:
        return False


def run_undo_script(bed: Bed, injection: SelfReverting) -> None:
    """Let the target undo it as its dead-man timer would."""
    with bed.open() as target:
        done = target.run("sh", "-c", injection.undo_script())
    assert done.status == 0, done


class FaultContract:
    """Inherit and parametrise ``case``."""

    @pytest.fixture
    def bed(self, case: Case) -> Iterator[Bed]:
        """A fresh target that serves."""
        with case.bed() as bed:
            assert eventually(bed.serving), "the bed itself does not serve"
            yield bed

    @pytest.fixture
    def injection(self, case: Case, bed: Bed) -> Injection:
        """The fault bound to the target; nothing is injected yet."""
        with bed.open() as target:
            return case.fault.prepare(target, TAG)

    def test_prepare_changes_nothing(self, case: Case, bed: Bed) -> None:
        before = bed.trace(), bed.bystanders()
        with bed.open() as target:
            case.fault.prepare(target, TAG)
        assert (bed.trace(), bed.bystanders()) == before

    def test_an_injection_survives_the_journal(self, case: Case, injection: Injection) -> None:
        assert type(injection) is case.fault.injection
        assert from_journal(injection) == injection

    def test_an_injection_says_what_it_does_and_how_to_undo_it(self, bed: Bed, injection: Injection) -> None:
        with bed.open() as target:
            assert (injection.tag, injection.target) == (TAG, target.id)
        for lines in (injection.actions(), injection.undo(), injection.by_hand()):
            assert lines
            assert all(line.strip() and "\n" not in line for line in lines)

    def test_nothing_is_claimed_before_inject(self, bed: Bed, injection: Injection) -> None:
        with bed.open() as target:
            before = bed.trace()
            assert injection.effect(target).bit is not True
            assert injection.verify(target) == ()
            injection.drift(target)
        assert bed.trace() == before

    def test_inject_bites_and_the_service_shows_it(self, case: Case, bed: Bed, injection: Injection) -> None:
        with bed.open() as target:
            injection.inject(target)
            assert eventually(lambda: injection.effect(target).bit is True, BITES_WITHIN)
            effect = injection.effect(target)
            assert effect.requested
            assert effect.measured
            if case.breaks:
                assert not bed.serving()
                assert injection.verify(target) != ()
                assert injection.drift(target) == ""
                assert not eventually(bed.serving, within=0.5), "the fault did not last"
            if case.by_itself:
                assert eventually(bed.serving), "the target was to come back without a revert"

    def test_looking_does_not_touch(self, case: Case, bed: Bed, injection: Injection) -> None:
        with bed.open() as target:
            injection.inject(target)
            if case.by_itself:
                assert eventually(bed.serving)
            before = bed.trace(), bed.bystanders()
            injection.effect(target)
            injection.verify(target)
            injection.drift(target)
            assert (bed.trace(), bed.bystanders()) == before

    def test_one_revert_in_a_new_process_restores(self, bed: Bed, injection: Injection) -> None:
        before = bed.facts(), bed.bystanders()
        with bed.open() as target:
            injection.inject(target)
        again = from_journal(injection)
        with bed.open() as target:
            assert again.revert(target).strip()
            assert again.verify(target) == ()
        assert eventually(bed.serving)
        assert (bed.facts(), bed.bystanders()) == before

    def test_inject_twice_then_revert_once_is_clean(self, bed: Bed, injection: Injection) -> None:
        before = bed.facts(), bed.bystanders()
        with bed.open() as target:
            injection.inject(target)
            injection.inject(target)
            injection.revert(target)
            assert injection.verify(target) == ()
        assert eventually(bed.serving)
        assert (bed.facts(), bed.bystanders()) == before

    def test_revert_without_inject_changes_nothing(self, bed: Bed, injection: Injection) -> None:
        before = bed.trace(), bed.bystanders()
        with bed.open() as target:
            assert injection.revert(target).strip()
            assert injection.verify(target) == ()
        assert (bed.trace(), bed.bystanders()) == before

    def test_a_second_revert_changes_nothing(self, bed: Bed, injection: Injection) -> None:
        with bed.open() as target:
            injection.inject(target)
            injection.revert(target)
            before = bed.trace(), bed.bystanders()
            injection.revert(target)
            assert injection.verify(target) == ()
        assert (bed.trace(), bed.bystanders()) == before

    def test_where_it_has_an_undo_script_that_alone_restores(self, bed: Bed, injection: Injection) -> None:
        if not isinstance(injection, SelfReverting):
            return
        before = bed.facts(), bed.bystanders()
        with bed.open() as target:
            injection.inject(target)
        for _ in ("once", "once more"):
            run_undo_script(bed, injection)
        with bed.open() as target:
            assert injection.verify(target) == ()
        assert eventually(bed.serving)
        assert (bed.facts(), bed.bystanders()) == before

    def test_where_it_has_an_undo_script_that_without_inject_changes_nothing(
        self, bed: Bed, injection: Injection
    ) -> None:
        if not isinstance(injection, SelfReverting):
            return
        before = bed.trace(), bed.bystanders()
        run_undo_script(bed, injection)
        with bed.open() as target:
            assert injection.verify(target) == ()
        assert (bed.trace(), bed.bystanders()) == before

    def test_a_target_stopped_meanwhile_is_never_called_restored_unless_it_serves(
        self, bed: Bed, injection: Injection
    ) -> None:
        with bed.open() as target:
            injection.inject(target)
        bed.stop()
        assert not bed.serving()
        claim = restored(bed, injection)
        assert claim == eventually(bed.serving, within=SETTLES_WITHIN if claim else 1.0)

    def test_a_target_removed_meanwhile_is_gone_not_restored(self, bed: Bed, injection: Injection) -> None:
        with bed.open() as target:
            injection.inject(target)
            bed.remove()
            with pytest.raises(TargetGone):
                injection.revert(target)
            with pytest.raises(TargetGone):
                injection.verify(target)
            assert injection.effect(target).bit is not True
            assert injection.drift(target)
        assert not restored(bed, injection)

    def test_the_commands_by_hand_restore(self, bed: Bed, injection: Injection) -> None:
        before = bed.facts(), bed.bystanders()
        with bed.open() as target:
            injection.inject(target)
        for line in injection.by_hand():
            done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, (line, done.stderr)
        assert eventually(bed.serving)
        with bed.open() as target:
            assert injection.verify(target) == ()
        assert (bed.facts(), bed.bystanders()) == before


class TwoFaultsContract:
    """Inherit, and give ``case`` and ``second``: a fault that can be in force on the same target at once."""

    def test_two_injections_do_not_undo_each_other(self, case: Case, second: Fault) -> None:
        with case.bed() as bed:
            assert eventually(bed.serving), "the bed itself does not serve"
            undo_one_of_two(case.fault, second, bed)


def undo_one_of_two(first: Fault, second: Fault, bed: Bed) -> None:
    """Inject both, revert the first, see that the second is still in force, revert that too."""
    before = bed.facts(), bed.bystanders()
    with bed.open() as target:
        one, other = first.prepare(target, TAG), second.prepare(target, OTHER_TAG)
        one.inject(target)
        other.inject(target)
        one.revert(target)
        assert other.effect(target).bit is True
        assert other.verify(target) != ()
        other.revert(target)
        assert (one.verify(target), other.verify(target)) == ((), ())
    assert (bed.facts(), bed.bystanders()) == before
