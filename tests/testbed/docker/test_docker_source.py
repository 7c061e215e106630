"""Containers are found by what they are, and those that must not be touched say why."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from chaoskit.domain.errors import TargetGone, Unreachable
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.targeting import DockerSelector
from chaoskit.targets.docker import DockerSource
from chaoskit.targets.docker_exclusion import own_container
from tests.testbed.docker.conftest import Place
from tests.testbed.docker.docker_parts import (
    IGNORES_TERM,
    PORT,
    container,
    docker,
    inspect,
    opened,
    ref_of,
    unique,
)

SLEEPS = "while :; do sleep 60; done"


def discover(selector: Mapping[str, object], *watched: str) -> list[TargetRef]:
    with DockerSource(DockerSelector.model_validate(selector), default_host=None, watched_urls=watched) as source:
        return list(source.discover())


def ids(refs: list[TargetRef]) -> set[str]:
    return {ref.id.rpartition("@")[2] for ref in refs}


@pytest.fixture
def label() -> str:
    return unique("app")


@pytest.fixture
def web(place: Place, label: str) -> Iterator[str]:
    options = ("--network", place.plain, "--network-alias", "front", "--publish", f"127.0.0.1::{PORT}")
    with container(place.image, *options, "--label", f"app={label}", "--label", "zone=a") as made:
        yield made


def test_by_labels_all_of_which_must_match(web: str, place: Place, label: str) -> None:
    with container(place.image, "--label", f"app={label}", "--label", "zone=b") as other:
        assert ids(discover({"labels": {"app": label}})) == {web, other}
        assert ids(discover({"labels": {"app": label, "zone": "b"}})) == {other}


def test_by_name_patterns_any_of_which_may_match(place: Place) -> None:
    name = unique("db")
    with container(place.image, "--name", f"{name}-1") as one, container(place.image, "--name", f"{name}-22") as two:
        assert ids(discover({"names": [f"{name}-?"]})) == {one}
        assert ids(discover({"names": [f"{name}-1", f"{name}-2*"]})) == {one, two}
        assert discover({"names": [name]}) == []


def test_by_image_with_or_without_its_tag(web: str, place: Place, label: str) -> None:
    for image in (place.image, f"{place.image}:latest", "ck-*"):
        expected = {web} if image != f"{place.image}:latest" else set()
        assert ids(discover({"image": image, "labels": {"app": label}})) == expected


def test_by_network(web: str, place: Place) -> None:
    found = ids(discover({"network": place.plain}))
    assert web in found
    assert place.bystanders[1] not in found
    assert discover({"network": "no-such-network"}) == []


def test_by_compose_service_without_its_one_off_commands(place: Place) -> None:
    project = unique("shop")
    labels = ("--label", f"com.docker.compose.project={project}", "--label", "com.docker.compose.service=web")
    with (
        container(place.image, *labels, "--label", "com.docker.compose.oneoff=False") as replica,
        container(place.image, *labels, "--label", "com.docker.compose.oneoff=True"),
    ):
        assert ids(discover({"compose": {"project": project}})) == {replica}
        assert ids(discover({"compose": {"project": project, "service": "web"}})) == {replica}
        assert discover({"compose": {"project": project, "service": "db"}}) == []


def test_a_running_container_is_healthy_and_fully_described(web: str, label: str) -> None:
    (ref,) = discover({"labels": {"app": label}})
    engine = docker("info", "--format", "{{.Name}}")
    facts = inspect(web)
    assert ref.id == f"docker://{engine}/{ref.name}@{web}"
    assert f"/{ref.name}" == facts["Name"]
    assert ref.labels["zone"] == "a"
    assert ref.identity == f"{web}/{facts['State']['StartedAt']}"
    assert (ref.healthy, ref.condition, ref.exclusion) == (True, "running", "")


def test_a_stopped_replica_is_matched_but_not_healthy(web: str, label: str) -> None:
    docker("stop", "-t", "0", web)
    (ref,) = discover({"labels": {"app": label}})
    assert not ref.healthy
    assert ref.condition.startswith("exited (")


def test_paused_restarting_and_unhealthy_ones_are_not_healthy(place: Place, label: str) -> None:
    mark = ("--label", f"app={label}")
    ailing = ("--health-cmd", "false", "--health-interval", "100ms", "--health-retries", "1")
    with (
        container(place.image, *mark, "--name", f"{label}-1") as paused,
        container(place.image, *mark, "--name", f"{label}-2", *ailing),
        container(place.image, *mark, "--name", f"{label}-3", "--restart", "always", script="exit 3"),
    ):
        docker("pause", paused)
        seen = {"", "running (starting)", "running"}
        while seen & {"", "running (starting)", "running"}:
            refs = discover({"labels": {"app": label}})
            seen = {ref.condition for ref in refs}
        assert [ref.healthy for ref in refs] == [False, False, False]
        assert [ref.condition for ref in refs][:2] == ["paused", "running (unhealthy)"]
        docker("unpause", paused)


def test_a_restart_is_another_life_of_the_same_target(web: str) -> None:
    before = ref_of(web)
    docker("restart", "-t", "0", web)
    after = ref_of(web)
    assert before.id == after.id
    assert before.identity != after.identity
    with opened(web) as target:
        assert target.identity() == after.identity


def test_a_container_of_the_same_name_is_another_target(place: Place) -> None:
    name = unique("replaced")
    with container(place.image, "--name", name) as old:
        ref = ref_of(old)
        docker("rm", "--force", old)
        with (
            container(place.image, "--name", name),
            DockerSource(DockerSelector(names=(name,)), default_host=None) as source,
            pytest.raises(TargetGone, match=f"{name}.*no longer exists"),
            source.open(ref),
        ):
            pass


def test_a_target_of_another_engine_is_unreachable_rather_than_gone(web: str) -> None:
    ref = ref_of(web)
    elsewhere = ref.model_copy(update={"id": f"docker://other-host/{ref.name}@{'0' * 64}"})
    with (
        DockerSource(DockerSelector(names=("*",)), default_host=None) as source,
        pytest.raises(Unreachable, match="other-host"),
        source.open(elsewhere),
    ):
        pass


def test_a_renamed_container_is_still_the_same_target(web: str) -> None:
    ref = ref_of(web)
    docker("rename", web, unique("renamed"))
    with DockerSource(DockerSelector(names=("*",)), default_host=None) as source, source.open(ref) as target:
        assert target.id == ref.id
        assert target.identity() == ref.identity


def why_not(label: str, *watched: str) -> str:
    (ref,) = discover({"labels": {"app": label}}, *watched)
    return ref.exclusion


def test_what_serves_a_watched_url_is_excluded(web: str, place: Place, label: str) -> None:
    facts = inspect(web)
    published = facts["NetworkSettings"]["Ports"][f"{PORT}/tcp"][0]["HostPort"]
    address = facts["NetworkSettings"]["Networks"][place.plain]["IPAddress"]
    name = facts["Name"].removeprefix("/")
    for url in (
        f"http://127.0.0.1:{published}",
        f"http://localhost:{published}/prom/",
        f"http://{socket.gethostname()}:{published}",
        f"http://{address}:{PORT}",
        f"http://{name}:{PORT}",
        f"http://front:{PORT}/",
        f"http://front.{place.plain}:{PORT}/",
        f"http://{web[:12]}:{PORT}",
    ):
        assert why_not(label, "http://127.0.0.1:1", url) == f"it serves {url}, which this run depends on"


def test_what_serves_no_watched_url_is_not_excluded(web: str, label: str) -> None:
    published = int(inspect(web)["NetworkSettings"]["Ports"][f"{PORT}/tcp"][0]["HostPort"])
    for url in (f"http://127.0.0.1:{published % 65535 + 1}", f"http://prometheus.invalid:{published}", "http://other"):
        assert why_not(label, url) == ""


def test_on_the_network_of_the_engines_machine_everybody_might_serve_it(place: Place, label: str) -> None:
    # Where a server listens is for its command to say; the ports that its image exposes bind nobody.
    options = ("--network", "host", "--expose", "9090", "--label", f"app={label}")
    with container(place.image, *options, script=SLEEPS):
        might = "it is on the network of the engine's machine, and might serve"
        for url in ("http://127.0.0.1:9091", "http://host.docker.internal:9091"):
            assert why_not(label, url) == f"{might} {url}, which this run depends on"
        assert why_not(label, "http://192.0.2.7:9091") == ""
        assert why_not(label) == ""


def test_whoever_shares_the_network_that_a_watched_url_leads_to_is_excluded(
    web: str, place: Place, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = inspect(web)
    published = facts["NetworkSettings"]["Ports"][f"{PORT}/tcp"][0]["HostPort"]
    sharers = unique("sharers")
    options = ("--network", f"container:{web}", "--label", f"app={sharers}")
    with container(place.image, *options, script=SLEEPS) as sharer:
        shares = f"it shares the network of {facts['Name'].removeprefix('/')}, and might serve"
        for url in (f"http://127.0.0.1:{published}", f"http://front:{PORT}"):
            assert why_not(label, url) == f"it serves {url}, which this run depends on"
            assert why_not(sharers, url) == f"{shares} {url}, which this run depends on"
        assert why_not(sharers, "http://192.0.2.7:9090") == ""
        monkeypatch.setattr("chaoskit.targets.docker.read_own_container", lambda: sharer)
        assert why_not(sharers) == "chaoskit itself runs in it"
        assert why_not(label) == "it shares its network with chaoskit itself"
        monkeypatch.undo()
        docker("rm", "--force", "--volumes", web)
        gone = "it shares the network of a container that is gone, and might serve http://front:1"
        assert why_not(sharers, "http://front:1") == f"{gone}, which this run depends on"


def test_chaoskits_own_and_orchestrated_containers_are_excluded(place: Place, label: str) -> None:
    with container(place.image, "--label", f"app={label}", "--label", "chaoskit.role=guardian"):
        assert why_not(label) == "it is part of chaoskit (chaoskit.role=guardian)"
    with container(place.image, "--label", f"app={label}", "--label", "com.docker.swarm.task.id=x1"):
        assert "Docker Swarm runs and replaces it" in why_not(label)


def test_a_process_in_a_container_knows_which_one_it_is_in(web: str) -> None:
    with opened(web) as target:
        mountinfo = target.run("cat", "/proc/self/mountinfo").stdout
        cgroup = target.run("cat", "/proc/self/cgroup").stdout
    assert own_container(mountinfo, "") == web
    assert own_container("", cgroup) == web


def test_the_mounts_of_a_docker_host_are_not_mistaken_for_a_container(web: str) -> None:
    host = Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text()
    assert own_container(*host) not in docker("ps", "--all", "--quiet", "--no-trunc").split()


def test_the_source_answers_again_after_it_was_closed(web: str, label: str) -> None:
    source = DockerSource(DockerSelector(labels={"app": label}), default_host=None)
    first = source.discover()
    source.close()
    assert source.discover() == first
    source.close()


def test_a_container_without_a_handler_is_found_like_any_other(place: Place, label: str) -> None:
    with container(place.image, "--label", f"app={label}", "--network", "none", script=IGNORES_TERM) as made:
        assert ids(discover({"labels": {"app": label}})) == {made}
