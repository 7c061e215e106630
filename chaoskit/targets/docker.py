"""Containers as targets: found by a selector, opened by their full id.

Import this module at use: it brings the Docker SDK, which takes a third of a second.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache, partial
from threading import Lock
from types import TracebackType
from typing import Self

from chaoskit.domain.errors import TargetGone
from chaoskit.domain.ports import Target, TargetRef
from chaoskit.domain.targeting import DockerSelector
from chaoskit.targets.docker_engine import Engine, engine_host
from chaoskit.targets.docker_exclusion import exclusion, network_home, ours, read_own_container, watched
from chaoskit.targets.docker_facts import Facts, name_of, target_ref
from chaoskit.targets.docker_target import DockerTarget

_PROJECT, _SERVICE, _ONE_OFF = (f"com.docker.compose.{key}" for key in ("project", "service", "oneoff"))


def engine_filters(selector: DockerSelector) -> dict[str, list[str]]:
    """What of ``selector`` the engine itself can filter by."""
    labels = [f"{key}={value}" for key, value in selector.labels.items()]
    if selector.compose is not None:
        labels.append(f"{_PROJECT}={selector.compose.project}")
        if selector.compose.service is not None:
            labels.append(f"{_SERVICE}={selector.compose.service}")
    networks = [selector.network] if selector.network else []
    return {key: values for key, values in (("label", labels), ("network", networks)) if values}


def matches(selector: DockerSelector, facts: Facts) -> bool:
    """Whether a container meets what the engine could not filter by: names, image, and no one-off of Compose."""
    if selector.names and not any(fnmatchcase(name_of(facts), pattern) for pattern in selector.names):
        return False
    if selector.compose is not None and facts["Config"]["Labels"].get(_ONE_OFF) == "True":
        return False
    return selector.image is None or image_matches(selector.image, facts["Config"]["Image"])


def image_matches(wanted: str, image: str) -> bool:
    """Whether a container made from ``image`` counts as one of ``wanted``, a shell pattern; a tag may be left out."""
    untagged = image.partition("@")[0]
    head, colon, tail = untagged.rpartition(":")
    if colon and "/" not in tail:
        untagged = head
    return any(fnmatchcase(name, wanted) for name in (image, untagged))


class DockerSource:
    """The containers of one engine that match a selector, stopped ones too. Connects at first use.

    Safe to use from several threads. A context manager; without one, call :meth:`close` after use.
    """

    def __init__(
        self,
        selector: DockerSelector,
        *,
        default_host: str | None,
        watched_urls: Sequence[str] = (),
        timeout: float = 10.0,
    ) -> None:
        """``watched_urls``: what must stay reachable; ``timeout``: seconds for each request, rounded up."""
        self._selector = selector
        self._host = engine_host(selector.host, default_host, os.environ)
        self._watched_urls = tuple(watched_urls)
        self._timeout = timeout
        self._engine: Engine | None = None
        self._lock = Lock()

    def discover(self) -> Sequence[TargetRef]:
        """Every container that matches, by name; the untouchable ones say why. Raises TargetError."""
        engine = self._connected()
        look = cache(partial(_inspect, engine))
        here = ours(read_own_container(), look)
        urls = watched(self._watched_urls, self._host, apart=here.apart)
        found = [facts for facts in self._inspected(engine) if matches(self._selector, facts)]
        whys = [exclusion(facts, here, urls, network_home(facts, look)) for facts in found]
        refs = [target_ref(facts, engine.name, why) for facts, why in zip(found, whys, strict=True)]
        return sorted(refs, key=lambda ref: (ref.name, ref.id))

    @contextmanager
    def open(self, ref: TargetRef) -> Iterator[Target]:
        """The container of ``ref``, by its full id. Raises TargetGone, Unreachable, AccessDenied, TargetTimeout."""
        yield DockerTarget(self._connected(), ref.id)

    def close(self) -> None:
        """Close the connections to the engine; the next use opens new ones."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _connected(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = Engine(self._host, self._timeout)
            return self._engine

    def _inspected(self, engine: Engine) -> Iterator[Facts]:
        with engine.doing("list containers"):
            rows = engine.api.containers(all=True, filters=engine_filters(self._selector))
        for row in rows:
            facts = _inspect(engine, row["Id"])
            if facts is not None:  # else removed since it was listed
                yield facts


def _inspect(engine: Engine, container: str) -> Facts | None:
    """What the engine tells of a container; None when it is gone."""
    try:
        with engine.doing("inspect a container"):
            facts: Facts = engine.api.inspect_container(container)
    except TargetGone:
        return None
    return facts
