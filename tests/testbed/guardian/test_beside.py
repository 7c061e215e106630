"""The guardian beside the targets' engine: it undoes when the runner's whole machine is gone, or cannot reach it.

The engine is the real one, reached as a remote one is: over TCP, through a door that can be shut.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from chaoskit.demo import provision
from chaoskit.guardian.deputy import LONGER
from tests.testbed.docker import docker_parts as parts
from tests.testbed.docker.doors import ENGINE_SOCKET, Certificates, SshServer, forwarded_engine, sshd_missing
from tests.testbed.guardian.kit import LEASE, PATIENCE, SLACK, Bed, eventually

DEPUTYS_LEASE = LEASE + LONGER
LONG = 60.0
"""Seconds in which a run must end whose rollback has to be tried again and again."""
EXPERIMENT = """
apiVersion: chaoskit/v1
kind: Experiment
name: far-away
title: A container is frozen
targets: {web: {docker: {names: ["%s"]}}}
steady_state: [{name: fine, command: {run: ["true"]}}]
faults: [{kind: instance.pause, target: web, duration: 5m}]
sampling: {tick: 200ms, baseline: 0s, min_samples: 1}
expect: {recover_within: 5s}
"""
BY_TWO_WAYS = """
apiVersion: chaoskit/v1
kind: Experiment
name: by-two-ways
title: Two containers are frozen, at two addresses
targets:
  web: {docker: {names: ["%s"]}}
  other: {docker: {names: ["%s"], host: "unix:///var/run/docker.sock"}}
steady_state: [{name: fine, command: {run: ["true"]}}]
faults:
  - {kind: instance.pause, target: web, duration: 5m}
  - {kind: instance.pause, target: other, duration: 5m}
blast_radius: {max_targets: 2}
sampling: {tick: 200ms, baseline: 0s, min_samples: 1}
expect: {recover_within: 5s}
"""


class Door:
    """The real engine behind a TCP port of loopback.

    Shut, it lets nothing pass and breaks no connection; bricked up, it breaks all of them.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._bricked_up = False
        self._open = Event()
        self._open.set()
        self._ends = ExitStack()
        Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def shut(self) -> None:
        self._open.clear()

    def brick_up(self) -> None:
        self._bricked_up = True
        self._open.set()
        self._ends.close()

    def unlock(self) -> None:
        self._bricked_up = False
        self._open.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._open.set()
        self._ends.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._bricked_up:
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                far.connect(ENGINE_SOCKET)
                self._ends.callback(_hang_up, near)
                self._ends.callback(_hang_up, far)
                for source, sink in ((near, far), (far, near)):
                    Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                self._open.wait()
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


class Far(Bed):
    """Containers of the engine behind a door, which chaoskit knows by that address."""

    def __init__(self, folder: Path, image: str, targets: list[str], experiment: str = EXPERIMENT) -> None:
        self.door = Door()
        names = [parts.inspect(target)["Name"].removeprefix("/") for target in targets]
        settings = {"CHAOSKIT_DOCKER_HOST": self.door.address, "CHAOSKIT_GUARDIAN_IMAGE": image}
        super().__init__(folder, experiment % tuple(names), settings)
        self.targets = targets

    def frozen(self) -> bool:
        return all(parts.inspect(target)["State"]["Paused"] for target in self.targets)

    def untouched(self) -> bool:
        return not any(parts.inspect(target)["State"]["Paused"] for target in self.targets)

    def deputies(self, *options: str) -> list[str]:
        """The containers of the guardians beside the engine, by id; of all runs of this store."""
        runs = [run["run"] for run in json.loads(self.chaoskit("history", "--json").stdout)]
        filters = [f"--filter=label=chaoskit.run={run}" for run in runs]
        found = [parts.docker("ps", "-q", "--no-trunc", *options, one).split() for one in filters]
        return [container for containers in found for container in containers]

    def deputy(self) -> str:
        (container,) = self.deputies()
        return container

    def deputys_log(self) -> str:
        argv = ["docker", "logs", self.deputy()]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=True)
        return done.stdout

    def close(self) -> None:
        self.door.unlock()
        deputies = self.deputies("-a")
        super().close()
        for container in {*deputies, *self.deputies("-a")}:
            subprocess.run(["docker", "rm", "-fv", container], capture_output=True, timeout=60, check=False)
        self.door.close()


@pytest.fixture(scope="module")
def image(docker_engine: None) -> Iterator[str]:
    """Chaoskit's own image, under a name that no other session of tests builds anew."""
    name = parts.unique("guardian")
    parts.docker("tag", provision.ensure_product_image(), name)
    yield name
    parts.docker("rmi", name)


@pytest.fixture(scope="module")
def target_image(docker_engine: None) -> Iterator[str]:
    """What the targets are made of."""
    if parts.busybox() is None:
        pytest.skip("missing capability: a static busybox (Debian package busybox-static)")
    with parts.image() as made:
        yield made


@pytest.fixture(scope="module")
def bystander(target_image: str) -> Iterator[str]:
    """Somebody else's container, which somebody else has paused."""
    with parts.container(target_image) as made:
        parts.docker("pause", made)
        yield made
        parts.docker("unpause", made)


