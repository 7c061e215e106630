"""Containers that no fault may ever touch, and why: this runner, what watches it, and what others restore."""

import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from chaoskit.targets.docker_facts import Facts, aliases_of, endpoints_of, labels_of, name_of

ROLE_LABEL = "chaoskit.role"
_ORCHESTRATORS = {"com.docker.swarm.task.id": "Docker Swarm", "io.kubernetes.pod.uid": "Kubernetes"}
_ID = r"(?P<id>[0-9a-f]{64})"
_MOUNTED = re.compile(rf"/containers/{_ID}/\S+ /etc/(?:hostname|hosts|resolv\.conf) ")
_CGROUP = re.compile(rf"(?:/docker[/-]|libpod-){_ID}")
_SHORT = 12
_DOCKERS_HOST = "host.docker.internal"
"""The engine's machine, as containers on it may call it."""
_LONGEST_CHAIN = 8

Look = Callable[[str], Facts | None]
"""Gives a container's facts, by its id or name; None when it is gone."""


class Watched(NamedTuple):
    """A URL that must stay reachable: its host and port, the addresses of the host, and whether it is the engine's."""

    url: str
    host: str
    port: int
    addresses: frozenset[str]
    on_engine: bool


def own_container(mountinfo: str, cgroup: str) -> str:
    """The id of the container this process runs in, from ``/proc/self/mountinfo`` and ``/proc/self/cgroup``; or ''.

    Engines mount three files of their own into every container; elsewhere those mounts do not exist.
    """
    found = _MOUNTED.search(mountinfo) or _CGROUP.search(cgroup)
    return found["id"] if found else ""


def read_own_container() -> str:
    """:func:`own_container` of this very process."""
    texts = [
        path.read_text() if path.exists() else "" for path in map(Path, ("/proc/self/mountinfo", "/proc/self/cgroup"))
    ]
    return own_container(*texts)


class Ours(NamedTuple):
    """The container this process runs in, and the one whose network that has; both empty outside of containers.

    ``apart``: our network is not the one of the engine's machine.
    """

    container: str = ""
    network: str = ""
    apart: bool = False


def ours(container: str, look: Look) -> Ours:
    """Where this process runs, given the id of its container, if any."""
    facts = look(container) if container else None
    home = facts and network_home(facts, look)
    return Ours(container, str(home["Id"]) if home else "", bool(container) and not (home and _on_host(home)))


def network_home(facts: Facts, look: Look) -> Facts | None:
    """The container whose network this one has: itself, unless it shares another's; None when that one is gone."""
    home: Facts | None = facts
    for _ in range(_LONGEST_CHAIN):
        kind, _colon, other = str(home["HostConfig"].get("NetworkMode")).partition(":") if home else ("", "", "")
        if kind != "container":
            return home
        home = look(other)
    return None


def exclusion(facts: Facts, ours: Ours, watched: Sequence[Watched], home: Facts | None) -> str:
    """Why the container must never be picked; empty when it may be. ``home`` is that of its network."""
    labels = labels_of(facts)
    if facts["Id"] == ours.container:
        return "chaoskit itself runs in it"
    if home is not None and home["Id"] == ours.network:
        return "it shares its network with chaoskit itself"
    if ROLE_LABEL in labels:
        return f"it is part of chaoskit ({ROLE_LABEL}={labels[ROLE_LABEL]})"
    for label, orchestrator in _ORCHESTRATORS.items():
        if label in labels:
            return f"{orchestrator} runs and replaces it, so chaoskit could not restore it"
    return next((f"{why}, which this run depends on" for url in watched if (why := _serving(facts, url, home))), "")


def _serving(facts: Facts, url: Watched, home: Facts | None) -> str:
    """Why the container serves ``url``, or might: nobody sees from outside which ports it listens on."""
    if serves(facts, url):
        return f"it serves {url.url}"
    if home is None:
        return f"it shares the network of a container that is gone, and might serve {url.url}"
    if _on_host(home) and url.on_engine:
        return f"it is on the network of the engine's machine, and might serve {url.url}"
    if home is not facts and serves(home, url):
        return f"it shares the network of {name_of(home)}, and might serve {url.url}"
    return ""


def _on_host(facts: Facts) -> bool:
    return bool(facts["HostConfig"].get("NetworkMode") == "host")


def serves(facts: Facts, url: Watched) -> bool:
    """Whether ``url`` leads to the container: by name, by its own address, or by a port published on its host."""
    names = {name.lower() for name in _names(facts)}
    if url.host.lower() in names or any(url.host.lower() == f"{name}.{net}" for name in names for net in _on(facts)):
        return True
    own_addresses = {address for end in endpoints_of(facts) for address in (end.ipv4, end.ipv6) if address}
    if url.addresses & own_addresses:
        return True
    return url.on_engine and url.port in _host_ports(facts)


def watched(urls: Sequence[str], engine_host: str, *, apart: bool = False) -> tuple[Watched, ...]:
    """``urls`` with their hosts resolved, as far as they resolve.

    ``apart``: we are on this engine's machine, but not on its network, so nobody here knows all of its addresses; then
    every address might be one.
    """
    engine, name = _engine_addresses(engine_host), urlsplit(engine_host).hostname or _DOCKERS_HOST
    return tuple(_watched(url, engine, name, apart=apart) for url in urls)


def _watched(url: str, engine: frozenset[str] | None, engine_name: str, *, apart: bool) -> Watched:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    addresses = _resolve(host)
    here = apart or any(map(_is_ours, addresses))
    on_engine = here if engine is None else bool(addresses & engine)
    return Watched(url, host, port, addresses, on_engine or host == engine_name)


def _engine_addresses(engine_host: str) -> frozenset[str] | None:
    """The addresses of the engine's machine; None when it is this machine."""
    parts = urlsplit(engine_host)
    if parts.scheme == "unix":
        return None
    addresses = _resolve(parts.hostname or "")
    return None if any(map(_is_ours, addresses)) else addresses


def _resolve(host: str) -> frozenset[str]:
    try:
        return frozenset(str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return frozenset()


def _is_ours(address: str) -> bool:
    """Whether this machine has the address: then, and only then, a socket can be bound to it."""
    family = socket.AF_INET6 if ip_address(address.partition("%")[0]).version == 6 else socket.AF_INET  # noqa: PLR2004 IPv6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _names(facts: Facts) -> set[str]:
    given = {alias for network in _on(facts).values() for alias in (*aliases_of(facts, network), *_dns_names(network))}
    return {name_of(facts), facts["Id"][:_SHORT], facts["Config"].get("Hostname") or "", *given} - {""}


def _dns_names(network: Facts) -> Sequence[str]:
    return network.get("DNSNames") or ()


def _on(facts: Facts) -> dict[str, Facts]:
    return dict(facts["NetworkSettings"].get("Networks") or {})


def _host_ports(facts: Facts) -> set[int]:
    """The ports of the host that lead to the container."""
    bindings = [b for bound in (facts["NetworkSettings"].get("Ports") or {}).values() for b in bound or ()]
    return {int(binding["HostPort"]) for binding in bindings if binding.get("HostPort")}
