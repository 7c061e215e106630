"""A container as a target: bounded commands, changes that may be asked for twice, and the truth about failures."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from chaoskit.domain.errors import TargetError, TargetGone, TargetTimeout, Unsupported
from chaoskit.domain.ports import Target, lifecycle, networks
from tests.contract import eventually
from tests.testbed.docker.conftest import Place
from tests.testbed.docker.docker_parts import (
    IGNORES_TERM,
    answers,
    container,
    docker,
    inspect,
    network,
    opened,
    running,
    unique,
)


@pytest.fixture
def web(place: Place) -> Iterator[str]:
    with container(place.image, "--network", place.subnet, "--network-alias", "front") as made:
        yield made


def state_of(container_id: str) -> dict[str, Any]:
    state: dict[str, Any] = inspect(container_id)["State"]
    return state


def test_a_command_gives_its_status_and_both_streams(target: Target) -> None:
    done = target.run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert done == (3, "out\n", "err\n")


def test_arguments_reach_the_command_as_they_are(target: Target) -> None:
    assert target.run("echo", "$HOME; *", "a  b").stdout == "$HOME; * a  b\n"


def test_a_missing_command_ends_with_a_shells_status(target: Target) -> None:
    assert target.run("no-such-command").status in (126, 127)


def test_a_command_that_hangs_is_left_after_its_bound(target: Target) -> None:
    begun = time.monotonic()
    with pytest.raises(TargetTimeout, match=r"sleep 30.*within 0.5s.*may still be running"):
        target.run("sleep", "30", timeout=0.5)
    assert time.monotonic() - begun < 3


def test_a_command_that_never_stops_printing_is_left_after_its_bound(target: Target) -> None:
    begun = time.monotonic()
    with pytest.raises(TargetTimeout):
        target.run("yes", timeout=0.5)
    assert time.monotonic() - begun < 3


def test_a_long_answer_is_cut_and_not_kept_in_memory(target: Target) -> None:
    done = target.run("sh", "-c", "cat /bin/busybox /bin/busybox; echo end >&2")
    assert done.status == 0
    assert len(done.stdout.encode(errors="replace")) >= 1 << 20
    assert done.stderr == "end\n"


def test_a_command_in_a_paused_container_is_an_error_with_advice(target: Target, web: str) -> None:
    docker("pause", web)
    with pytest.raises(TargetError, match="paused"):
        target.run("true")
    docker("unpause", web)


def test_every_change_may_be_asked_for_twice(target: Target, web: str) -> None:
    instance = lifecycle(target)
    for change, paused, up in (
        (instance.unpause, False, True),
        (instance.pause, True, True),
        (instance.pause, True, True),
        (instance.start, True, True),
        (instance.unpause, False, True),
        (lambda: instance.stop(0), False, False),
        (lambda: instance.stop(0), False, False),
        (lambda: instance.signal("KILL"), False, False),
        (lambda: instance.crash("KILL"), False, False),
        (instance.unpause, False, False),
        (instance.start, False, True),
        (instance.start, False, True),
    ):
        change()
        seen = state_of(web)
        assert (seen["Paused"], seen["Running"]) == (paused, up)


def test_what_cannot_be_done_is_an_error_in_words(target: Target, web: str) -> None:
    docker("stop", "-t", "0", web)
    with pytest.raises(TargetError, match=r"could not pause .* is not running"):
        lifecycle(target).pause()


def test_a_container_that_ends_at_once_after_its_start_is_not_called_started(place: Place) -> None:
    with container(place.image, script="exit 7") as made, opened(made) as target:
        assert eventually(lambda: not state_of(made)["Running"])
        with pytest.raises(TargetError, match=r"ended again at once \(status exited, exit code 7\).*logs"):
            lifecycle(target).start()


def wait_for_a_long_restart(container_id: str) -> None:
    # The engine doubles the pause before each restart; after the seventh it waits for many seconds.
    assert eventually(lambda: inspect(container_id)["RestartCount"] >= 7, within=60)
    assert eventually(lambda: bool(state_of(container_id)["Restarting"]))


def test_one_that_waits_for_its_next_restart_is_started_now(place: Place) -> None:
    broken = "if [ -e /tmp/mended ]; then sleep 60; fi; exit 1"
    with container(place.image, "--restart", "always", script=broken) as made, opened(made) as target:
        wait_for_a_long_restart(made)
        docker("cp", "-q", "/etc/hostname", f"{made}:/tmp/mended")
        lifecycle(target).start()
        assert state_of(made)["Status"] == "running"


def test_one_that_waits_for_its_next_restart_does_not_run_is_attached_and_can_be_stopped(place: Place) -> None:
    on = ("--network", place.subnet, "--restart", "always")
    with container(place.image, *on, script="exit 3") as made, opened(made) as target:
        wait_for_a_long_restart(made)
        now = lifecycle(target).state()
        assert (now.status, now.running, now.exit_code) == ("restarting", False, 3)
        assert [end.network for end in networks(target).endpoints()] == [place.subnet]
        lifecycle(target).stop(0)
        assert state_of(made)["Status"] == "exited"
        count = inspect(made)["RestartCount"]
        assert not eventually(lambda: running(made) or inspect(made)["RestartCount"] > count, within=2.0)


def test_a_removed_container_is_gone_in_every_question(target: Target, web: str) -> None:
    docker("rm", "--force", web)
    instance, attached = lifecycle(target), networks(target)
    for question in (
        target.identity,
        instance.state,
        instance.start,
        instance.pause,
        lambda: instance.stop(0),
        lambda: instance.restart(0),
        lambda: instance.crash("KILL"),
        instance.uncrashable,
        attached.endpoints,
        attached.addresses,
        lambda: target.run("true"),
    ):
        with pytest.raises(TargetGone, match="no longer exists"):
            question()


def test_a_crash_is_not_a_kill_to_the_restart_policy(place: Place) -> None:
    with container(place.image, "--restart", "always") as made, opened(made) as target:
        lifecycle(target).crash("KILL")
        assert eventually(lambda: inspect(made)["RestartCount"] == 1)
        assert eventually(lambda: running(made))
        lifecycle(target).signal("KILL")
        assert not state_of(made)["Running"]
        assert not eventually(lambda: bool(state_of(made)["Running"]), within=1.0)


def test_a_crash_returns_when_the_engine_knows(target: Target, web: str) -> None:
    assert lifecycle(target).uncrashable() == ""
    lifecycle(target).crash("KILL")
    assert state_of(web)["ExitCode"] == 137
    assert not state_of(web)["Running"]


def test_who_lives_in_the_network_of_another_is_its_dependent(target: Target, web: str, place: Place) -> None:
    assert lifecycle(target).dependents() == ()
    name = unique("sidecar")
    with container(place.image, "--network", f"container:{web}", "--name", name, script="sleep 60"):
        assert lifecycle(target).dependents() == (name,)


def test_an_attachment_is_described_without_what_the_engine_adds(target: Target, web: str, place: Place) -> None:
    docker(
        "network",
        "connect",
        "--ip",
        place.address(99),
        "--alias",
        "b",
        "--alias",
        "a",
        place.subnet,
        place.bystanders[0],
    )
    try:
        with opened(place.bystanders[0]) as other:
            by_name = {end.network: end for end in networks(other).endpoints()}
        (mine,) = networks(target).endpoints()
    finally:
        docker("network", "disconnect", place.subnet, place.bystanders[0])
    fixed = by_name[place.subnet]
    assert (fixed.ipv4, fixed.static_ipv4, sorted(fixed.aliases)) == (place.address(99), True, ["a", "b"])
    assert (mine.aliases, mine.static_ipv4, mine.irreversible) == (("front",), False, "")
    assert mine.ipv4 == inspect(web)["NetworkSettings"]["Networks"][place.subnet]["IPAddress"]


def test_networks_may_be_left_and_joined_twice(target: Target, web: str) -> None:
    attached = networks(target)
    (end,) = attached.endpoints()
    addresses = attached.addresses()
    assert addresses is not None
    assert end.ipv4 in addresses
    attached.disconnect(end)
    attached.disconnect(end)
    assert attached.endpoints() == ()
    assert attached.addresses() == addresses - {end.ipv4}
    attached.connect(end)
    attached.connect(end)
    assert attached.endpoints() == (end,)
    assert eventually(lambda: answers(end.ipv4))


def test_an_attachment_made_by_somebody_without_the_aliases_is_made_right(
    target: Target, web: str, place: Place
) -> None:
    attached = networks(target)
    (end,) = attached.endpoints()
    attached.disconnect(end)
    docker("network", "connect", place.subnet, web)
    attached.connect(end)
    assert attached.endpoints() == (end,)


def test_a_fixed_address_that_somebody_took_is_an_error_until_it_is_free(place: Place) -> None:
    fixed = ("--network", place.subnet, "--ip", place.address(50))
    with container(place.image, *fixed) as made, opened(made) as target:
        attached = networks(target)
        (end,) = attached.endpoints()
        attached.disconnect(end)
        with container(place.image, *fixed):
            with pytest.raises(TargetError, match="already in use"):
                attached.connect(end)
            assert attached.endpoints() == ()
        attached.connect(end)
        assert attached.endpoints() == (end,)


def test_a_network_that_was_removed_is_not_the_target_that_is_gone(place: Place) -> None:
    with container(place.image) as made, opened(made) as target:
        with network() as passing:
            docker("network", "connect", passing, made)
            end = next(e for e in networks(target).endpoints() if e.network == passing)
            networks(target).disconnect(end)
        with pytest.raises(TargetError, match="not found") as caught:
            networks(target).connect(end)
        assert not isinstance(caught.value, TargetGone)


def test_a_stop_waits_for_the_grace_period_and_no_longer(place: Place) -> None:
    with container(place.image, script=IGNORES_TERM) as made, opened(made) as target:
        begun = time.monotonic()
        lifecycle(target).stop(0.2)
        assert 0.9 < time.monotonic() - begun < 5
        assert state_of(made)["ExitCode"] == 137


def test_another_containers_process_is_never_signalled(target: Target, place: Place) -> None:
    from chaoskit.targets.docker_process import host_process

    neighbour = place.bystanders[0]
    pid = state_of(neighbour)["Pid"]
    with pytest.raises(Unsupported), host_process(pid, target.id.rpartition("@")[2]):
        pass