@pytest.fixture
def far(tmp_path: Path, image: str, target_image: str) -> Iterator[Far]:
    with parts.container(target_image) as web:
        far = Far(tmp_path, image, [web])
        yield far
        far.close()


def test_the_loss_of_the_runners_machine_is_undone_beside_the_engine(far: Far, bystander: str) -> None:
    before = parts.inspect(bystander)
    far.run()
    far.kill_both()
    assert LEASE < far.thawed_after() < DEPUTYS_LEASE + SLACK
    assert parts.inspect(bystander) == before
    assert "was silent for its whole lease of 8s: undoing 1 injection" in far.deputys_log()


def test_what_it_undid_is_verified_and_closed_by_a_rollback_and_it_goes_home(far: Far) -> None:
    far.run()
    far.kill_both()
    far.thawed_after()
    assert far.chaoskit("status").returncode == 6
    deputy = far.deputy()
    done = far.chaoskit("rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was not paused; nothing to undo" in done.stdout
    assert far.chaoskit("status").returncode == 0
    assert far.record()["judgement"]["verdict"] == "error"
    assert eventually(lambda: parts.inspect(deputy)["State"]["Status"] == "exited"), "it still waits for somebody"
    assert parts.inspect(deputy)["State"]["ExitCode"] == 0
    swept = far.chaoskit("sweep", "--dry-run").stdout
    assert f"the container chaoskit-{far.record()['run']['run']}-guardian (guardian, exited)" in swept


def test_a_cut_network_is_undone_beside_the_engine_while_everybody_lives(far: Far) -> None:
    runner = far.run()
    far.door.shut()
    assert LEASE < far.thawed_after() < DEPUTYS_LEASE + SLACK
    far.door.brick_up()
    assert runner.wait(LONG) == 6, far.output.read_text()
    told = far.record()
    assert told["run"]["abort"]["cause"] == "lease"
    assert "has not answered for 3s" in told["run"]["abort"]["reason"]
    assert told["judgement"]["verdict"] == "dirty"
    assert far.status()["residue"] != []
    far.door.unlock()
    assert far.guardian_ends(), far.log()
    assert far.status()["residue"] == []
    assert far.record()["judgement"]["verdict"] == "error"


def test_a_network_that_comes_back_finds_everything_restored(far: Far) -> None:
    runner = far.run()
    deputy = far.deputy()
    far.door.shut()
    far.thawed_after()
    far.door.unlock()
    assert runner.wait(LONG) == 5, far.output.read_text()
    assert far.record()["run"]["abort"]["cause"] == "lease"
    assert far.guardian_ends()
    assert eventually(lambda: parts.inspect(deputy)["State"]["Status"] == "exited"), "it is to stay for its log, only"


def test_an_ordinary_end_leaves_no_guardian_anywhere(far: Far) -> None:
    runner = far.run()
    assert parts.inspect(far.deputy())["Name"] == f"/chaoskit-{far.guardian()['run']}-guardian"
    assert eventually(lambda: far.status()["guardians"][0]["beside"].endswith(f"at {far.door.address} armed"))
    assert far.door.address in far.chaoskit("status").stdout
    volumes = parts.docker("volume", "ls", "-q")
    runner.send_signal(signal.SIGINT)
    assert runner.wait(PATIENCE) == 4, far.output.read_text()
    assert far.guardian_ends()
    assert list((far.store.parent / "guardians").iterdir()) == []
    assert parts.docker("ps", "-aq", "--filter", f"label=chaoskit.run={far.record()['run']['run']}") == ""
    assert set(parts.docker("volume", "ls", "-q").split()) <= set(volumes.split())


@pytest.fixture
def over_ssh(far: Far, tmp_path: Path) -> Iterator[Far]:
    """The same, at the end of an ssh."""
    if missing := sshd_missing():
        pytest.skip(f"missing capability: an ssh server ({missing})")
    folder = tmp_path / "sshd"
    folder.mkdir()
    server = SshServer(folder)
    server.start()
    far.settings |= {"CHAOSKIT_DOCKER_HOST": f"ssh://127.0.0.1:{server.port}", "PATH": server.path}
    yield far
    server.stop()


def test_it_is_armed_and_sent_home_over_ssh(over_ssh: Far) -> None:
    runner = over_ssh.run()
    deputy = over_ssh.deputy()
    assert eventually(lambda: over_ssh.status()["guardians"][0]["beside"].endswith("armed"))
    runner.send_signal(signal.SIGINT)
    assert runner.wait(PATIENCE) == 4, over_ssh.output.read_text()
    assert over_ssh.guardian_ends()
    assert deputy not in parts.docker("ps", "-aq", "--no-trunc")


def test_it_is_armed_and_sent_home_over_tls(far: Far, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    certificates = Certificates(folder)
    with forwarded_engine(certificates.server()) as address:
        far.settings |= {
            "CHAOSKIT_DOCKER_HOST": address,
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(folder),
        }
        runner = far.run()
        deputy = far.deputy()
        runner.send_signal(signal.SIGINT)
        assert runner.wait(PATIENCE) == 4, far.output.read_text()
        assert far.guardian_ends()
    assert deputy not in parts.docker("ps", "-aq", "--no-trunc")


@pytest.mark.parametrize("end", ["kill", "rm -fv", "pause"])
def test_a_run_whose_guardian_beside_the_engine_is_lost_stops(far: Far, end: str) -> None:
    runner = far.run()
    deputy = far.deputy()
    parts.docker(*end.split(), deputy)
    assert far.thawed_after() < LEASE * 4 / 3 + SLACK
    assert runner.wait(PATIENCE) == 5, far.output.read_text()
    told = far.record()
    assert told["run"]["abort"]["cause"] == "lease"
    assert "the guardian beside the Docker engine" in told["run"]["abort"]["reason"]
    assert told["judgement"]["verdict"] == "inconclusive"
    assert far.guardian_ends()
    assert far.deputies("-a") == []


def test_a_guardian_that_its_engine_starts_again_holds_what_it_held(far: Far) -> None:
    far.run()
    deputy = far.deputy()
    far.kill_both()
    os.kill(parts.inspect(deputy)["State"]["Pid"], signal.SIGKILL)
    assert eventually(lambda: parts.inspect(deputy)["RestartCount"] == 1)
    assert far.frozen()
    assert far.thawed_after() < PATIENCE


def test_targets_at_two_addresses_have_a_guardian_each(tmp_path: Path, image: str, target_image: str) -> None:
    with parts.container(target_image) as web, parts.container(target_image) as other:
        far = Far(tmp_path, image, [web, other], BY_TWO_WAYS)
        try:
            far.run()
            assert len(far.deputies()) == 2
            far.kill_both()
            assert eventually(far.untouched, DEPUTYS_LEASE + SLACK)
        finally:
            far.close()


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("CHAOSKIT_GUARDIAN_IMAGE", "chaoskit-no-such-image", "`docker save chaoskit-no-such-image | docker --host"),
        ("CHAOSKIT_GUARDIAN_SOCKET", "/var/run/no-such.sock", "with its socket /var/run/no-such.sock"),
        ("CHAOSKIT_GUARDIAN_SOCKET", "/etc/hostname", "it cannot use the socket it was given (guardian_socket)"),
    ],
)
def test_where_no_guardian_can_be_put_nothing_is_touched(far: Far, variable: str, value: str, advice: str) -> None:
    before = parts.inspect(far.targets[0])
    far.settings[variable] = value
    done = far.chaoskit("run", str(far.file), "--plain")
    assert done.returncode == 3, done.stdout + done.stderr
    assert advice in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert parts.inspect(far.targets[0]) == before
    assert far.guardian_ends()
    assert parts.docker("ps", "-aq", "--filter", f"label=chaoskit.run={far.record()['run']['run']}") == ""


