"""What is special about single faults on containers: who is refused and why, what is claimed, what is told."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from chaoskit.domain.errors import Unsupported
from chaoskit.domain.ports import Fault, Injection, Residue, Target, TargetRef, lifecycle
from chaoskit.domain.targeting import DockerSelector
from chaoskit.faults.instance_kill import InstanceKill
from chaoskit.faults.instance_pause import InstancePause
from chaoskit.faults.instance_restart import InstanceRestart
from chaoskit.faults.instance_stop import InstanceStop
from chaoskit.faults.network_disconnect import NetworkDisconnect
from chaoskit.targets.docker import DockerSource
from tests.contract import TAG, eventually, restored
from tests.testbed.docker.conftest import Place
from tests.testbed.docker.docker_parts import (
    ENDS_ON_TERM,
    IGNORES_TERM,
    PORT,
    answers,
    bed,
    container,
    docker,
    inspect,
    opened,
    unique,
)

FAULTS: list[Fault] = [InstanceKill(), InstanceStop(), InstanceRestart(), InstancePause(), NetworkDisconnect()]
ENDING: list[Fault] = [InstanceKill(), InstanceStop(), InstanceRestart()]
TERM = InstanceKill.model_validate({"signal": "TERM"})
HUP = InstanceKill.model_validate({"signal": "HUP"})


@pytest.fixture
def web(place: Place) -> Iterator[str]:
    with container(place.image, "--network", place.plain) as made:
        yield made


@pytest.fixture
def target(web: str) -> Iterator[Target]:
    with opened(web) as it:
        yield it


def running(container_id: str) -> bool:
    return bool(inspect(container_id)["State"]["Running"])


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
        for _ in range(5):
            injection.inject(target)
            assert "nothing to undo" not in injection.revert(target)
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


# --- under way when the runner died -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (["stop", "-t", "2"], InstanceStop.model_validate({"grace": "2s"})),
        (["restart", "-t", "2"], InstanceRestart.model_validate({"grace": "2s"})),
    ],
    ids=["stop", "restart"],
)
def test_what_is_still_under_way_in_the_engine_is_undone_too(command: list[str], fault: Fault, place: Place) -> None:
    with bed(place.image, [place.plain], (), script=IGNORES_TERM) as it, it.open() as target:
        injection = fault.prepare(target, TAG)
        with subprocess.Popen(["docker", *command, it.id], stdout=subprocess.DEVNULL) as under_way:
            assert restored(it, injection)
            under_way.wait(30)
        assert eventually(it.serving)
        assert not eventually(lambda: not running(it.id), within=2.0)


def test_a_process_that_takes_its_time_to_end_is_brought_back(place: Place) -> None:
    slow = ENDS_ON_TERM.replace("exit 0", "sleep 2; exit 0")
    with bed(place.image, [place.plain], (), script=slow) as it, it.open() as target:
        injection = TERM.prepare(target, TAG)
        injection.inject(target)
        assert injection.effect(target).bit is False
        assert injection.revert(target) == "started by chaoskit"
        assert injection.verify(target) == ()
        assert eventually(it.serving)


# --- drift --------------------------------------------------------------------------------------------------


def thaw(container_id: str) -> None:
    docker("unpause", container_id)


def start(container_id: str) -> None:
    docker("start", container_id)


def restart(container_id: str) -> None:
    docker("restart", "-t", "0", container_id)


def stop(container_id: str) -> None:
    docker("stop", "-t", "0", container_id)


@pytest.mark.parametrize(
    ("fault", "meddle", "told"),
    [
        (InstancePause(), thaw, "thawed by somebody else"),
        (InstancePause(), restart, "restarted by somebody else"),
        (InstancePause(), stop, "stopped by somebody else"),
        (InstanceStop.model_validate({"grace": "0s"}), start, "started again by somebody else"),
        (NetworkDisconnect(), restart, "restarted at"),
        (NetworkDisconnect(), stop, "stopped by somebody else"),
    ],
)
def test_meddling_is_noticed(fault: Fault, meddle: Callable[[str], None], told: str, target: Target, web: str) -> None:
    injection = fault.prepare(target, TAG)
    injection.inject(target)
    assert injection.drift(target) == ""
    meddle(web)
    assert told in injection.drift(target)


def test_an_attachment_by_somebody_else_is_noticed(target: Target, web: str, place: Place) -> None:
    injection = NetworkDisconnect().prepare(target, TAG)
    injection.inject(target)
    docker("network", "connect", place.plain, web)
    assert injection.drift(target) == f"attached again to {place.plain} by somebody else"
    assert injection.effect(target).bit is False


def test_a_killed_one_that_is_started_by_its_keeper_is_no_drift(target: Target, web: str) -> None:
    injection = InstanceKill().prepare(target, TAG)
    injection.inject(target)
    docker("start", web)
    assert injection.drift(target) == ""
    assert injection.effect(target).bit is True
    assert injection.revert(target).startswith("was already running again, started by somebody else")


def test_one_that_somebody_stopped_while_it_was_frozen_is_residue(target: Target, web: str) -> None:
    injection = InstancePause().prepare(target, TAG)
    injection.inject(target)
    docker("stop", "-t", "0", web)
    assert injection.revert(target) == "was not paused; nothing to undo"
    (residue,) = injection.verify(target)
    assert re.fullmatch(r"not running: exited \(exit code \d+\); it was running before", residue)


def test_one_that_is_frozen_by_somebody_else_after_it_came_back_is_residue(target: Target, web: str) -> None:
    injection = InstanceKill().prepare(target, TAG)
    injection.inject(target)
    docker("start", web)
    docker("pause", web)
    assert injection.revert(target) == "runs, but somebody else has paused it"
    assert injection.verify(target) == ("paused; it was not paused before",)
    docker("unpause", web)


# --- health -------------------------------------------------------------------------------------------------


def test_a_health_check_that_starts_anew_is_no_residue_and_one_that_fails_is(place: Place) -> None:
    checks = ("--health-cmd", "test ! -e /tmp/ill", "--health-interval", "200ms", "--health-retries", "1")

    def health() -> str:
        return str(inspect(made)["State"]["Health"]["Status"])

    with container(place.image, *checks) as made, opened(made) as target:
        assert eventually(lambda: health() == "healthy")
        injection = InstanceKill().prepare(target, TAG)
        injection.inject(target)
        injection.revert(target)
        assert injection.verify(target) == ()
        docker("exec", made, "sh", "-c", "echo > /tmp/ill")
        assert eventually(lambda: health() == "unhealthy")
        assert injection.verify(target) == ("unhealthy; it was healthy before",)


# --- what the engine gives anew -----------------------------------------------------------------------------


def kill_and_revert(target: Target) -> tuple[Injection, str]:
    injection = InstanceKill().prepare(target, TAG)
    injection.inject(target)
    return injection, injection.revert(target)


def test_a_host_port_that_the_engine_chose_may_change_and_the_note_says_so(place: Place) -> None:
    with container(place.image, "--publish", f"127.0.0.1::{PORT}") as made, opened(made) as target:
        port = f"{PORT}/tcp"
        was = inspect(made)["NetworkSettings"]["Ports"][port][0]["HostPort"]
        injection, note = kill_and_revert(target)
        now = inspect(made)["NetworkSettings"]["Ports"][port][0]["HostPort"]
        told = "started by chaoskit" if now == was else f"started by chaoskit; host port of {port} is {now}, was {was}"
        assert note == told
        assert injection.verify(target) == ()


def test_an_address_that_somebody_took_meanwhile_is_told_and_not_pinned(target: Target, web: str, place: Place) -> None:
    was = inspect(web)["NetworkSettings"]["Networks"][place.plain]["IPAddress"]
    injection = NetworkDisconnect().prepare(target, TAG)
    injection.inject(target)
    with container(place.image, "--network", place.plain):
        note = injection.revert(target)
        now = inspect(web)["NetworkSettings"]["Networks"][place.plain]
        assert now["IPAddress"] != was
        assert note.endswith(f"address on {place.plain} is {now['IPAddress']}, was {was}")
        assert not now["IPAMConfig"]
        assert injection.verify(target) == ()
        assert answers(now["IPAddress"])


def test_the_default_bridge_and_its_fixed_host_port_come_back(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with container(place.image, "--publish", f"127.0.0.1:{port}:{PORT}") as made, opened(made) as target:
        assert eventually(lambda: answers("127.0.0.1", port))
        route = target.run("ip", "route").stdout.splitlines()[0].partition(" dev ")[0]
        injection = NetworkDisconnect().prepare(target, TAG)
        injection.inject(target)
        assert not answers("127.0.0.1", port)
        injection.revert(target)
        assert injection.verify(target) == ()
        assert eventually(lambda: answers("127.0.0.1", port))
        assert target.run("ip", "route").stdout.startswith(route)


# --- many at once -------------------------------------------------------------------------------------------


def test_many_targets_are_broken_and_mended_at_once_over_one_connection(place: Place) -> None:
    label = unique("crowd")
    with ExitStack() as crowd:
        for _ in range(6):
            crowd.enter_context(container(place.image, "--network", place.plain, "--label", f"crowd={label}"))
        selector = DockerSelector(labels={"crowd": label})
        source = crowd.enter_context(DockerSource(selector, default_host=None))

        def break_and_mend(ref: TargetRef) -> Residue:
            with source.open(ref) as target:
                injection = InstancePause().prepare(target, TAG)
                injection.inject(target)
                assert injection.effect(target).bit is True
                injection.revert(target)
                return injection.verify(target)

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(break_and_mend, source.discover())) == [()] * 6
