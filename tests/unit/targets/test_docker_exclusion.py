"""Who must never be picked: tables over facts of containers and texts of the kernel."""

from collections.abc import Mapping
from typing import Any

import pytest

from chaoskit.targets.docker_exclusion import Ours, Watched, exclusion, network_home, ours, own_container, serves
from chaoskit.targets.docker_exclusion import watched as resolved

ID = "a" * 64
OTHER = "b" * 64


def facts(
    labels: Mapping[str, str] = {},
    mode: str = "front",
    ports: Mapping[str, object] = {},
    exposed: tuple[str, ...] = (),
    network: Mapping[str, object] = {},
    container: str = ID,
) -> dict[str, Any]:
    on = {"NetworkID": "n1", "EndpointID": "e1", "IPAddress": "172.19.0.2", "Aliases": ["prometheus"], **network}
    return {
        "Id": container,
        "Name": "/shop-prometheus-1",
        "State": {"Status": "running", "Running": True},
        "Config": {"Labels": labels, "Hostname": "prom", "ExposedPorts": {port: {} for port in exposed}},
        "HostConfig": {"NetworkMode": mode},
        "NetworkSettings": {"Networks": {} if mode.startswith("container:") else {"front": on}, "Ports": ports},
    }


def watched(host: str, port: int = 9090, addresses: tuple[str, ...] = (), *, on_engine: bool = False) -> Watched:
    return Watched(f"http://{host}:{port}", host, port, frozenset(addresses), on_engine)


PUBLISHED = {"9090/tcp": [{"HostIp": "127.0.0.1", "HostPort": "19090"}], "9091/tcp": None}


@pytest.mark.parametrize(
    "url",
    [
        watched("shop-prometheus-1"),
        watched("prometheus"),
        watched("Prometheus"),
        watched("prometheus.front"),
        watched("prom"),
        watched("aaaaaaaaaaaa"),
        watched("elsewhere.example", addresses=("172.19.0.2",)),
        watched("localhost", 19090, ("127.0.0.1",), on_engine=True),
    ],
)
def test_a_url_leads_to_a_container_by_name_address_or_published_port(url: Watched) -> None:
    assert serves(facts(ports=PUBLISHED), url)


@pytest.mark.parametrize(
    "url",
    [
        watched("prometheus.back"),
        watched("prometheus.example"),
        watched("localhost", 9090, ("127.0.0.1",), on_engine=True),
        watched("other-machine", 19090, ("192.0.2.7",)),
        watched("elsewhere.example", addresses=("172.19.0.3",)),
    ],
)
def test_other_urls_do_not(url: Watched) -> None:
    assert not serves(facts(ports=PUBLISHED), url)


def why(of: dict[str, Any], *urls: Watched, others: Mapping[str, Any] = {}, here: Ours | None = None) -> str:
    """Why it is excluded, on an engine that has ``others`` by id."""
    return exclusion(of, here or Ours(), urls, network_home(of, others.get))


def test_a_container_on_the_engines_network_might_listen_on_any_port() -> None:
    on_host = facts(mode="host", exposed=("9090/tcp",), network={"IPAddress": ""})
    might = "it is on the network of the engine's machine, and might serve"
    for port in (9090, 9091):
        url = watched("localhost", port, ("127.0.0.1",), on_engine=True)
        assert why(on_host, url) == f"{might} {url.url}, which this run depends on"
        sharer = facts(mode=f"container:{ID}", container=OTHER)
        assert "network of the engine's machine" in why(sharer, url, others={ID: on_host})
    assert why(on_host, watched("elsewhere.example", addresses=("192.0.2.7",))) == ""


SHARER = facts(mode=f"container:{ID}", container=OTHER)
"""One that shares the network of the container ``ID``, and so has no ports and no addresses of its own."""


@pytest.mark.parametrize(
    "url", [watched("prometheus"), watched("x.example", 1, ("172.19.0.2",)), watched("h", 19090, on_engine=True)]
)
def test_a_url_of_a_shared_network_leads_to_all_who_share_it(url: Watched) -> None:
    vpn = facts(ports=PUBLISHED)
    assert why(vpn, url) == f"it serves {url.url}, which this run depends on"
    shares = "it shares the network of shop-prometheus-1, and might serve"
    assert why(SHARER, url, others={ID: vpn}) == f"{shares} {url.url}, which this run depends on"
    third = facts(mode=f"container:{OTHER}", container="c" * 64)
    assert why(third, url, others={ID: vpn, OTHER: SHARER}).startswith(shares)
    assert why(SHARER, watched("elsewhere.example"), others={ID: vpn}) == ""


def test_nobody_knows_what_leads_to_a_network_whose_container_is_gone() -> None:
    gone = "it shares the network of a container that is gone, and might serve http://web:9090"
    assert why(SHARER, watched("web")) == f"{gone}, which this run depends on"
    assert why(SHARER) == ""
    circle = {ID: facts(mode=f"container:{OTHER}"), OTHER: SHARER}
    assert "that is gone" in why(SHARER, watched("web"), others=circle)


