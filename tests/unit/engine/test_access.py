"""Connections to targets: one each, kept, thrown away after an error, closed at the end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chaoskit.domain.errors import Unreachable
from chaoskit.domain.ports import Target, TargetRef
from chaoskit.domain.targeting import TargetSpec
from chaoskit.engine.access import Access
from tests.unit.engine.kit import Connection, Machine, away

SPEC = TargetSpec.model_validate({"local": {"name": "web"}})
MACHINE = Machine(id="fake://web-0", name="web-0")


class Door:
    """A source that counts what it opens and closes."""

    def __init__(self, together: threading.Barrier | None = None) -> None:
        self.opened: list[Target] = []
        self.closed: list[Target] = []
        self._together = together
        self.closing_fails = False

    def __call__(self, spec: TargetSpec) -> "Door":
        return self

    def discover(self) -> list[TargetRef]:
        return [MACHINE.ref]

    @contextmanager
    def open(self, ref: TargetRef) -> Iterator[Target]:
        with MACHINE.doing("open"):
            target = Connection(MACHINE)
        if self._together:
            self._together.wait()
        self.opened.append(target)
        yield target
        self.closed.append(target)
        if self.closing_fails:
            raise OSError("already closed")


def test_a_target_is_opened_once_and_kept() -> None:
    door = Door()
    access = Access(door)
    assert access.target(SPEC, MACHINE.ref) is access.target(SPEC, MACHINE.ref)
    assert len(door.opened) == 1


def test_a_forgotten_target_is_closed_and_opened_anew() -> None:
    door = Door()
    access = Access(door)
    first = access.target(SPEC, MACHINE.ref)
    access.forget(MACHINE.ref)
    access.forget(MACHINE.ref)
    assert door.closed == [first]
    assert access.target(SPEC, MACHINE.ref) is not first


def test_closing_closes_what_is_open_and_never_raises() -> None:
    door = Door()
    door.closing_fails = True
    access = Access(door)
    target = access.target(SPEC, MACHINE.ref)
    access.close()
    access.close()
    assert door.closed == [target]


def test_two_threads_that_open_one_target_share_one_connection_and_the_other_is_closed() -> None:
    door = Door(threading.Barrier(2, timeout=10))
    access = Access(door)
    got: list[Target] = []
    threads = [threading.Thread(target=lambda: got.append(access.target(SPEC, MACHINE.ref))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(door.opened) == 2
    assert got[0] is got[1]
    assert door.closed == [target for target in door.opened if target is not got[0]]


def test_a_target_that_could_not_be_opened_is_tried_again_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MACHINE.before, "open", away(times=1))
    access = Access(Door())
    with pytest.raises(Unreachable):
        access.target(SPEC, MACHINE.ref)
    assert access.target(SPEC, MACHINE.ref).id == MACHINE.id
