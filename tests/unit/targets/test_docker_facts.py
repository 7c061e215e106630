"""What an engine's answer means: tables of facts in, our words out."""

from collections.abc import Mapping
from typing import Any

import pytest

from chaoskit.domain.ports import Endpoint
from chaoskit.targets.docker_facts import (
    condition_of,
    container_of,
    endpoints_of,
    instance_state,
    target_ref,
)

ID = "3192c3b7c7e5" + "0" * 52
STARTED = "2026-01-01T10:00:00.5Z"
WAITING = {"Status": "restarting", "Running": True, "Pid": 0}


def on(**changes: object) -> dict[str, Any]:
    return {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": ["web", ID[:12]],
        "NetworkID": "n1",
        "EndpointID": "e1",
        "IPAddress": "172.19.0.2",
        "GlobalIPv6Address": "",
        "MacAddress": "02:42:ac:13:00:02",
        "DriverOpts": None,
        **changes,
    }


def facts(
    state: Mapping[str, object] = {},
    host: Mapping[str, object] = {},
    config: Mapping[str, object] = {},
    networks: Mapping[str, object] | None = None,
    ports: Mapping[str, object] = {},
) -> dict[str, Any]:
    running = {"Status": "running", "Running": True, "Paused": False, "Pid": 42, "ExitCode": 0, "StartedAt": STARTED}
    return {
        "Id": ID,
        "Name": "/web-1",
        "RestartCount": 0,
        "State": {**running, **state},
        "HostConfig": {"RestartPolicy": {"Name": "no"}, "AutoRemove": False, "NetworkMode": "front", **host},
        "Config": {"Labels": {"app": "web"}, "Image": "web:1", "Hostname": "web-1", **config},
        "NetworkSettings": {"Networks": {"front": on()} if networks is None else networks, "Ports": ports},
    }


def test_a_running_container_is_a_healthy_target() -> None:
    ref = target_ref(facts(), "vm", "")
    assert ref.id == f"docker://vm/web-1@{ID}"
    assert ref.identity == f"{ID}/{STARTED}"
    assert (ref.name, ref.labels, ref.healthy, ref.condition) == ("web-1", {"app": "web"}, True, "running")


def test_the_id_of_a_target_names_its_engine_and_container() -> None:
    assert container_of(f"docker://vm/web-1@{ID}") == ("vm", ID)


@pytest.mark.parametrize(
    ("state", "healthy", "condition"),
    [
        ({}, True, "running"),
        ({"Health": {"Status": "healthy"}}, True, "running (healthy)"),
        ({"Health": {"Status": "starting"}}, True, "running (starting)"),
        ({"Health": {"Status": "unhealthy"}}, False, "running (unhealthy)"),
        ({"Health": {"Status": "none"}}, True, "running"),
        ({"Status": "paused", "Paused": True}, False, "paused"),
        (WAITING, False, "restarting"),
        ({"Status": "exited", "Running": False, "ExitCode": 137}, False, "exited (137)"),
        ({"Status": "created", "Running": False}, False, "created"),
    ],
)
def test_the_condition_is_told_and_decides_health(state: Mapping[str, object], healthy: bool, condition: str) -> None:
    ref = target_ref(facts(state), "vm", "")
    assert (ref.healthy, ref.condition) == (healthy, condition)


def test_an_instance_tells_what_undo_needs_to_know() -> None:
    state = instance_state(facts(host={"RestartPolicy": {"Name": "unless-stopped"}, "AutoRemove": True}))
    assert (state.restart_policy, state.auto_remove, state.pid, state.exit_code) == ("unless-stopped", True, 42, None)
    assert instance_state(facts(host={"RestartPolicy": {"Name": ""}})).restart_policy == "no"
    assert condition_of(state) == "running"


def test_an_attachment_has_what_is_needed_to_make_it_again() -> None:
    fixed = on(IPAMConfig={"IPv4Address": "10.1.2.3"}, IPAddress="10.1.2.3", Links=["db:database"], Aliases=None)
    assert endpoints_of(facts(networks={"front": fixed})) == (
        Endpoint(
            network="front",
            network_id="n1",
            links=("db:database",),
            ipv4="10.1.2.3",
            mac="02:42:ac:13:00:02",
            static_ipv4=True,
        ),
    )


def test_the_alias_that_the_engine_adds_by_itself_is_no_alias() -> None:
    assert endpoints_of(facts())[0].aliases == ("web",)


def test_a_failed_attachment_of_a_running_container_is_none() -> None:
    half = on(IPAMConfig={"IPv4Address": "10.1.2.3"}, EndpointID="", NetworkID="", IPAddress="")
    assert endpoints_of(facts(networks={"front": half})) == ()


def test_one_that_waits_for_its_restart_is_not_running_though_the_engine_says_so() -> None:
    state = instance_state(facts(WAITING | {"ExitCode": 3}))
    assert (state.running, state.serving, state.status, state.exit_code) == (False, False, "restarting", 3)


@pytest.mark.parametrize("state", [{"Running": False, "Status": "exited"}, WAITING], ids=["stopped", "waiting"])
def test_one_without_a_process_keeps_its_attachments_as_settings(state: Mapping[str, object]) -> None:
    kept = on(IPAMConfig={"IPv4Address": "10.1.2.3"}, EndpointID="", IPAddress="")
    assert [(end.network, end.ipv4) for end in endpoints_of(facts(state, networks={"front": kept}))] == [
        ("front", "10.1.2.3")
    ]


@pytest.mark.parametrize(
    ("network", "name", "config", "reason"),
    [
        (on(), "front", {}, ""),
        (on(), "host", {}, "the network 'host' is built in and cannot be left"),
        (on(), "none", {}, "the network 'none' is built in and cannot be left"),
        (on(GwPriority=7), "front", {}, "its gateway priority cannot be given back"),
        (
            on(IPAMConfig={"LinkLocalIPs": ["169.254.1.1"]}),
            "front",
            {},
            "its link-local addresses cannot be given back",
        ),
        (on(MacAddress="02:aa"), "front", {"MacAddress": "02:aa"}, ""),
        (
            on(MacAddress="02:aa", DNSNames=["web"]),
            "front",
            {"MacAddress": "02:aa"},
            "its fixed MAC address 02:aa cannot be given back",
        ),
        (on(MacAddress="02:bb", DNSNames=["web"]), "front", {"MacAddress": ""}, ""),
    ],
)
def test_an_attachment_says_why_it_could_not_be_made_again(
    network: Mapping[str, object], name: str, config: Mapping[str, object], reason: str
) -> None:
    assert endpoints_of(facts(config=config, networks={name: network}))[0].irreversible == reason


def test_what_the_engine_chose_by_itself_is_dynamic() -> None:
    found = instance_state(
        facts(
            host={"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "81/tcp": [{"HostPort": ""}]}},
            ports={
                "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
                "81/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}],
                "82/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32769"}, {"HostIp": "::", "HostPort": "32769"}],
                "83/tcp": None,
            },
            networks={"front": on(), "fixed": on(IPAMConfig={"IPv4Address": "10.1.2.3"}, IPAddress="10.1.2.3")},
        )
    )
    assert found.dynamic == {
        "host port of 81/tcp": "32768",
        "host port of 82/tcp": "32769",
        "address on front": "172.19.0.2",
    }