def test_who_shares_the_network_of_chaoskit_is_left_out() -> None:
    other = facts(container="c" * 64)
    engine: dict[str, Any] = {ID: facts(), OTHER: SHARER, "c" * 64: other}
    for own in (ID, OTHER):
        here = ours(own, engine.get)
        assert here == Ours(own, ID, apart=True)
        for one in (facts(), SHARER):
            expected = (
                "chaoskit itself runs in it" if one["Id"] == own else "it shares its network with chaoskit itself"
            )
            assert why(one, others=engine, here=here) == expected
        assert why(other, others=engine, here=here) == ""


def test_on_the_engines_own_network_the_addresses_of_its_machine_are_ours() -> None:
    assert not ours("", lambda _: None).apart
    assert not ours(ID, lambda _: facts(mode="host")).apart
    assert ours(ID, lambda _: None) == Ours(ID, "", apart=True)
    for apart in (True, False):
        (one,) = resolved(["http://192.0.2.7:9090"], "unix:///var/run/docker.sock", apart=apart)
        assert one.on_engine is apart
        (one,) = resolved(["http://192.0.2.7:9090"], "tcp://192.0.2.8:2376", apart=apart)
        assert not one.on_engine


def test_an_empty_address_matches_nothing() -> None:
    assert not serves(facts(network={"IPAddress": ""}), watched("unknown.invalid"))


@pytest.mark.parametrize(
    ("labels", "own", "reason"),
    [
        ({}, "", ""),
        ({}, OTHER, ""),
        ({}, ID, "chaoskit itself runs in it"),
        ({"chaoskit.role": "sidecar"}, "", "it is part of chaoskit (chaoskit.role=sidecar)"),
        ({"com.docker.swarm.task.id": "x"}, "", "Docker Swarm runs and replaces it, so chaoskit could not restore it"),
        ({"io.kubernetes.pod.uid": "x"}, "", "Kubernetes runs and replaces it, so chaoskit could not restore it"),
        ({"chaoskit.allow": "true"}, "", ""),
    ],
)
def test_the_reasons_for_an_exclusion(labels: Mapping[str, str], own: str, reason: str) -> None:
    assert exclusion(facts(labels), Ours(own), (), None) == reason


def test_the_watched_url_is_named() -> None:
    urls = (watched("other"), watched("prometheus"))
    assert why(facts(), *urls) == "it serves http://prometheus:9090, which this run depends on"


INSIDE = (
    f"590 573 254:0 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw\n"
    f"591 573 254:0 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw\n"
)
HOST = f"80 27 0:55 / /var/lib/docker/containers/{OTHER}/mounts/shm rw,nosuid - tmpfs shm rw,size=65536k\n"


@pytest.mark.parametrize(
    ("mountinfo", "cgroup", "own"),
    [
        (INSIDE, "0::/\n", ID),
        (HOST, "0::/user.slice\n", ""),
        ("", f"12:pids:/docker/{ID}\n0::/system.slice/containerd.service\n", ID),
        ("", f"0::/system.slice/docker-{ID}.scope\n", ID),
        ("", f"0::/machine.slice/libpod-{ID}.scope/container\n", ID),
        ("", "", ""),
    ],
)
def test_a_process_finds_the_container_it_runs_in(mountinfo: str, cgroup: str, own: str) -> None:
    assert own_container(mountinfo, cgroup) == own


@pytest.mark.parametrize(
    ("url", "engine", "on_engine"),
    [
        ("http://127.0.0.1:9090", "unix:///var/run/docker.sock", True),
        ("http://127.0.0.1:9090", "tcp://127.0.0.1:2375", True),
        ("http://127.0.0.1:9090", "tcp://192.0.2.7:2376", False),
        ("http://192.0.2.7:9090", "tcp://192.0.2.7:2376", True),
        ("http://192.0.2.7:9090", "ssh://ops@192.0.2.7:22", True),
        ("http://192.0.2.7:9090", "unix:///var/run/docker.sock", False),
        ("http://host.docker.internal:9090", "unix:///var/run/docker.sock", True),
        ("https://docker-3.invalid/prometheus", "ssh://docker-3.invalid", True),
    ],
)
def test_a_url_is_on_the_engines_machine_when_their_addresses_or_names_meet(
    url: str, engine: str, on_engine: bool
) -> None:
    (one,) = resolved([url], engine)
    assert one.on_engine is on_engine


def test_the_port_of_a_url_is_that_of_its_scheme_when_none_is_written() -> None:
    ports = [one.port for one in resolved(["http://127.0.0.1", "https://127.0.0.1", "http://127.0.0.1:9"], "unix:///x")]
    assert ports == [80, 443, 9]
