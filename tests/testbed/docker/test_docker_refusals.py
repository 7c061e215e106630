"""Who is refused and why, and what is claimed of signals: on real containers."""

import pytest

from chaoskit.domain.errors import Unsupported
from chaoskit.domain.ports import Fault, Target, lifecycle
from chaoskit.faults.instance_kill import InstanceKill
from chaoskit.faults.instance_pause import InstancePause
from chaoskit.faults.instance_restart import InstanceRestart
from chaoskit.faults.instance_stop import InstanceStop
from chaoskit.faults.network_disconnect import NetworkDisconnect
from tests.contract import TAG, eventually
from tests.testbed.docker.conftest import Place
from tests.testbed.docker.docker_parts import (
    IGNORES_TERM,
    container,
    docker,
    opened,
    running,
    unique,
)

FAULTS: list[Fault] = [InstanceKill(), InstanceStop(), InstanceRestart(), InstancePause(), NetworkDisconnect()]
ENDING: list[Fault] = [InstanceKill(), InstanceStop(), InstanceRestart()]
TERM = InstanceKill.model_validate({"signal": "TERM"})
HUP = InstanceKill.model_validate({"signal": "HUP"})


def refused(target: Target, fault: Fault) -> str:
    with pytest.raises(Unsupported) as caught:
        fault.prepare(target, TAG)
    return str(caught.value)


# --- who is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_one_that_does_not_run_is_refused(fault: Fault, target: Target, web: str) -> None:
    docker("stop", "-t", "0", web)
    assert f"is exited; {fault.kind} needs an instance that is running" in refused(target, fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_one_that_is_paused_already_is_refused(fault: Fault, target: Target, web: str) -> None:
    docker("pause", web)
    assert "is paused" in refused(target, fault)
    docker("unpause", web)


@pytest.mark.parametrize("fault", ENDING, ids=lambda fault: fault.kind)
def test_one_that_the_engine_would_delete_is_refused(fault: Fault, place: Place) -> None:
    with container(place.image, "--rm") as made, opened(made) as target:
        assert "--rm" in refused(target, fault)
        InstancePause().prepare(target, TAG)


@pytest.mark.parametrize("fault", ENDING, ids=lambda fault: fault.kind)
def test_one_whose_network_others_live_in_is_refused(fault: Fault, target: Target, web: str, place: Place) -> None:
    name = unique("sidecar")
    with container(place.image, "--network", f"container:{web}", "--name", name, script="sleep 60"):
        assert f"lends its network to {name}" in refused(target, fault)
        InstancePause().prepare(target, TAG)


def test_networks_that_cannot_be_left_are_refused(place: Place, target: Target, web: str) -> None:
    with container(place.image, "--network", "none") as made, opened(made) as lonely:
        assert "the network 'none' is built in" in refused(lonely, NetworkDisconnect())
    with container(place.image, "--network", f"container:{web}", script="sleep 60") as made, opened(made) as guest:
        assert "is on no network of its own" in refused(guest, NetworkDisconnect())
    assert f"is not on the network 'backend'; it is on {place.plain}" in refused(
        target, NetworkDisconnect(network="backend")
    )


# --- signals ------------------------------------------------------------------------------------------------


def test_a_policy_is_lost_after_a_survived_signal_from_the_engine(place: Place) -> None:
    """The reason for the refusal below, as the engine does it today."""
    with container(place.image, "--restart", "always") as made, opened(made) as target:
        docker("kill", "--signal", "HUP", made)
        lifecycle(target).crash("KILL")
        assert not eventually(lambda: running(made), within=1.5)


@pytest.mark.parametrize("fault", [TERM, HUP], ids=lambda fault: fault.signal)
def test_a_signal_that_may_be_survived_is_refused_where_it_costs_the_restart_policy(fault: Fault, place: Place) -> None:
    with container(place.image, "--restart", "always") as made, opened(made) as target:
        assert "would switch its restart policy (always) off for good" in refused(target, fault)
        fault.model_copy(update={"via": "process"}).prepare(target, TAG)
        InstanceKill().prepare(target, TAG)


def test_a_signal_that_is_ignored_has_not_bitten(place: Place) -> None:
    with container(place.image, script=IGNORES_TERM) as made, opened(made) as target:
        injection = TERM.prepare(target, TAG)
        injection.inject(target)
        assert not eventually(lambda: injection.effect(target).bit is not False, within=1.0)
        assert "SIGTERM did not end it" in injection.effect(target).measured


def test_what_a_survived_signal_did_is_unknown(target: Target) -> None:
    injection = HUP.prepare(target, TAG)
    injection.inject(target)
    effect = injection.effect(target)
    assert effect.bit is None
    assert "cannot be seen from outside" in effect.measured


def test_a_kill_by_the_engine_is_not_answered_by_the_policy(place: Place) -> None:
    with container(place.image, "--network", place.plain, "--restart", "always") as made, opened(made) as target:
        injection = InstanceKill().prepare(target, TAG)
        injection.inject(target)
        assert not eventually(lambda: running(made), within=1.0)
        assert injection.revert(target) == "started by chaoskit"
        assert injection.verify(target) == ()


def test_a_crash_is_answered_by_the_policy_and_the_note_says_so(place: Place) -> None:
    with container(place.image, "--network", place.plain, "--restart", "always") as made, opened(made) as target:
        injection = InstanceKill(via="process").prepare(target, TAG)
        injection.inject(target)
        assert eventually(lambda: running(made))
        assert injection.effect(target).bit is True
        assert injection.drift(target) == ""
        assert injection.revert(target) == "was already running again, restarted by its policy (always)"


def test_a_crash_that_is_undone_at_once_is_not_taken_for_none(place: Place) -> None:
    with container(place.image, "--network", place.plain, "--restart", "always") as made, opened(made) as target:
        injection = InstanceKill(via="process").prepare(target, TAG)
        for _ in range(3):  # the engine doubles its pause before each restart
            injection.inject(target)
            assert injection.revert(target).endswith(", restarted by its policy (always)")
            assert injection.verify(target) == ()


@pytest.mark.parametrize("fault", [InstanceKill(), InstanceStop.model_validate({"grace": "0s"})], ids=lambda f: f.kind)
def test_the_restart_policy_is_in_force_again_after_the_undo(fault: Fault, place: Place) -> None:
    """Engines suspend it until the next start, and show nothing of that."""
    with container(place.image, "--restart", "unless-stopped") as made, opened(made) as target:
        injection = fault.prepare(target, TAG)
        injection.inject(target)
        injection.revert(target)
        lifecycle(target).crash("KILL")
        assert eventually(lambda: running(made))
