"""The small parts: ssh command lines, signal numbers, the kernel's list of addresses, attachments compared."""

import signal
from collections.abc import Mapping

import pytest

from chaoskit.domain.errors import Unsupported
from chaoskit.domain.ports import Endpoint
from chaoskit.targets.docker_process import addresses_in, signal_number
from chaoskit.targets.docker_ssh import ssh_argv
from chaoskit.targets.docker_target import same_attachment

OPTIONS = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR"]
REMOTE = ["docker", "system", "dial-stdio"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ssh://docker-3", ["--", "docker-3"]),
        ("ssh://Docker-3/", ["--", "Docker-3"]),
        ("ssh://ops@docker-3:2222", ["-l", "ops", "-p", "2222", "--", "docker-3"]),
        ("ssh://[2001:db8::1]:22", ["-p", "22", "--", "2001:db8::1"]),
        ("ssh://-oProxyCommand=x", ["--", "-oProxyCommand=x"]),
    ],
)
def test_ssh_never_prompts_and_takes_no_option_from_the_address(url: str, words: list[str]) -> None:
    assert list(ssh_argv(url, 9.5)) == [*OPTIONS, *words, *REMOTE]


@pytest.mark.parametrize("url", ["ssh://ops:secret@docker-3", "ssh://docker-3/var/run/docker.sock", "ssh://"])
def test_an_address_that_ssh_could_not_use_is_refused(url: str) -> None:
    with pytest.raises(Unsupported) as caught:
        ssh_argv(url, 10)
    assert "ssh://" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("KILL", signal.SIGKILL),
        ("TERM", signal.SIGTERM),
        ("RTMIN", signal.SIGRTMIN),
        ("RTMIN+3", signal.SIGRTMIN + 3),
        ("RTMAX-1", signal.SIGRTMAX - 1),
    ],
)
def test_signals_have_their_numbers(name: str, number: int) -> None:
    assert signal_number(name) == number


FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 172.19.0.0/16 2 0 2
        |-- 172.19.0.2
           /32 host LOCAL
        |-- 172.19.255.255
           /32 link BROADCAST
Local:
  +-- 127.0.0.0/8 2 0 2
     |-- 127.0.0.1
        /32 host LOCAL
"""


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        (FIB_TRIE, {"172.19.0.2", "127.0.0.1"}),
        ("Main:\nLocal:\n", set()),
        ("", None),
        ("cat: can't open", None),
    ],
)
def test_the_kernels_list_of_addresses_is_read_or_said_to_be_unreadable(text: str, addresses: set[str] | None) -> None:
    assert addresses_in(text) == addresses


WANTED = Endpoint(network="front", network_id="n1", aliases=("web",), links=("db:data",), ipv4="10.1.2.3")


@pytest.mark.parametrize(
    ("wanted", "present", "same"),
    [
        ({}, {}, True),
        ({}, {"aliases": ("web", "more")}, True),
        ({}, {"aliases": ()}, False),
        ({}, {"links": ()}, False),
        ({}, {"ipv4": "10.1.2.9"}, True),
        ({"static_ipv4": True}, {"ipv4": "10.1.2.9"}, False),
        ({"static_ipv4": True}, {}, True),
        ({"ipv6": "2001:db8::1", "static_ipv6": True}, {"ipv6": "2001:db8::2"}, False),
        ({}, {"driver_opts": {"a": "b"}}, False),
    ],
)
def test_an_attachment_is_right_when_all_that_was_fixed_is_right(
    wanted: Mapping[str, object], present: Mapping[str, object], same: bool
) -> None:
    assert same_attachment(WANTED.model_copy(update=wanted), WANTED.model_copy(update=present)) is same
