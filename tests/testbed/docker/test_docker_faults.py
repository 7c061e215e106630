"""What is under way, what others did, what the engine gave anew: what is told and undone on real containers."""

import re
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from chaoskit.domain.ports import Fault, Injection, Residue, Target, TargetRef
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
    running,
    unique,
)

TERM = InstanceKill.model_validate({"signal": "TERM"})


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
        begun = time.time()
        with subprocess.Popen(["docker", *command, it.id], stdout=subprocess.DEVNULL) as under_way:
            assert eventually(lambda: asked_to_end(it.id, begun))
            assert restored(it, injection)
            under_way.wait(30)
        assert eventually(it.serving)
        assert not eventually(lambda: not running(it.id), within=2.0)


def asked_to_end(container_id: str, since: float) -> bool:
    """Whether the engine has sent a signal to it."""
    times = ("--since", f"{since:.6f}", "--until", f"{time.time():.6f}")
    return bool(docker("events", *times, "--filter", f"container={container_id}", "--filter", "event=kill"))


def test_a_process_that_takes_its_time_to_end_is_brought_back(place: Place) -> None:
    slow = ENDS_ON_TERM.replace("exit 0", "sleep 2; exit 0")
    with bed(place.image, [place.plain], (), script=slow) as it, it.open() as target:
        assert eventually(it.serving), "by then it handles SIGTERM"
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
        told = (
            "started by chaoskit"
            if now == was
            else f"started by chaoskit; not as before: host port of {port} is {now}, was {was}"
        )
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
        assert note.endswith(f"; not as before: address on {place.plain} is {now['IPAddress']}, was {was}")
        assert not now["IPAMConfig"]
        assert injection.verify(target) == ()
        changed = f"address on {place.plain} is {now['IPAddress']}, was {was}"
        assert injection.revert(target) == f"was attached again already; not as before: {changed}"
        assert eventually(lambda: answers(now["IPAddress"]))


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
