"""The demo system as ordinary local processes: no Docker, no root.

Nobody supervises them: a replica that was killed stays dead until someone starts it again, with the argv in
`BedInfo.processes` or with `LocalBed.start`. Every process is in a session of its own, survives the one that
called `up`, and ends by itself after ``max_seconds``.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import platformdirs
import psutil

from chaoskit.demo import local_parts, processes
from chaoskit.demo.bed import (
    BedInfo,
    BedUnavailable,
    Progress,
    checked_id,
    identity_of,
    not_ready,
    silent,
    status_of,
    users_not_ready,
    wait_until,
)
from chaoskit.demo.processes import Child

MARKER = ".chaoskit-bed"
FOUND = shutil.which("prometheus")
ANSWER_TIMEOUT = 10.0  # seconds until replicas and fronts must answer


def state_root() -> Path:
    """Return the folder of this user under which beds keep their state."""
    return platformdirs.user_state_path("chaoskit") / "bed"


class LocalBed:
    """One demo system of local processes.

    Args:
        bed_id: name of the bed, seen in every command line as ``--bed <id>``.
        state_dir: where the bed makes a folder of its name for pids, logs and data; `down` removes it.
        rate: requests per second on each of the two services.
        max_seconds: every process ends by itself after so long.
        prometheus: the program, None for a bed without; the one on PATH unless given.

    """

    def __init__(
        self,
        bed_id: str,
        state_dir: Path | None = None,
        *,
        rate: float = 20.0,
        max_seconds: int = 7200,
        prometheus: str | None = FOUND,
    ) -> None:
        self.bed_id = checked_id(bed_id)
        self._folder = (state_dir or state_root()) / bed_id
        self._state = self._folder / "bed.json"
        self._rate, self._max_seconds, self._prometheus = rate, max_seconds, prometheus

    def up(self, progress: Progress = silent) -> BedInfo:
        """Bring the bed up; one of this id that runs completely is left as it is.

        Raises BedUnavailable, after taking down whatever it had started.
        """
        if (running := self.info()) is not None:
            progress(f"bed {self.bed_id} is already up")
            return running
        self.down()
        try:
            return self._up(progress)
        except BaseException:
            self.down()
            raise

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until load flows, requests succeed and Prometheus, where there is one, sees it.

        Raises BedUnavailable, with what is missing, after ``timeout`` seconds.
        """
        info = self._started()
        url, users = info.prometheus_url, info.users_url
        missing = (lambda: not_ready(url, local_parts.TARGETS_UP)) if url else (lambda: users_not_ready(users))
        wait_until(missing, timeout, f"bed {self.bed_id}")

    def info(self) -> BedInfo | None:
        """Describe the bed; None unless every process of it is running."""
        saved = self._read()
        alive = {name: child for name, child in self._children(saved).items() if processes.running(child)}
        if not saved or set(saved["info"]["processes"]) - set(alive):
            return None
        return self._describe(saved, alive)

    def start(self, name: str) -> int:
        """Start one part again that has died, with its own argv; returns the pid.

        Raises BedUnavailable when the bed has no such part, or it is running.
        """
        saved = self._read()
        argv = saved.get("info", {}).get("processes", {}).get(name)
        if argv is None:
            raise BedUnavailable(f"bed {self.bed_id} has no part {name!r}")
        if processes.running(self._children(saved)[name]):
            raise BedUnavailable(f"{name} of bed {self.bed_id} is running")
        saved["children"][name] = self._spawn(name, tuple(argv))
        self._write(saved)
        return int(saved["children"][name][0])

    def down(self) -> None:
        """End every process of the bed and remove its folder; does nothing when there are none.

        Besides the processes written down, those are found whose command line names the bed: parts that an
        experiment started again. Raises BedUnavailable when a process cannot be ended.
        """
        written = (processes.running(child) for child in self._children(self._read()).values())
        found = {process.pid: process for process in written if process is not None}
        for process in psutil.process_iter(["cmdline"]):
            if local_parts.belongs(process.info["cmdline"] or (), self.bed_id, self._folder):
                found[process.pid] = process
        processes.stop(found.values())
        self._remove_folder()

    def _remove_folder(self) -> None:
        """Remove the bed's folder, and no folder that anybody else has made."""
        if (self._folder / MARKER).exists():
            shutil.rmtree(self._folder)
        elif self._folder.exists():
            try:
                self._folder.rmdir()  # made, but not yet marked, when its maker was killed
            except OSError as trouble:
                raise BedUnavailable(f"{self._folder} is not the folder of a bed; choose another --id") from trouble

    def _up(self, progress: Progress) -> BedInfo:
        self._folder.mkdir(parents=True, mode=0o700)
        (self._folder / MARKER).touch()
        layout = local_parts.plan_layout(self.bed_id, self._folder, self._rate, self._max_seconds, self._prometheus)
        for name, text in layout.files.items():
            (self._folder / name).write_text(text)
        saved: dict[str, Any] = {"info": asdict(layout.info), "children": {}}
        *first, load = layout.info.processes.items()
        progress(f"starting {len(first)} processes")
        self._spawn_all(first, saved)
        progress("waiting for replicas and fronts to answer")
        wait_until(lambda: _silent(layout, self.bed_id), ANSWER_TIMEOUT, f"bed {self.bed_id}", poll=0.05)
        progress("starting the load")
        self._spawn_all([load], saved)
        return self._started()

    def _spawn_all(self, parts: list[tuple[str, tuple[str, ...]]], saved: dict[str, Any]) -> None:
        for name, argv in parts:
            saved["children"][name] = self._spawn(name, argv)
            self._write(saved)

    def _spawn(self, name: str, argv: tuple[str, ...]) -> Child:
        return processes.spawn(argv, self._folder / f"{name}.log")

    def _started(self) -> BedInfo:
        saved = self._read()
        if not saved:
            raise BedUnavailable(f"bed {self.bed_id} is not up")
        children = self._children(saved)
        for name in saved["info"]["processes"]:
            if not processes.running(children.get(name, Child(0, 0.0))):
                raise BedUnavailable(f"{name} of bed {self.bed_id} has ended:\n{self._last_words(name)}")
        return self._describe(saved, children)

    def _last_words(self, name: str) -> str:
        return processes.tail(self._folder / f"{name}.log")

    def _describe(self, saved: dict[str, Any], children: dict[str, Child]) -> BedInfo:
        argvs = {name: tuple(argv) for name, argv in saved["info"]["processes"].items()}
        pids = {name: child.pid for name, child in children.items()}
        return BedInfo(**{**saved["info"], "processes": argvs, "pids": pids})

    def _children(self, saved: dict[str, Any]) -> dict[str, Child]:
        return {name: Child(*child) for name, child in saved.get("children", {}).items()}

    def _read(self) -> dict[str, Any]:
        try:
            saved: dict[str, Any] = json.loads(self._state.read_text())
        except (FileNotFoundError, ValueError):  # never up, or its writer was killed half-way
            return {}
        return saved

    def _write(self, saved: dict[str, Any]) -> None:
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(saved))
        fresh.replace(self._state)


def _silent(layout: local_parts.Layout, bed_id: str) -> str | None:
    """Say who does not answer yet; a stranger on one of our ports is as bad as silence."""
    for name, address in layout.replicas.items():
        if identity_of(f"http://{address}/healthz") != (name, bed_id):
            return f"{name} does not answer on {address}"
    for url in (layout.info.front_url, layout.info.solo_url):
        if status_of(url) != 200:  # noqa: PLR2004 - HTTP's OK
            return f"no 200 from {url}"
    return None
