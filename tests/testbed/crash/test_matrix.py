"""The runner dies anywhere, on real targets: a sample of the matrix that ``.ci/soak`` tries as a whole.

The sample hits every effect that a run has, and every case of the fault contract in each phase in which a fault may be
in, with its guardian and without. Which cells these are, ``CHAOSKIT_CRASH_SEED`` says. How long it took is told by
``.ci/soak``, on a machine that has nothing else to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.testbed.crash.cases import IN_CONTAINERS, MAKERS
from tests.testbed.crash.dying import Came, Cell
from tests.testbed.crash.matrix import RISKY, engine_trouble, hall, possible_cases, sample

SEED = os.environ.get("CHAOSKIT_CRASH_SEED", "1")
pytestmark = pytest.mark.timeout(900)


class Tried(NamedTuple):
    """All cells there are, and what came of the sample."""

    cells: list[Cell]
    came: list[Came]


@pytest.fixture(scope="module")
def tried() -> Iterator[Tried]:
    with hall() as it:
        cells = [cell for found in it.traces(possible_cases()).values() for cell in found]
        yield Tried(cells, it.tries(sample(cells, SEED)))


@pytest.mark.parametrize("case", MAKERS)
def test_wherever_its_runner_dies_nothing_of_a_fault_is_left(case: str, tried: Tried) -> None:
    if case in IN_CONTAINERS and (trouble := engine_trouble()):
        pytest.skip(f"missing capability: a Docker engine ({trouble})")
    came = [one for one in tried.came if one.cell.case == case]
    assert {(one.cell.phase, one.cell.both) for one in came} >= {(phase, both) for phase in RISKY for both in (0, 1)}
    assert [f"{one.cell}: {what}" for one in came for what in one.wrong] == []


def test_the_sample_hits_every_effect_and_hardly_ever_misses(tried: Tried) -> None:
    assert {one.cell.point.effect for one in tried.came} == {cell.point.effect for cell in tried.cells}
    assert sum(not one.burnt for one in tried.came) <= len(tried.came) / 10
    broken = [one for one in tried.came if one.clean > 0]
    assert len(broken) > len(tried.came) / 4, "most of these deaths found a target that was well"
