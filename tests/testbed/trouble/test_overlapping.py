"""Two runners at once whose sets of targets overlap: one goes on undisturbed, the other touches nothing at all."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.trouble.kit import Chaoskit, Runner, Sleeper, experiment, seconds_until, verdict


class Bed:
    """Three processes and two experiments: one on the first two, one on the last two."""

    def __init__(self, folder: Path, mark: str) -> None:
        left, right = f"left-{mark}", f"right-{mark}"
        self.sleepers = [Sleeper(left), Sleeper(f"{left} {right}"), Sleeper(right)]
        self.experiments = [
            experiment(
                {"local": {"cmdline": word}},
                "process.pause",
                name=name,
                faults=[{"kind": "process.pause", "target": "it", "pick": "all", "duration": "5m"}],
                blast_radius={"max_targets": 2},
            )
            for name, word in (("left", left), ("right", right))
        ]
        self.chaoskit = Chaoskit(folder)

    def frozen(self) -> list[bool]:
        return [one.frozen() for one in self.sleepers]

    def run(self, which: int) -> Runner:
        return self.chaoskit.run(self.experiments[which])

    def close(self) -> None:
        self.chaoskit.close()
        for one in self.sleepers:
            one.close()


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path, secrets.token_hex(8))
    yield made
    made.close()


@pytest.mark.parametrize("first", [0, 1])
def test_the_second_of_two_overlapping_runs_is_blocked_whole(bed: Bed, first: int) -> None:
    second = 1 - first
    holds = [True, True, False] if first == 0 else [False, True, True]
    holder = bed.run(first)
    holder.says("phase     observe")
    assert bed.frozen() == holds
    late = bed.run(second)
    assert late.ended() == 3, late.output
    assert bed.frozen() == holds
    (live,) = bed.chaoskit.status()["live"]
    assert live["run"] in late.output
    blocked = bed.chaoskit.record()
    assert verdict(blocked) == "blocked"
    assert blocked["run"]["injections"] == []
    holder.process.terminate()
    assert holder.ended() == 4, holder.output
    assert bed.frozen() == [False] * 3
    assert bed.chaoskit.left_behind() == []
    assert all(one.bystander_untouched for one in bed.sleepers)


def test_of_two_overlapping_runs_that_start_at_once_exactly_one_injects(bed: Bed) -> None:
    runners = [bed.run(0), bed.run(1)]
    seconds_until(lambda: any(one.process.poll() is not None for one in runners), "one of them is refused")
    ended = [one for one in runners if one.process.poll() is not None]
    (holder,) = (one for one in runners if one not in ended)
    holder.says("phase     observe")
    assert [one.process.returncode for one in ended] == [3], ended[0].output
    assert bed.frozen() == ([True, True, False] if holder is runners[0] else [False, True, True])
    holder.process.terminate()
    assert holder.ended() == 4, holder.output
    assert bed.frozen() == [False] * 3
    assert bed.chaoskit.left_behind() == []
