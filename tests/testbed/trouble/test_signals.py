"""Signals at the worst moments: while something is being injected, and to everything that a terminal has started."""

import os
import signal

from chaoskit.engine.injecting import LANDS_WITHIN
from chaoskit.engine.runner import HURRY
from chaoskit.faults._instance import ENGINE_TAKES
from chaoskit.targets.docker_target import STEADY
from tests.testbed.docker import docker_parts as parts
from tests.testbed.trouble.kit import LEASE, SLACK, Chaoskit, Sleeper, experiment, seconds_until, verdict

GRACE = 2
UNDONE_WITHIN = GRACE + ENGINE_TAKES + STEADY
"""Seconds that the undo of a stop may take: what is under way in the engine is waited for, and so is the start."""


def test_ctrl_c_twice_while_a_container_is_being_stopped_leaves_it_running(
    chaoskit: Chaoskit, busybox_image: str
) -> None:
    with (
        parts.container(busybox_image, script=parts.IGNORES_TERM) as target,
        parts.container(busybox_image) as bystander,
    ):
        before = parts.inspect(bystander)
        name = parts.inspect(target)["Name"].removeprefix("/")
        faults = [{"kind": "instance.stop", "target": "it", "grace": f"{GRACE}s", "duration": "60s"}]
        runner = chaoskit.run(experiment({"docker": {"names": [name]}}, "instance.stop", faults=faults))
        runner.says("phase     inject")
        for _ in range(2):  # as a terminal does: to every process of the group
            os.killpg(runner.process.pid, signal.SIGINT)
        assert runner.ended(HURRY + UNDONE_WITHIN + LANDS_WITHIN + SLACK) == 4, runner.output
        record = chaoskit.record()
        assert verdict(record) == "aborted"
        assert record["run"]["abort"]["reason"] == "stopped by SIGINT"
        seconds_until(lambda: parts.running(target), "it runs", every=0.2)
        assert parts.inspect(target)["State"]["Running"]
        chaoskit.guardians_end(LEASE + SLACK)
        assert chaoskit.left_behind() == []
        assert parts.inspect(bystander) == before


def test_ctrl_backslash_ends_in_a_restored_system(chaoskit: Chaoskit, sleeper: Sleeper) -> None:
    runner = chaoskit.run(experiment(sleeper.selector, "process.pause"))
    runner.says("phase     observe")
    os.killpg(runner.process.pid, signal.SIGQUIT)
    os.killpg(runner.process.pid, signal.SIGQUIT)
    assert sleeper.thawed_after(lambda: runner.output) <= SLACK
    assert runner.ended() == 4, runner.output
    assert chaoskit.record()["run"]["abort"]["reason"] == "stopped by SIGQUIT"
    assert sleeper.bystander_untouched


def test_a_runner_that_crashes_is_undone_by_its_guardian(chaoskit: Chaoskit, sleeper: Sleeper) -> None:
    runner = chaoskit.under_way(experiment(sleeper.selector, "process.pause"))
    runner.process.send_signal(signal.SIGSEGV)
    assert sleeper.thawed_after(chaoskit.log) <= SLACK
    assert runner.ended() == -signal.SIGSEGV
    chaoskit.guardians_end()
    assert verdict(chaoskit.record()) == "error"
    assert chaoskit.left_behind() == []
    assert sleeper.bystander_untouched
