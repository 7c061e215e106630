"""Building images: bounded in time, with progress, and only when the content has changed."""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Any

from chaoskit.demo.bed import BedUnavailable, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from docker import DockerClient

CONTENT_LABEL = "chaoskit.content"
STAGE_LABEL = "chaoskit.stage"
BUILD_TIMEOUT = 600.0  # seconds for a whole build
SILENCE_TIMEOUT = 180  # seconds without any output
TAIL_LINES = 12


def digest(parts: Mapping[str, bytes]) -> str:
    """Return a digest of named contents, whatever their order."""
    total = hashlib.sha256()
    for name in sorted(parts):
        total.update(f"{name}\0{len(parts[name])}\0".encode() + parts[name])
    return total.hexdigest()


def has_content(client: DockerClient, tag: str, content: str) -> bool:
    """Tell whether the image ``tag`` exists and was built from ``content``."""
    from docker.errors import ImageNotFound

    try:
        return client.images.get(tag).labels.get(CONTENT_LABEL) == content
    except ImageNotFound:
        return False


def build(
    client: DockerClient,
    context: Path,
    tag: str,
    progress: Progress,
    *,
    content: str = "",
    arguments: Mapping[str, str] | None = None,
    stage: str | None = None,
) -> None:
    """Build the ``Dockerfile`` in ``context``, up to ``stage`` if given, and label it with ``content``.

    The build uses the network of the host, for some machines reach their mirrors only from there.
    Raises BedUnavailable with the last lines of the build when it fails or takes too long.
    """
    progress(f"building image {tag}")
    before = _replaceable(client, tag) if stage is None else set()  # a stage is what the next build goes on from
    output = client.api.build(
        path=str(context),
        tag=tag,
        buildargs=dict(arguments or {}),
        labels={CONTENT_LABEL: content},
        target=stage or "",
        network_mode="host",
        rm=True,
        forcerm=True,
        decode=True,
        timeout=SILENCE_TIMEOUT,
    )
    follow(output, f"image {tag} was not built", progress, BUILD_TIMEOUT)
    _remove(client, before - {str(client.images.get(tag).id)})


def _replaceable(client: DockerClient, tag: str) -> set[str]:
    """Find what a build of ``tag`` supersedes: the image of that name, and nameless build stages of ours."""
    stages = client.images.list(all=False, filters={"dangling": True, "label": STAGE_LABEL})
    return {str(image.id) for image in [*client.images.list(name=tag), *stages]}


def _remove(client: DockerClient, images: set[str]) -> None:
    """Remove superseded images, so that rebuilding does not fill the disk; those still in use stay."""
    from docker.errors import APIError

    for image in images:
        with contextlib.suppress(APIError):
            client.images.remove(image)


def follow(output: Iterable[Any], failure: str, progress: Progress, timeout: float) -> None:
    """Follow the engine's stream of events to its end and report the steps.

    Raises BedUnavailable, with ``failure`` and the last lines, at an error or after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    lines: list[str] = []
    for event in output:
        lines = (lines + [line for line in event.get("stream", "").splitlines() if line.strip()])[-TAIL_LINES:]
        if event.get("stream", "").startswith("Step "):
            progress(event["stream"].splitlines()[0])
        if "error" in event:
            raise BedUnavailable("\n".join([f"{failure}: {event['error']}", *lines]))
        if time.monotonic() > deadline:
            raise BedUnavailable("\n".join([f"{failure} within {timeout:.0f} s", *lines]))
