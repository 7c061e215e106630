"""The contract of every fault, on real processes of this machine."""

from functools import partial

import pytest

from chaoskit.domain.errors import TargetError
from chaoskit.domain.ports import Injection
from chaoskit.faults.process_kill import ProcessKill
from chaoskit.faults.process_pause import ProcessPause
from tests.contract import Bed, Case, FaultContract, restored
from tests.testbed.local.process_parts import COMMAND, server_bed

PAUSE = [
    Case("pause, by port", ProcessPause(), partial(server_bed, "port")),
]
RESTARTED = [
    Case("kill, by port", ProcessKill(restart=COMMAND), partial(server_bed, "port")),
    Case("kill, by command line", ProcessKill(restart=COMMAND), partial(server_bed, "cmdline")),
    Case("kill TERM", ProcessKill(restart=COMMAND, signal="TERM"), partial(server_bed, "port")),
]
SUPERVISED = [
    Case(
        "kill, supervised",
        ProcessKill(supervised=True),
        partial(server_bed, "port", supervised=True),
        breaks=False,
        by_itself=True,
    )
]


@pytest.mark.parametrize("case", PAUSE, ids=str)
class TestPause(FaultContract):
    pass


@pytest.mark.parametrize("case", RESTARTED + SUPERVISED, ids=str)
class TestKill(FaultContract):
    def test_a_target_removed_meanwhile_is_gone_not_restored(self, bed: Bed, injection: Injection) -> None:
        """A killed process is gone by design; removed for good means that nothing can start it again."""
        with bed.open() as target:
            injection.inject(target)
            bed.remove()
            assert injection.verify(target) != ()
        assert not restored(bed, injection)
        with bed.open() as target:
            assert injection.verify(target) != ()

    def test_a_target_that_cannot_come_back_makes_a_revert_say_so(self, case: Case, bed: Bed) -> None:
        with bed.open() as target:
            injection = case.fault.prepare(target, "chaoskit-contract-1")
            injection.inject(target)
            bed.remove()
            if case.by_itself:
                assert "supervisor has not started it again" in injection.revert(target)
            else:
                with pytest.raises(TargetError, match=r"serve\.py"):
                    injection.revert(target)
