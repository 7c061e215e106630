"""Every fault on instances and their networks keeps the contract, on real containers."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from chaoskit.domain.ports import Fault
from chaoskit.faults.instance_kill import InstanceKill
from chaoskit.faults.instance_pause import InstancePause
from chaoskit.faults.instance_restart import InstanceRestart
from chaoskit.faults.instance_stop import InstanceStop
from chaoskit.faults.network_disconnect import NetworkDisconnect
from tests.contract import Case, FaultContract, TwoFaultsContract
from tests.testbed.docker.conftest import Place
from tests.testbed.docker.docker_parts import DockerBed, bed

MakeCase = Callable[[Place], Case]


def on_one_network(place: Place, *options: str) -> Callable[[], AbstractContextManager[DockerBed]]:
    return lambda: bed(place.image, [place.plain], place.bystanders, *options)


def on_two_networks(place: Place) -> Callable[[], AbstractContextManager[DockerBed]]:
    return lambda: bed(place.image, [place.subnet, place.plain], place.bystanders, "--ip", place.address(200))


def simple(fault: Fault, *, breaks: bool = True, by_itself: bool = False) -> MakeCase:
    return lambda place: Case(fault.kind, fault, on_one_network(place), breaks=breaks, by_itself=by_itself)


def crash_with_policy(place: Place) -> Case:
    fault = InstanceKill(via="process")
    return Case("crash", fault, on_one_network(place, "--restart", "always"), breaks=False, by_itself=True)


def disconnect_all(place: Place) -> Case:
    return Case("disconnect", NetworkDisconnect(), on_two_networks(place))


def disconnect_one(place: Place) -> Case:
    return Case("disconnect one", NetworkDisconnect(network=place.subnet), on_two_networks(place))


CASES: dict[str, MakeCase] = {
    "kill": simple(InstanceKill()),
    "kill-term": simple(InstanceKill.model_validate({"signal": "TERM"})),
    "crash": simple(InstanceKill(via="process")),
    "crash-restarted-by-policy": crash_with_policy,
    "stop": simple(InstanceStop.model_validate({"grace": "1s"})),
    "restart": simple(InstanceRestart.model_validate({"grace": "1s"}), breaks=False, by_itself=True),
    "pause": simple(InstancePause()),
    "disconnect-all": disconnect_all,
    "disconnect-one-of-two": disconnect_one,
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, place: Place) -> Case:
    return CASES[request.param](place)


class TestFaultsOnContainers(FaultContract):
    pass


class TestTwoDisconnections(TwoFaultsContract):
    @pytest.fixture
    def case(self, place: Place) -> Case:
        return disconnect_one(place)

    @pytest.fixture
    def second(self, place: Place) -> Fault:
        return NetworkDisconnect(network=place.plain)
