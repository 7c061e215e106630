"""The engine behind other doors: over TCP and ssh all works; behind closed ones the reason is told in time."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaoskit.domain.errors import (
    AccessDenied,
    TargetError,
    TargetTimeout,
    Unreachable,
    Unsupported,
    VersionMismatch,
)
from chaoskit.domain.ports import lifecycle
from chaoskit.domain.targeting import DockerSelector
from chaoskit.faults.instance_kill import InstanceKill
from chaoskit.faults.instance_pause import InstancePause
from chaoskit.faults.network_disconnect import NetworkDisconnect
from chaoskit.targets.docker import DockerSource
from tests.contract import TAG, eventually
from tests.testbed.docker.conftest import Place
from tests.testbed.docker.docker_parts import docker, inspect
from tests.testbed.docker.doors import (
    ENGINE_SOCKET,
    Certificates,
    SshServer,
    discover_as_nobody,
    forwarded_engine,
    free_port,
    listening,
    open_and_wait,
    sshd_missing,
)


def source(host: str | None, name: str = "*", timeout: float = 10.0) -> DockerSource:
    return DockerSource(DockerSelector(names=(name,)), default_host=host, timeout=timeout)


def trouble(host: str | None, timeout: float = 10.0) -> TargetError:
    with source(host, timeout=timeout) as it, pytest.raises(TargetError) as caught:
        it.discover()
    return caught.value


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    if missing := sshd_missing():
        pytest.skip(f"missing capability: an ssh server ({missing})")
    it = SshServer(tmp_path)
    monkeypatch.setenv("PATH", it.path)
    it.start()
    yield it
    it.stop()


def all_works_at(host: str, container_id: str) -> None:
    name = inspect(container_id)["Name"].removeprefix("/")
    with source(host, name) as it:
        (ref,) = it.discover()
        with it.open(ref) as target:
            assert target.run("echo", "there").stdout == "there\n"
            with pytest.raises(TargetTimeout):
                target.run("sleep", "30", timeout=0.5)
            for fault in (InstancePause(), NetworkDisconnect(), InstanceKill()):
                injection = fault.prepare(target, TAG)
                assert all(line.startswith(f"docker --host {host} ") for line in injection.by_hand())
                injection.inject(target)
                assert injection.effect(target).bit is True
                injection.revert(target)
                assert injection.verify(target) == ()


# --- open doors ---------------------------------------------------------------------------------------------


def test_all_works_over_tcp(web: str) -> None:
    with forwarded_engine() as host:
        all_works_at(host, web)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("missing capability: the openssl command (Debian package openssl)")
    return Certificates(tmp_path)


def test_all_works_over_tls(web: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates.folder))
    with forwarded_engine(certificates.server()) as host:
        all_works_at(host, web)
        name = inspect(web)["Name"].removeprefix("/")
        with source(host, name) as it:
            (ref,) = it.discover()
            with it.open(ref) as target:
                by_hand, _ = InstancePause().prepare(target, TAG).by_hand()
        assert subprocess.run(["sh", "-c", by_hand.replace(" unpause ", " inspect ")], check=False).returncode == 0


def test_a_server_whose_certificate_is_not_trusted(
    docker_engine: None,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = Certificates(tmp_path_factory.mktemp("other"))
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(other.folder))
    with forwarded_engine(certificates.server()) as host:
        error = trouble(host)
    assert isinstance(error, Unreachable)
    assert "DOCKER_CERT_PATH" in str(error)


def test_no_ssh_outlives_a_killed_runner(web: str, server: SshServer, tmp_path: Path) -> None:
    with open_and_wait(f"ssh://127.0.0.1:{server.port}", tmp_path) as runner:
        mine = ["pgrep", "--parent", str(runner.pid), "--exact", "ssh"]
        children = subprocess.run(mine, capture_output=True, text=True, check=True, timeout=10).stdout.split()
        runner.kill()
        runner.wait(10)
        assert eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in children))


def test_all_works_over_ssh(web: str, server: SshServer) -> None:
    all_works_at(f"ssh://127.0.0.1:{server.port}", web)


def test_a_host_of_the_ssh_settings_is_found_in_its_own_spelling(web: str, server: SshServer) -> None:
    with source("ssh://Engine-1") as it:
        assert it.discover()


def test_docker_host_of_the_environment_is_the_default(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with forwarded_engine() as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        name = inspect(web)["Name"].removeprefix("/")
        with source(None, name) as it:
            (ref,) = it.discover()
            with it.open(ref) as target:
                assert lifecycle(target).handle.command == ("docker", "--host", host)


def test_a_process_of_a_remote_engine_cannot_be_crashed(web: str) -> None:
    with forwarded_engine() as host, source(host, inspect(web)["Name"].removeprefix("/")) as it:
        (ref,) = it.discover()
        with it.open(ref) as target:
            with pytest.raises(Unsupported, match="runs on another machine; run chaoskit there, or use via: engine"):
                InstanceKill(via="process").prepare(target, TAG)
            with pytest.raises(Unsupported):
                lifecycle(target).crash("KILL")


def test_no_ssh_is_left_behind(web: str, server: SshServer) -> None:
    it = source(f"ssh://127.0.0.1:{server.port}")
    it.discover()
    mine = ["pgrep", "--parent", str(os.getpid()), "--exact", "ssh"]
    assert subprocess.run(mine, capture_output=True, check=False, timeout=10).stdout
    it.close()
    assert not subprocess.run(mine, capture_output=True, check=False, timeout=10).stdout


# --- closed doors -------------------------------------------------------------------------------------------


def test_no_socket(tmp_path: Path) -> None:
    error = trouble(f"unix://{tmp_path}/docker.sock")
    assert isinstance(error, Unreachable)
    assert f"no Docker engine answers at unix://{tmp_path}/docker.sock; start it, or set DOCKER_HOST" in str(error)


def test_a_socket_that_nobody_serves_any_more(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "docker.sock"))
    assert isinstance(trouble(f"unix://{tmp_path}/docker.sock"), Unreachable)


def test_a_closed_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{free_port()}")
    error = trouble(None)
    assert isinstance(error, Unreachable)
    assert "set DOCKER_HOST" in str(error)


def test_a_host_that_has_no_address() -> None:
    assert "has no address; check its spelling" in str(trouble("tcp://no-such-host.invalid:2375"))


@pytest.mark.parametrize("host", ["tcp://", "ftp://somewhere", "tcp://no-port"])
def test_an_address_that_is_none(host: str) -> None:
    error = trouble(host)
    assert isinstance(error, Unreachable)
    assert "write for example unix:///var/run/docker.sock" in str(error)


def test_an_engine_that_stays_silent_is_left_in_time() -> None:
    with listening() as (address, port):
        begun = time.monotonic()
        error = trouble(f"tcp://{address}:{port}", timeout=1)
    assert isinstance(error, TargetTimeout)
    assert "did not answer in time" in str(error)
    assert time.monotonic() - begun < 5


def test_somebody_who_is_no_docker_engine(place: Place, web: str) -> None:
    address = inspect(web)["NetworkSettings"]["Networks"][place.plain]["IPAddress"]
    error = trouble(f"tcp://{address}:8080")
    assert isinstance(error, TargetError)
    assert f"tcp://{address}:8080" in str(error)


def test_a_user_who_may_not_use_the_socket(docker_engine: None) -> None:
    told = discover_as_nobody(f"unix://{ENGINE_SOCKET}")
    assert told.startswith("AccessDenied no permission to use the Docker engine")
    assert "group docker" in told


@pytest.mark.parametrize(("version", "told"), [("1.99", "is too new"), ("1.2", "below"), ("new", "is no version")])
def test_versions_that_do_not_match(
    docker_engine: None, version: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_API_VERSION", version)
    error = trouble(None)
    assert isinstance(error, VersionMismatch)
    assert told in str(error)
    assert "DOCKER_API_VERSION" in str(error)


def test_tls_without_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    assert "DOCKER_CERT_PATH holds ca.pem, cert.pem and key.pem" in str(trouble(f"tcp://127.0.0.1:{free_port()}"))


def test_no_ssh_server_there(server: SshServer) -> None:
    error = trouble(f"ssh://127.0.0.1:{free_port()}")
    assert isinstance(error, Unreachable)
    assert "Connection refused" in str(error)


def test_an_ssh_key_that_is_not_accepted(server: SshServer) -> None:
    server.forget_user()
    error = trouble(f"ssh://127.0.0.1:{server.port}")
    assert isinstance(error, AccessDenied)
    assert "ssh-agent" in str(error)


def test_an_ssh_host_key_that_changed(server: SshServer) -> None:
    server.trust("user")
    error = trouble(f"ssh://127.0.0.1:{server.port}")
    assert isinstance(error, AccessDenied)
    assert "host key" in str(error)


def test_no_docker_behind_ssh(server: SshServer) -> None:
    server.break_docker()
    error = trouble(f"ssh://127.0.0.1:{server.port}")
    assert isinstance(error, Unreachable)
    assert "docker" in str(error)


def test_an_ssh_server_that_stays_silent_is_left_in_time(server: SshServer) -> None:
    with listening() as (address, port):
        begun = time.monotonic()
        error = trouble(f"ssh://{address}:{port}", timeout=1)
    assert isinstance(error, Unreachable | TargetTimeout)
    assert time.monotonic() - begun < 8


def test_a_password_in_an_ssh_address_is_refused_and_not_repeated() -> None:
    error = trouble("ssh://ops:hunter2@docker-3")
    assert isinstance(error, Unsupported)
    assert "hunter2" not in str(error)


def test_an_engine_that_goes_away_while_a_target_is_open(web: str) -> None:
    name = inspect(web)["Name"].removeprefix("/")
    with forwarded_engine() as host:
        it = source(host, name, timeout=2)
        (ref,) = it.discover()
        opening = it.open(ref)
        target = opening.__enter__()
    with pytest.raises(Unreachable):
        target.identity()
    it.close()
    assert docker("inspect", "--format", "{{.State.Running}}", web) == "true"