def test_an_image_of_something_else_is_told_apart(far: Far, target_image: str) -> None:
    far.settings["CHAOSKIT_GUARDIAN_IMAGE"] = target_image
    done = far.chaoskit("run", str(far.file), "--plain")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "cannot be appointed" in done.stdout


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        ("sed -i 's/^__version__.*/__version__ = \"0.0.1\"/' $at/__init__.py", 3, "its image holds chaoskit 0.0.1"),
        ("rm $at/guardian/beside.py", 3, "No module named chaoskit.guardian.beside"),
        ("rm $at/faults/instance_pause.py", 7, "instance.pause"),
    ],
)
def test_an_image_that_could_not_undo_is_found_out_before_anything_is_touched(
    far: Far, image: str, change: str, code: int, why: str
) -> None:
    other = parts.unique("unfit")
    find = "at=$(python -c 'import chaoskit, os; print(os.path.dirname(chaoskit.__file__))')"
    recipe = f"FROM {image}\nUSER root\nRUN {find}; {change}\n"
    subprocess.run(["docker", "build", "-t", other, "-"], input=recipe.encode(), capture_output=True, check=True)
    before = parts.inspect(far.targets[0])
    far.settings["CHAOSKIT_GUARDIAN_IMAGE"] = other
    try:
        done = far.chaoskit("run", str(far.file), "--plain")
        assert done.returncode == code, done.stdout + done.stderr
        assert why in done.stdout
        assert parts.inspect(far.targets[0]) == before
        assert far.guardian_ends()
        assert far.deputies("-a") == []
        assert far.status()["residue"] == []
    finally:
        parts.docker("rmi", other)


def test_the_doctor_says_how_to_get_the_image_there(far: Far) -> None:
    (found,) = [one for one in json.loads(far.chaoskit("doctor", "--json").stdout) if one["name"] == "guardian"]
    assert found["state"] == "ok"
    far.settings["CHAOSKIT_GUARDIAN_IMAGE"] = "chaoskit-no-such-image"
    done = far.chaoskit("doctor", "--json")
    assert done.returncode == 7
    (found,) = [one for one in json.loads(done.stdout) if one["name"] == "guardian"]
    assert found["state"] == "broken"
    assert f"docker --host {far.door.address} load" in found["detail"]
