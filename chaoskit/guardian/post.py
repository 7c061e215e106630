"""The container of a deputy, as requests to its engine: plain and bounded ones, which work over every transport."""

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import docker.errors
from docker.types import LogConfig, Mount

from chaoskit.domain.errors import GuardianLost, TargetError
from chaoskit.guardian.folder import ANSWER, FOLDER, INBOX, file_name, written
from chaoskit.targets.docker_engine import Engine
from chaoskit.targets.docker_exclusion import ROLE_LABEL
from chaoskit.targets.docker_sweep import RUN_LABEL

ROLE = "guardian"
SOCKET = "/engine.sock"
"""Where a deputy finds its engine."""
REQUEST_WITHIN = 5.0
_MADE_WITHIN = 15
_MEMORY, _TASKS, _RESTARTS = 256 << 20, 64, 10
_LAST = 99_999_999
"""The number of a last message: no other one comes after it."""


class Answer(NamedTuple):
    """What a deputy said last: the number of the newest message it had taken in by then, a word, and why, if so."""

    taken: int
    word: str
    why: str = ""


def names_of(run: str) -> Iterator[str]:
    """How the deputies of a run are called, one after the other."""
    yield f"chaoskit-{run}-{ROLE}"
    number = 2
    while True:
        yield f"chaoskit-{run}-{ROLE}-{number}"
        number += 1


def missing(engine: Engine, image: str) -> str:
    """Why ``image`` cannot be used on the engine, with how to get it there; empty when it is there."""
    with engine.doing(f"look at the image {image}"):
        try:
            _looked_at(engine, image)
        except docker.errors.ImageNotFound:
            there = " ".join(engine.command)
            return (
                f"the Docker engine at {engine.host} has no image {image!r} (guardian_image); "
                f"build it there, `{there} build -t {image} .` in a checkout of chaoskit, "
                f"or send it there, `docker save {image} | {there} load`"
            )
    return ""


def engine_id(engine: Engine) -> str:
    """What tells an engine from all others: names can be alike. Raises TargetError."""
    with engine.doing("tell its id"):
        return str(engine.api.info()["ID"])


def _looked_at(engine: Engine, image: str) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = engine.api.inspect_image(image)  # type: ignore[no-untyped-call]  # not in the stubs
    return facts


class Post:
    """One deputy on one engine. Every method may raise TargetError."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self.name = name

    def appoint(self, image: str, socket: str, run: str, orders: Mapping[str, object]) -> None:
        """Make the container, give it its orders, and start it. Raises GuardianLost when the image is not there.

        It is also told which engine it is to find at its socket.
        """
        if why := missing(self._engine, image):
            raise GuardianLost(why)
        first = {**orders, "engine": engine_id(self._engine)}
        files = {f"{FOLDER}/{INBOX}/{file_name(1)}": first, f"{FOLDER}/{ANSWER}": Answer(0, "")._asdict()}
        api = self._engine.api
        usual, api.timeout = api.timeout, _MADE_WITHIN
        try:
            with self._engine.doing(f"start {self.name} with its socket {socket} (guardian_socket)"):
                self._create(image, socket, run)
                api.put_archive(self.name, "/", _packed(files))
                api.start(self.name)
        except TargetError:
            with suppress(TargetError):
                self.remove()
            raise
        finally:
            api.timeout = usual

    def put(self, number: int, message: Mapping[str, object]) -> None:
        """Give it a message. The same one may be given twice."""
        with self._engine.doing(f"reach {self.name}"):
            self._engine.api.put_archive(self.name, f"{FOLDER}/{INBOX}", _packed({file_name(number): message}))

    def answer(self) -> Answer | None:
        """What it said last; None when that was cut short on its way."""
        with self._engine.doing(f"ask {self.name}"):
            stream, _ = self._engine.api.get_archive(self.name, f"{FOLDER}/{ANSWER}")
            packed = b"".join(stream)
        with suppress(tarfile.TarError, ValueError, KeyError), tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            if (file := tar.extractfile(ANSWER)) is not None:
                said = json.loads(file.read())
                return Answer(int(said["taken"]), str(said["word"]), str(said.get("why", "")))
        return None

    def ended(self, *, for_once: bool) -> str:
        """Why it no longer runs; empty while it does. Raises TargetGone.

        One that its engine starts again still runs, unless it was not to end ``for_once``.
        """
        with self._engine.doing(f"inspect {self.name}"):
            facts = self._engine.api.inspect_container(self.name)
            state = facts["State"]
            again = state["Restarting"] or facts["RestartCount"] > 0
            if state["Running"] and not (for_once and again):
                return ""
            last = self._engine.api.logs(self.name, tail=1).decode(errors="replace").strip()
        return f"ended, and its container says: {last or 'nothing'}"

    def send_home(self) -> bool:
        """Nothing is left for it to undo. One that has fired ends and stays, for its log: then this is True."""
        answer = self.answer()
        if answer and answer.word == "fired":
            self.put(_LAST, {"word": "disarm"})
            return True
        self.remove()
        return False

    def remove(self) -> None:
        """Remove it, whatever it is doing."""
        with self._engine.doing(f"remove {self.name}"), suppress(docker.errors.NotFound):
            self._engine.api.remove_container(self.name, v=True, force=True)

    def close(self) -> None:
        """Close the connections."""
        self._engine.close()

    # --- parts -----------------------------------------------------------------------------------------

    def _create(self, image: str, socket: str, run: str) -> None:
        api = self._engine.api
        volumes = _looked_at(self._engine, image)["Config"].get("Volumes") or {}
        api.create_container(
            image,
            name=self.name,
            entrypoint=["python", "-P", "-m", "chaoskit.guardian.beside"],
            command=[],
            user="0:0",
            working_dir="/",
            labels={ROLE_LABEL: ROLE, RUN_LABEL: run},
            # It is deaf to other signals, and an engine that goes down should not wait for it.
            stop_signal="SIGKILL",
            host_config=api.create_host_config(
                network_mode="none",
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                mem_limit=_MEMORY,
                pids_limit=_TASKS,
                # No bind by -v: that makes a folder where no socket is.
                mounts=[Mount(SOCKET, socket, type="bind")],
                tmpfs=dict.fromkeys(volumes, "size=1m"),
                restart_policy={"Name": "on-failure", "MaximumRetryCount": _RESTARTS},
                log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "1m", "max-file": "2"}),
            ),
        )


def send_home(host: str, run: str) -> None:
    """Tell the deputies of ``run`` on an engine that everything is restored. Raises TargetError."""
    engine = Engine(host, REQUEST_WITHIN)
    try:
        labels = [f"{ROLE_LABEL}={ROLE}", f"{RUN_LABEL}={run}"]
        with engine.doing(f"look for guardians of run {run}"):
            rows = engine.api.containers(filters={"label": labels})
        for row in rows:
            Post(engine, row["Id"]).put(_LAST, {"word": "disarm"})
    finally:
        engine.close()


def _packed(files: Mapping[str, Mapping[str, object]]) -> bytes:
    """A tar of ``files`` and the folders they lie in, all of them root's alone."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in sorted({part for name in files for part in _folders(name)}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(entry)
        for name, message in files.items():
            content = written(message)
            entry = tarfile.TarInfo(name.removeprefix("/"))
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _folders(name: str) -> Iterator[str]:
    parts = name.strip("/").split("/")[:-1]
    return ("/".join(parts[: i + 1]) for i in range(len(parts)))
