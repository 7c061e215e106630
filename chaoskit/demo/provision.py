"""Everything a Docker bed needs on this machine, brought about: the engine, then the images.

`ensure_engine` installs and starts Docker where that is possible and reports whether it did, so that
`stop_engine` stops exactly the engine that was started here and no other.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from chaoskit.demo import processes
from chaoskit.demo.base_image import BASE_IMAGE, ensure_base_image, install, require_debian_root
from chaoskit.demo.bed import BedUnavailable, Progress, silent, wait_until
from chaoskit.demo.docker_bed import engine
from chaoskit.demo.images import PRODUCT_IMAGE, ensure_bed_image, ensure_product_image
from chaoskit.demo.local_bed import state_root
from chaoskit.demo.processes import Child

__all__ = [
    "BASE_IMAGE",
    "PRODUCT_IMAGE",
    "engine_trouble",
    "ensure_base_image",
    "ensure_bed_image",
    "ensure_engine",
    "ensure_product_image",
    "stop_engine",
]

PING_TIMEOUT = 5  # seconds
START_TIMEOUT = 30.0  # seconds until a started engine must answer
DAEMON = "dockerd"
SYSTEMD = Path("/run/systemd/system")


def engine_trouble() -> str | None:
    """Say why no Docker engine answers, None when one does."""
    try:
        with engine(PING_TIMEOUT) as client:
            client.ping()
    except BedUnavailable as trouble:
        return str(trouble)
    return None


def ensure_engine(progress: Progress = silent, state: Path | None = None) -> bool:
    """Make sure that a Docker engine answers; returns whether it was started here.

    On Debian as root, Docker is installed when missing, and started where no init system does so; it then
    runs in a session of its own and outlives us. ``state`` is the folder of its log and pid.
    Raises BedUnavailable, with what to do, when no engine can be had.
    """
    trouble = engine_trouble()
    if trouble is None:
        return False
    _require_startable(trouble)
    folder = state or state_root()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if shutil.which(DAEMON) is None:
        install(["docker.io", "iptables"], folder / "apt.log", progress)
        if SYSTEMD.exists():  # then the package has started it
            wait_until(engine_trouble, START_TIMEOUT, DAEMON)
            return False
    _start_engine(folder, progress)
    return True


def _require_startable(trouble: str) -> None:
    if os.environ.get("DOCKER_HOST"):
        raise BedUnavailable(f"DOCKER_HOST is set, but: {trouble}")
    require_debian_root(f"{trouble}. An engine would be installed and started")
    if SYSTEMD.exists() and shutil.which(DAEMON):
        raise BedUnavailable("Docker is installed but stopped. Start it: systemctl start docker")


def _start_engine(folder: Path, progress: Progress) -> None:
    log = folder / f"{DAEMON}.log"
    progress(f"starting {DAEMON}, log in {log}")
    child = processes.spawn((DAEMON,), log)
    _pid_file(folder).write_text(json.dumps(child))
    try:
        wait_until(lambda: _not_answering(child, log), START_TIMEOUT, DAEMON)
    except BaseException:
        stop_engine(folder)
        raise


def _not_answering(child: Child, log: Path) -> str | None:
    if processes.running(child) is None:
        raise BedUnavailable(f"{DAEMON} ended at once:\n{processes.tail(log)}")
    return engine_trouble()


def stop_engine(state: Path | None = None) -> bool:
    """Stop the engine that `ensure_engine` started; returns whether there was one, and touches no other."""
    file = _pid_file(state or state_root())
    if not file.exists():
        return False
    process = processes.running(Child(*json.loads(file.read_text())))
    if process is not None:
        processes.stop([process], patience=START_TIMEOUT)  # it stops its containers first
    file.unlink()
    return process is not None


def _pid_file(folder: Path) -> Path:
    return folder / f"{DAEMON}.json"
