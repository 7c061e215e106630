"""What the engine filters by, and what is left to match here."""

from collections.abc import Mapping

import pytest

from chaoskit.domain.targeting import DockerSelector
from chaoskit.targets.docker import engine_filters, image_matches, matches
from chaoskit.targets.docker_engine import command_of, engine_host


def selector(**criteria: object) -> DockerSelector:
    return DockerSelector.model_validate(criteria)


@pytest.mark.parametrize(
    ("criteria", "filters"),
    [
        ({"labels": {"app": "web", "zone": "a"}}, {"label": ["app=web", "zone=a"]}),
        ({"network": "front"}, {"network": ["front"]}),
        ({"names": ["web-*"]}, {}),
        ({"compose": {"project": "shop"}}, {"label": ["com.docker.compose.project=shop"]}),
        (
            {"compose": {"project": "shop", "service": "web"}, "labels": {"zone": "a"}},
            {"label": ["zone=a", "com.docker.compose.project=shop", "com.docker.compose.service=web"]},
        ),
    ],
)
def test_labels_network_and_compose_are_filtered_by_the_engine(
    criteria: Mapping[str, object], filters: Mapping[str, object]
) -> None:
    assert engine_filters(selector(**criteria)) == filters


@pytest.mark.parametrize(
    ("wanted", "image", "same"),
    [
        ("nginx", "nginx", True),
        ("nginx", "nginx:1.27", True),
        ("nginx:1.27", "nginx:1.27", True),
        ("nginx:1.26", "nginx:1.27", False),
        ("nginx:1.*", "nginx:1.27", True),
        ("nginx", "my/nginx:1.27", False),
        ("*/nginx", "my/nginx:1.27", True),
        ("localhost:5000/nginx", "localhost:5000/nginx", True),
        ("localhost:5000/nginx", "localhost:5000/nginx:2", True),
        ("localhost", "localhost:5000/nginx", False),
        ("nginx", "nginx@sha256:0123", True),
        ("nginx", "nginx:1.27@sha256:0123", True),
        ("ngin", "nginx", False),
    ],
)
def test_an_image_is_named_with_or_without_its_tag(wanted: str, image: str, same: bool) -> None:
    assert image_matches(wanted, image) is same


@pytest.mark.parametrize(
    ("criteria", "chosen"),
    [
        ({"names": ["web-?"]}, True),
        ({"names": ["db-*", "web-*"]}, True),
        ({"names": ["web"]}, False),
        ({"names": ["WEB-1"]}, False),
        ({"image": "shop/web"}, True),
        ({"image": "shop/db"}, False),
        ({"names": ["web-1"], "image": "shop/db"}, False),
    ],
)
def test_names_and_image_are_matched_here(criteria: Mapping[str, object], chosen: bool) -> None:
    facts = {"Name": "/web-1", "Config": {"Image": "shop/web:3", "Labels": {}}}
    assert matches(selector(**criteria), facts) is chosen


@pytest.mark.parametrize(("one_off", "chosen"), [("True", False), ("False", True), (None, True)])
def test_a_one_off_command_of_compose_is_no_replica(one_off: str | None, chosen: bool) -> None:
    labels = {} if one_off is None else {"com.docker.compose.oneoff": one_off}
    facts = {"Name": "/shop-web-run-1", "Config": {"Image": "web", "Labels": labels}}
    assert matches(selector(compose={"project": "shop"}), facts) is chosen


@pytest.mark.parametrize(
    ("selected", "default", "environ", "host"),
    [
        ("tcp://a:1", "tcp://b:1", {"DOCKER_HOST": "tcp://c:1"}, "tcp://a:1"),
        (None, "tcp://b:1", {"DOCKER_HOST": "tcp://c:1"}, "tcp://b:1"),
        (None, None, {"DOCKER_HOST": "tcp://c:1"}, "tcp://c:1"),
        (None, None, {"DOCKER_HOST": ""}, "unix:///var/run/docker.sock"),
        (None, None, {}, "unix:///var/run/docker.sock"),
        (None, "unix://", {}, "unix:///var/run/docker.sock"),
    ],
)
def test_the_nearest_setting_of_the_host_wins(
    selected: str | None, default: str | None, environ: Mapping[str, str], host: str
) -> None:
    assert engine_host(selected, default, environ) == host


def test_the_command_by_hand_names_its_engine() -> None:
    assert command_of("ssh://ops@docker-3", {}) == ("docker", "--host", "ssh://ops@docker-3")
    assert command_of("unix:///x.sock", {"DOCKER_TLS_VERIFY": "1"}) == ("docker", "--host", "unix:///x.sock")


def test_the_command_by_hand_brings_its_certificates() -> None:
    assert command_of("tcp://docker-3:2376", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/etc/certs"}) == (
        "docker",
        "--host",
        "tcp://docker-3:2376",
        "--tlsverify",
        "--tlscacert=/etc/certs/ca.pem",
        "--tlscert=/etc/certs/cert.pem",
        "--tlskey=/etc/certs/key.pem",
    )
