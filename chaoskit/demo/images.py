"""The bed's image and the product's image, built when missing or when what goes into them has changed."""

from __future__ import annotations

import sys
import tempfile
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from chaoskit.demo import processes
from chaoskit.demo.base_image import BASE_IMAGE, ensure_base_image
from chaoskit.demo.bed import BedUnavailable, Progress, silent
from chaoskit.demo.builds import build, digest, has_content
from chaoskit.demo.docker_bed import engine
from chaoskit.demo.docker_parts import IMAGE, config_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

PRODUCT_IMAGE = "chaoskit"
HERE = Path(__file__).parent
SOURCE = HERE.parent.parent
BED_FILES = ("service.py", "load.py")
SOURCE_FILES = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")
LOCK = "requirements.lock"
PIP_TIMEOUT = 300.0
RUN_TIMEOUT = 30  # seconds


def ensure_bed_image(progress: Progress = silent, tag: str = IMAGE, base: str = BASE_IMAGE) -> str:
    """Make sure that the bed's image exists and is up to date; returns ``tag``.

    Raises BedUnavailable when it cannot be built.
    """
    files = {name: (HERE / name).read_bytes() for name in BED_FILES}
    files |= {name: text.encode() for name, text in config_files().items()}
    files["Dockerfile"] = (HERE / "Dockerfile.bed").read_bytes()
    ensure_base_image(progress, base)
    with engine() as client:
        content = digest({**files, "base": _id(client, base)})
        if not has_content(client, tag, content):
            with _context(files) as folder:
                build(client, Path(folder), tag, progress, content=content, arguments={"BASE": base})
    return tag


def ensure_product_image(progress: Progress = silent, tag: str = PRODUCT_IMAGE, base: str = BASE_IMAGE) -> str:
    """Make sure that chaoskit's own image exists and is up to date with this checkout; returns ``tag``.

    The packages are downloaded out here and handed in as a wheelhouse, so that the build itself needs no
    package index. Raises BedUnavailable when it cannot be built, or chaoskit does not run from a checkout.
    """
    files = _sources()
    ensure_base_image(progress, base)
    with engine() as client:
        content = digest({**files, "base": _id(client, base)})
        if has_content(client, tag, content):
            return tag
        with _context(files) as folder:
            context, arguments = Path(folder), {"BASE": base, "PIP_NO_INDEX": "1"}
            build(client, context, f"{tag}-tools", progress, arguments=arguments, stage="tools")
            _wheelhouse(context, _python_version(client, f"{tag}-tools"), progress)
            build(client, context, tag, progress, content=content, arguments=arguments)
    return tag


def _id(client: DockerClient, tag: str) -> bytes:
    return str(client.images.get(tag).id).encode()


def _context(files: Mapping[str, bytes]) -> tempfile.TemporaryDirectory[str]:
    """Write ``files`` to a new folder, which is removed at the end of the ``with``."""
    folder = tempfile.TemporaryDirectory(prefix="chaoskit-build-")
    for name, content in files.items():
        path = Path(folder.name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def _sources() -> dict[str, bytes]:
    """Read what the product's image is made of: the package, its metadata, the lock when there is one."""
    missing = [name for name in SOURCE_FILES if not (SOURCE / name).is_file()]
    if missing:
        raise BedUnavailable(f"the product's image is built from a checkout of chaoskit; here is no {missing[0]}")
    names = [*SOURCE_FILES, *([LOCK] if (SOURCE / LOCK).is_file() else [])]
    package = [path for path in (SOURCE / "chaoskit").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    paths = [*(SOURCE / name for name in names), *package]
    return {str(path.relative_to(SOURCE)): path.read_bytes() for path in paths}


def _python_version(client: DockerClient, tag: str) -> str:
    """Ask the image which Python it has, as ``3.11``: the wheels must fit it, not ours."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    argv = ["timeout", str(RUN_TIMEOUT), "python3", "-c", program]
    said: bytes = client.containers.run(tag, argv, entrypoint="", remove=True, network_mode="none")
    return said.decode().strip()


def _wheelhouse(context: Path, version: str, progress: Progress) -> None:
    """Download the wheels of all requirements, and of the build backend, for Python ``version``."""
    if find_spec("pip") is None:
        raise BedUnavailable(f"{sys.executable} has no pip; install it: {sys.executable} -m ensurepip")
    progress(f"downloading wheels for Python {version}")
    house, log = context / "wheelhouse", context / "pip.log"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(house)]
    fitting = ["--only-binary=:all:", "--python-version", version]
    metadata = tomllib.loads((context / "pyproject.toml").read_text())
    lock = context / LOCK
    locked = ["-r", str(lock)] if lock.is_file() else metadata["project"]["dependencies"]
    for wanted in (locked, metadata["build-system"]["requires"]):
        processes.run([*pip, *fitting, *wanted], log, PIP_TIMEOUT)
