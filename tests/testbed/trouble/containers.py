"""Containers of the shared engine for stories, which are no fixtures."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from chaoskit.demo import provision
from tests.testbed.docker import docker_parts as parts


@cache
def _missing() -> str:
    if trouble := provision.engine_trouble():
        return f"a Docker engine ({trouble})"
    return "" if parts.busybox() else "a static busybox (Debian package busybox-static)"


class Container:
    """A container, and another one that nobody may touch."""

    def __init__(self, container_id: str, bystander: str) -> None:
        self.id = container_id
        self._bystander = bystander
        self._before = parts.inspect(bystander)
        self.name = str(self.facts["Name"]).removeprefix("/")

    @property
    def selector(self) -> dict[str, Any]:
        """How an experiment finds it."""
        return {"docker": {"names": [self.name]}}

    @property
    def facts(self) -> dict[str, Any]:
        """All that the engine tells of it now."""
        return parts.inspect(self.id)

    @property
    def paused(self) -> bool:
        """Whether the engine says so."""
        return bool(self.facts["State"]["Paused"])

    @property
    def bystander_untouched(self) -> bool:
        """Whether all facts of the other one are as they were."""
        return parts.inspect(self._bystander) == self._before


@contextmanager
def container(*options: str, script: str = parts.ENDS_ON_TERM) -> Iterator[Container]:
    """A running container with its bystander; both are removed afterwards. Skips the test where there is no engine."""
    if missing := _missing():
        pytest.skip(f"missing capability: {missing}")
    with (
        parts.image() as image,
        parts.container(image, *options, script=script) as made,
        parts.container(image) as bystander,
    ):
        yield Container(made, bystander)
