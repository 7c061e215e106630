"""What an engine's ``inspect`` answer means, in our words; pure. ``Facts`` is that answer, as parsed JSON."""

from collections.abc import Mapping
from typing import Any

from chaoskit.domain.ports import Endpoint, InstanceState, TargetRef

Facts = Mapping[str, Any]

WAITING = "restarting"
"""The status of one whose main process has ended and which the engine is about to start again."""
_SHORT = 12


def name_of(facts: Facts) -> str:
    """The name of the container, without the engine's leading slash."""
    return str(facts["Name"]).removeprefix("/")


def identity_of(facts: Facts) -> str:
    """The present life of the container: its id and the moment it was started."""
    return f"{facts['Id']}/{facts['State']['StartedAt']}"


def running(facts: Facts) -> bool:
    """Whether it has a main process.

    The engine also calls one ``Running`` that has ended and waits for its next restart.
    """
    state = facts["State"]
    return bool(state["Running"]) and state["Status"] != WAITING


def instance_state(facts: Facts) -> InstanceState:
    """What the container is doing."""
    state, settings = facts["State"], facts["HostConfig"]
    return InstanceState(
        status=state["Status"],
        running=running(facts),
        paused=state["Paused"],
        pid=state["Pid"],
        started_at=state["StartedAt"],
        exit_code=None if running(facts) else state["ExitCode"],
        health=_health(state),
        restart_policy=_policy(settings),
        restart_count=facts.get("RestartCount", 0),
        auto_remove=settings.get("AutoRemove", False),
        dynamic={**_dynamic_ports(facts), **_dynamic_addresses(facts)},
    )


def endpoints_of(facts: Facts) -> tuple[Endpoint, ...]:
    """The attachments to networks, by name.

    A running container may hold the settings of an attachment that failed; that is no attachment. One that is
    stopped, or waits for its restart, has nothing but settings.
    """
    found, has_endpoints = _networks(facts), running(facts)
    return tuple(
        _endpoint(facts, name, found[name]) for name in sorted(found) if found[name]["EndpointID"] or not has_endpoints
    )


def target_ref(facts: Facts, engine: str, exclusion: str) -> TargetRef:
    """The container as a target of the engine named ``engine``."""
    state = instance_state(facts)
    return TargetRef(
        id=f"docker://{engine}/{name_of(facts)}@{facts['Id']}",
        name=name_of(facts),
        labels=labels_of(facts),
        identity=identity_of(facts),
        healthy=state.serving and state.health != "unhealthy",
        condition=condition_of(state),
        exclusion=exclusion,
    )


def container_of(target_id: str) -> tuple[str, str]:
    """The engine's name and the full container id in the id of a target."""
    engine, _, rest = target_id.removeprefix("docker://").partition("/")
    return engine, rest.rpartition("@")[2]


def labels_of(facts: Facts) -> dict[str, str]:
    """The labels of the container."""
    return dict(facts["Config"].get("Labels") or {})


def condition_of(state: InstanceState) -> str:
    """``running (healthy)``, ``paused``, ``exited (137)`` and so on."""
    if not state.running and state.status in ("exited", "dead"):
        return f"{state.status} ({state.exit_code})"
    return f"{state.status} ({state.health})" if state.health else state.status


def aliases_of(facts: Facts, network: Facts) -> tuple[str, ...]:
    """The names given to the container on a network, without the short id that the engine adds by itself."""
    return tuple(alias for alias in network.get("Aliases") or () if alias != facts["Id"][:_SHORT])


def _health(state: Facts) -> str:
    health = str((state.get("Health") or {}).get("Status", ""))
    return "" if health == "none" else health


def _policy(settings: Facts) -> str:
    return str((settings.get("RestartPolicy") or {}).get("Name") or "no")


def _networks(facts: Facts) -> Mapping[str, Facts]:
    return facts["NetworkSettings"].get("Networks") or {}


def _endpoint(facts: Facts, name: str, network: Facts) -> Endpoint:
    asked = network.get("IPAMConfig") or {}
    static_ipv4, static_ipv6 = asked.get("IPv4Address", ""), asked.get("IPv6Address", "")
    return Endpoint(
        network=name,
        network_id=network["NetworkID"],
        aliases=aliases_of(facts, network),
        links=tuple(network.get("Links") or ()),
        ipv4=network["IPAddress"] or static_ipv4,
        ipv6=network.get("GlobalIPv6Address") or static_ipv6,
        mac=network.get("MacAddress") or "",
        static_ipv4=bool(static_ipv4),
        static_ipv6=bool(static_ipv6),
        driver_opts=dict(network.get("DriverOpts") or {}),
        irreversible=_irreversible(facts, name, network),
    )


def _irreversible(facts: Facts, name: str, network: Facts) -> str:
    """What ``network connect`` could not give back."""
    if name in ("host", "none", "ingress"):
        return f"the network {name!r} is built in and cannot be left"
    if network.get("GwPriority"):
        return "its gateway priority cannot be given back"
    if (network.get("IPAMConfig") or {}).get("LinkLocalIPs"):
        return "its link-local addresses cannot be given back"
    mac = facts["Config"].get("MacAddress")
    # Engines before API 1.44 (it brought DNSNames) keep the MAC address of the container for every attachment.
    if mac and mac == network.get("MacAddress") and "DNSNames" in network:
        return f"its fixed MAC address {mac} cannot be given back"
    return ""


def _dynamic_addresses(facts: Facts) -> dict[str, str]:
    addresses = {e.network: e.ipv4 or e.ipv6 for e in endpoints_of(facts) if not (e.static_ipv4 or e.static_ipv6)}
    return {f"address on {network}": address for network, address in addresses.items() if address}


def _dynamic_ports(facts: Facts) -> dict[str, str]:
    """The published ports whose number on the host was left to the engine."""
    asked = facts["HostConfig"].get("PortBindings") or {}
    found = {}
    for port, bindings in (facts["NetworkSettings"].get("Ports") or {}).items():
        chosen = {binding.get("HostPort") for binding in asked.get(port) or ()} - {"", "0", None}
        given = sorted({binding["HostPort"] for binding in bindings or ()} - chosen)
        if given:
            found[f"host port of {port}"] = ", ".join(given)
    return found
