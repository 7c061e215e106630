"""The fuse itself: what is wrapped stays what it was, and a fuse that is not lit only counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from chaoskit.domain.capabilities import Lifecycle, Networks, Processes
from chaoskit.domain.targeting import LocalSelector
from chaoskit.drivers import Closes
from chaoskit.faults.process_kill import Remembers
from chaoskit.targets.docker import DockerSource
from chaoskit.targets.docker_target import DockerTarget
from chaoskit.targets.local import LocalSource
from tests.testbed.crash.dying import ROOT
from tests.testbed.crash.fuse import Fuse, fused_source, fused_target
from tests.testbed.local.process_parts import server_bed

PROTOCOLS = (Lifecycle, Networks, Processes, Remembers, Closes)


@pytest.fixture
def fuse(tmp_path: Path) -> Fuse:
    return Fuse(None, both=False, note=tmp_path / "note.json")


def satisfied(thing: object) -> list[str]:
    return [protocol.__name__ for protocol in PROTOCOLS if isinstance(thing, protocol)]


class Engine:
    """As much of an engine as a container needs to be told apart."""

    command = ("docker",)


def test_a_fused_container_can_do_what_a_container_can_and_nothing_else(fuse: Fuse) -> None:
    target = DockerTarget.__new__(DockerTarget)
    target.id, target._engine, target._container = "docker://e/web@c", Engine(), "c"  # type: ignore[assignment]
    assert satisfied(fused_target(fuse, target)) == satisfied(target) == ["Lifecycle", "Networks"]
    assert fused_target(fuse, target).handle == target.handle
    assert fuse.seen == []


def test_a_fused_process_can_do_what_a_process_can_and_each_look_and_touch_is_an_effect(fuse: Fuse) -> None:
    with server_bed() as bed, fused_source(fuse, LocalSource(bed.selector)).open(bed.ref) as target:
        plain = LocalSource(bed.selector)
        with plain.open(bed.ref) as original:
            assert satisfied(target) == satisfied(original) == ["Processes", "Remembers"]
            assert target.process() == original.process()
            target.signal_process("CONT")
        assert target.id == bed.ref.id
    assert [(one.effect, one.nth) for one in fuse.seen] == [
        ("source.open", 1),
        ("target.process", 1),
        ("target.signal_process", 1),
    ]


def test_a_source_keeps_its_own_protocol_too(fuse: Fuse) -> None:
    local = LocalSource(LocalSelector(port=1))
    assert satisfied(fused_source(fuse, local)) == satisfied(local) == []
    assert "Closes" in satisfied(fused_source(fuse, DockerSource.__new__(DockerSource)))


CALLS = """
import sys
from pathlib import Path
from tests.testbed.crash.dying import ROOT
from tests.testbed.crash.fuse import Fuse, Point, wrap

class Counter:
    def call(self):
        with open("calls", "a") as file:
            file.write(".")

moment, calls = sys.argv[1:]
wrap(Fuse(Point("count", 2, moment), both=False, note=Path("note.json")), Counter, "call", "count")
for _ in range(int(calls)):
    Counter().call()
"""


def call(folder: Path, moment: str, times: int) -> int:
    """How a process ends that makes so many calls, with a fuse at the second."""
    argv = [sys.executable, "-c", CALLS, moment, str(times)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, cwd=folder, env=environment, timeout=60, check=False).returncode


@pytest.mark.parametrize(("moment", "calls"), [("before", "."), ("after", "..")])
def test_a_fuse_kills_at_its_point_and_nowhere_else(tmp_path: Path, moment: str, calls: str) -> None:
    assert call(tmp_path, moment, times=5) == -signal.SIGKILL
    assert f"{moment} count 2" in (tmp_path / "note.json").read_text()
    assert (tmp_path / "calls").read_text() == calls


def test_a_fuse_whose_time_never_comes_does_nothing(tmp_path: Path) -> None:
    assert call(tmp_path, "before", times=1) == 0
    assert not (tmp_path / "note.json").exists()


def test_what_is_opened_is_closed(fuse: Fuse) -> None:
    order: list[str] = []

    class Source:
        def open(self, _ref: object) -> AbstractContextManager[str]:
            @contextmanager
            def opened() -> Iterator[str]:
                order.append("open")
                yield "a target"
                order.append("close")

            return opened()

    with fused_source(fuse, Source()).open(None):
        order.append("use")
    assert order == ["open", "use", "close"]
