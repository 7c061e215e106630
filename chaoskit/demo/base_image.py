"""The image that all others are built on: pulled where a registry answers, else made from Debian's packages."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chaoskit.demo import processes
from chaoskit.demo.bed import BedUnavailable, Progress, silent
from chaoskit.demo.builds import build, follow
from chaoskit.demo.docker_bed import engine

if TYPE_CHECKING:
    from collections.abc import Iterable


BASE_IMAGE = "chaoskit-base"
PUBLIC_IMAGE = ("python", "3.12-slim")
PULL_SILENCE = 20  # seconds in which the registry must say something
PULL_TIMEOUT = 300.0  # seconds for the whole pull
APT_TIMEOUT = 300.0
DEBOOTSTRAP_TIMEOUT = 600.0

_INDEX_FORMAT = "$(SITE)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
_FROM_ROOTFS = "FROM scratch\nADD rootfs.tar /\n"


class Release(NamedTuple):
    """A Debian release and where this machine gets it from."""

    codename: str
    mirror: str


def ensure_base_image(progress: Progress = silent, tag: str = BASE_IMAGE) -> str:
    """Make sure that the image ``tag`` exists; returns ``tag``.

    An existing one is used as it is. Else the public image is pulled; where no registry answers, and we are
    root on Debian, the base comes from debootstrap. Raises BedUnavailable when neither is possible.
    """
    with engine() as client:
        if client.images.list(name=tag):
            return tag
    refusal = _pull(tag, progress)
    if refusal is None:
        return tag
    progress("no image can be pulled; making one from Debian packages")
    require_debian_root(f"no image can be pulled ({refusal}), so the base would be made by debootstrap")
    with tempfile.TemporaryDirectory(prefix="chaoskit-base-") as folder:
        _debootstrap(Path(folder), progress)
        with engine() as client:
            build(client, Path(folder, "context"), tag, progress)
    return tag


def _pull(tag: str, progress: Progress) -> str | None:
    """Pull the public image as ``tag``; returns why not, None when it was."""
    repository, version = PUBLIC_IMAGE
    progress(f"pulling {repository}:{version}")
    try:
        with engine(timeout=PULL_SILENCE) as client:
            output = client.api.pull(repository, tag=version, stream=True, decode=True)
            follow(output, f"{repository}:{version} was not pulled", progress, PULL_TIMEOUT)
            client.images.get(f"{repository}:{version}").tag(tag)
    except BedUnavailable as trouble:
        return str(trouble).splitlines()[0]
    return None


def require_debian_root(purpose: str) -> None:
    """Raise BedUnavailable unless packages can be installed here: root, on Debian or a child of it."""
    if os.geteuid() != 0:
        raise BedUnavailable(f"{purpose}, which needs root. Run as root, or use --bed local")
    if shutil.which("apt-get") is None:
        raise BedUnavailable(f"{purpose}, which needs a Debian system. Install Docker by hand, or use --bed local")


def install(packages: Iterable[str], log: Path, progress: Progress) -> None:
    """Install Debian packages; raises BedUnavailable with apt's last lines."""
    names = list(packages)
    progress(f"installing {', '.join(names)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    processes.run(["apt-get", "update"], log, APT_TIMEOUT, quiet)
    processes.run(["apt-get", "install", "-y", "--no-install-recommends", *names], log, APT_TIMEOUT, quiet)


def _debootstrap(folder: Path, progress: Progress) -> None:
    """Leave in ``folder/context`` what builds an image of a minimal Debian."""
    log, root, context = folder / "log", folder / "root", folder / "context"
    if shutil.which("debootstrap") is None:
        install(["debootstrap"], log, progress)
    release = find_release()
    progress(f"debootstrap of Debian {release.codename}")
    try:
        argv = ["debootstrap", "--variant=minbase", release.codename, str(root), release.mirror]
        processes.run(argv, log, DEBOOTSTRAP_TIMEOUT)
    finally:
        _unmount(root / "proc", root / "sys", log=log)
    context.mkdir()
    progress("packing the base image")
    argv = ["tar", "-C", str(root), "--numeric-owner", "-cf", str(context / "rootfs.tar"), "."]
    processes.run(argv, log, APT_TIMEOUT)
    (context / "Dockerfile").write_text(_FROM_ROOTFS)


def _unmount(*points: Path, log: Path) -> None:
    """Take away what an interrupted debootstrap has left mounted, before the folder is removed."""
    for point in points:
        if point.is_mount():
            processes.run(["umount", "--lazy", str(point)], log, 10.0)


def find_release() -> Release:
    """Find this machine's Debian release, and its mirror in apt's own configuration.

    Raises BedUnavailable when apt knows no Debian mirror.
    """
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    argv = ["apt-get", "indextargets", "--format", _INDEX_FORMAT, "Created-By: Packages"]
    try:
        listed = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError) as trouble:
        raise BedUnavailable(f"apt-get does not tell its mirrors: {trouble}") from trouble
    return pick_release(codename, listed.splitlines())


def pick_release(codename: str, targets: Iterable[str]) -> Release:
    """Pick the mirror of ``codename`` among lines of ``site|release|component|origin``."""
    for target in targets:
        site, release, component, origin = target.split("|")
        if (release, component, origin) == (codename, "main", "Debian"):
            return Release(codename, site)
    raise BedUnavailable(
        f"apt knows no mirror of Debian {codename or '(unknown release)'}; "
        f"run `apt-get update`, or make an image named {BASE_IMAGE} from any Debian image by `docker tag`"
    )
