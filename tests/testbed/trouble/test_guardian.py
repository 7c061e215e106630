"""Trouble of the guardian itself, beside what tests/testbed/guardian shows of it, and the trouble of its store."""

import os
import signal

from tests.testbed.trouble.containers import container
from tests.testbed.trouble.kit import SLACK, Chaoskit, experiment, seconds_until, verdict


def test_a_frozen_guardian_of_a_killed_runner_restores_when_it_goes_on(chaoskit: Chaoskit) -> None:
    with container() as target:
        runner = chaoskit.under_way(experiment(target.selector, "instance.pause"))
        pid = chaoskit.guardian()["pid"]
        os.kill(pid, signal.SIGSTOP)
        runner.kill()
        told = chaoskit("status")
        assert target.paused
        assert told.returncode == 6, "the fault is in, its runner is dead, and nobody claims otherwise"
        assert f"pid {pid}, armed" in told.stdout
        os.kill(pid, signal.SIGCONT)
        assert seconds_until(lambda: not target.paused, chaoskit.log(), every=0.1) <= SLACK
        chaoskit.guardians_end()
        assert verdict(chaoskit.record()) == "error"
        assert chaoskit.left_behind() == []
        assert target.bystander_untouched


def test_a_person_is_quicker_than_a_frozen_guardian_and_neither_does_harm(chaoskit: Chaoskit) -> None:
    with container() as target:
        runner = chaoskit.under_way(experiment(target.selector, "instance.pause"))
        pid = chaoskit.guardian()["pid"]
        os.kill(pid, signal.SIGSTOP)
        runner.kill()
        done = chaoskit("rollback")
        assert done.returncode == 0, done.stdout + done.stderr
        assert not target.paused
        before, facts = chaoskit.record(), target.facts
        os.kill(pid, signal.SIGCONT)
        chaoskit.guardians_end()
        assert target.facts == facts
        assert chaoskit.record() == before
        assert chaoskit.left_behind() == []
        assert target.bystander_untouched
