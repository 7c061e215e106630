"""Detaching from networks as tables: attachments in; exact commands and residue out."""

import json
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from chaoskit.domain.ports import Endpoint, Handle, InstanceState
from chaoskit.faults.network_disconnect import (
    DisconnectInjection,
    NetworkDisconnect,
    connect_options,
    endpoint_residue,
)

PLAIN = Endpoint(network="front", network_id="n1", aliases=("web",), ipv4="172.19.0.2")
RICH = Endpoint(
    network="back",
    network_id="n2",
    aliases=("web", "api"),
    links=("db:data",),
    ipv4="10.1.2.3",
    ipv6="2001:db8::3",
    static_ipv4=True,
    static_ipv6=True,
    driver_opts={"com.example.b": "2", "com.example.a": "one two"},
)
INJECTION = DisconnectInjection(
    tag="chaoskit-r1-1",
    target="docker://vm/web-1@c1",
    handle=Handle(command=("docker", "--host", "tcp://docker-3:2376"), instance="c1"),
    before=InstanceState(status="running", running=True, pid=42, started_at="T1"),
    endpoints=(RICH, PLAIN),
)


def test_commands_are_exact() -> None:
    at = "docker --host tcp://docker-3:2376 network"
    options = "--driver-opt 'com.example.a=one two' --driver-opt com.example.b=2"
    assert INJECTION.actions() == (f"{at} disconnect n2 c1", f"{at} disconnect n1 c1")
    assert INJECTION.by_hand()[:2] == (
        f"{at} connect --alias web --alias api --link db:data --ip 10.1.2.3 --ip6 2001:db8::3 {options} n2 c1",
        f"{at} connect --alias web n1 c1",
    )
    assert INJECTION.by_hand()[2].startswith("docker --host tcp://docker-3:2376 start c1  # ")
    assert INJECTION.undo()[:2] == INJECTION.by_hand()[:2]


def test_an_address_that_the_engine_chose_is_not_asked_for() -> None:
    """Engines would take it for a fixed one from then on, and refuse a later start when another has it."""
    assert "--ip" not in connect_options(PLAIN)


def test_an_injection_is_data() -> None:
    assert DisconnectInjection.model_validate(json.loads(INJECTION.model_dump_json())) == INJECTION


@pytest.mark.parametrize(
    ("before", "now", "residue"),
    [
        (PLAIN, {}, ()),
        (PLAIN, {"ipv4": "172.19.0.9"}, ()),
        (PLAIN, {"aliases": ("web", "extra")}, ()),
        (PLAIN, {"aliases": ()}, ("alias web is missing on the network front",)),
        (PLAIN, {"network_id": "n9"}, ("not attached to the network front",)),
        (RICH, {"ipv4": "10.1.2.9"}, ("its address on the network back is 10.1.2.9; 10.1.2.3 was fixed before",)),
        (
            RICH,
            {"ipv6": "2001:db8::9"},
            ("its address on the network back is 2001:db8::9; 2001:db8::3 was fixed before",),
        ),
        (RICH, {"links": ()}, ("link db:data is missing on the network back",)),
        (RICH, {"driver_opts": {}}, ("driver options on the network back differ",)),
    ],
)
def test_residue_is_what_was_fixed_and_is_not_as_before(
    before: Endpoint, now: Mapping[str, object], residue: tuple[str, ...]
) -> None:
    other = Endpoint(network="new", network_id="n3")
    assert endpoint_residue(before, (other, before.model_copy(update=now))) == residue


def test_no_attachment_at_all_is_residue() -> None:
    assert endpoint_residue(PLAIN, ()) == ("not attached to the network front",)


def test_an_empty_network_name_is_refused() -> None:
    with pytest.raises(ValidationError):
        NetworkDisconnect.model_validate({"network": ""})
