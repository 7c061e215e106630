"""The demo system as Docker containers on a network of its own.

Everything carries the label ``chaoskit.bed=<bed id>``; `DockerBed.down` finds it by that label alone, so it
works from a new process and after a crash. Containers are named ``<bed id>-<part>``; on the bed's network
they answer to the plain part name, the same in every bed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from chaoskit.demo.bed import BedInfo, BedUnavailable, Progress, checked_id, not_ready, silent, status_of, wait_until
from chaoskit.demo.docker_parts import (
    BED_LABEL,
    FRONTS,
    IMAGE,
    PART_LABEL,
    PROMETHEUS_PORT,
    SERVICE_PORT,
    SOLO_PORT,
    TARGETS_UP,
    WEB_PORT,
    Part,
    container_settings,
    parts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from docker import DockerClient
    from docker.models.containers import Container

API_TIMEOUT = 30  # seconds for one request to the engine
FRONTS_TIMEOUT = 20.0  # seconds until both fronts must answer


@contextmanager
def engine(timeout: int = API_TIMEOUT) -> Iterator[DockerClient]:
    """Open a client of the environment's Docker engine; all its errors become BedUnavailable."""
    import docker
    import requests

    try:
        client = docker.from_env(timeout=timeout)
        try:
            yield client
        finally:
            client.close()
    except (docker.errors.DockerException, requests.RequestException) as trouble:
        raise BedUnavailable(
            f"the Docker engine said: {trouble}. Check `docker version`, "
            "or bring up the bed of local processes: python -m chaoskit.demo up --bed local"
        ) from trouble


class DockerBed:
    """One demo system on the Docker engine of the environment (``DOCKER_HOST`` and friends).

    Args:
        bed_id: name of the bed; lower-case letters, digits, ``-`` and ``_``.
        rate: requests per second on each of the two services.
        max_seconds: the load ends by itself after so long.
        image: the image that `provision.ensure_bed_image` makes.

    """

    def __init__(self, bed_id: str, *, rate: float = 20.0, max_seconds: int = 7200, image: str = IMAGE) -> None:
        self.bed_id = checked_id(bed_id)
        self._image = image
        self._parts = parts(bed_id, rate, max_seconds)

    def up(self, progress: Progress = silent) -> BedInfo:
        """Bring the bed up; one of this id that runs completely is left as it is.

        Raises BedUnavailable, after taking down whatever it had started.
        """
        if (running := self.info()) is not None:
            progress(f"bed {self.bed_id} is already up")
            return running
        self.down()
        try:
            with engine() as client:
                self._start_all(client, progress)
            return self._started()
        except BaseException:
            self.down()
            raise

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until load flows, requests succeed and Prometheus sees it.

        Raises BedUnavailable, with what is missing, after ``timeout`` seconds.
        """
        url = self._started().prometheus_url or ""
        wait_until(lambda: not_ready(url, TARGETS_UP), timeout, f"bed {self.bed_id}")

    def info(self) -> BedInfo | None:
        """Describe the bed; None unless every part of it is running."""
        with engine() as client:
            found = {container.labels.get(PART_LABEL, ""): container for container in self._containers(client)}
        running = {name for name, container in found.items() if container.status == "running"}
        return None if {part.name for part in self._parts} - running else _describe(self.bed_id, found)

    def down(self) -> None:
        """Remove every container and network of the bed; does nothing when there are none.

        Raises BedUnavailable when the engine refuses, for example because a foreign container is still
        connected to the bed's network.
        """
        with engine() as client:
            containers = self._containers(client)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(_remove, containers))
            for network in client.networks.list(filters={"label": f"{BED_LABEL}={self.bed_id}"}):
                network.remove()

    def _containers(self, client: DockerClient) -> list[Container]:
        label = f"{BED_LABEL}={self.bed_id}"
        return client.containers.list(all=True, filters={"label": label}, ignore_removed=True)

    def _started(self) -> BedInfo:
        info = self.info()
        if info is None:
            raise BedUnavailable(
                f"not every part of bed {self.bed_id} is running; see "
                f"`docker ps -a --filter label={BED_LABEL}={self.bed_id}` and `docker logs`, or take it down"
            )
        return info

    def _start_all(self, client: DockerClient, progress: Progress) -> None:
        *first, load = self._parts
        client.networks.create(self.bed_id, driver="bridge", labels={BED_LABEL: self.bed_id})
        progress(f"starting {len(first)} containers")
        with ThreadPoolExecutor(len(first)) as pool:
            list(pool.map(lambda part: self._start(client, part), first))
        balancer = client.containers.get(f"{self.bed_id}-lb")
        fronts = [_published(balancer, front.port) for front in FRONTS]
        progress("waiting for both fronts to answer")
        wait_until(lambda: _silent_front(fronts), FRONTS_TIMEOUT, f"bed {self.bed_id}", poll=0.1)
        progress("starting the load")
        self._start(client, load)

    def _start(self, client: DockerClient, part: Part) -> None:
        endpoint = client.api.create_endpoint_config(aliases=[part.name])
        container = client.containers.create(
            self._image,
            list(part.argv),
            network=self.bed_id,
            networking_config={self.bed_id: endpoint},
            **container_settings(part, self.bed_id),
        )
        container.start()


def _remove(container: Container) -> None:
    """Remove one container, unless somebody else was faster."""
    from docker.errors import APIError, NotFound

    try:
        container.remove(force=True, v=True)
    except NotFound:
        return
    except APIError as trouble:
        if "already in progress" not in str(trouble):
            raise


def _published(container: Container, port: int) -> str:
    """Return the URL at which the host reaches ``port`` of the container."""
    bindings: Sequence[dict[str, str]] = container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp") or ()
    if not bindings:
        raise BedUnavailable(f"{container.name} publishes no port {port}; see `docker logs {container.name}`")
    return f"http://127.0.0.1:{bindings[0]['HostPort']}"


def _silent_front(urls: Sequence[str]) -> str | None:
    silent_ones = [url for url in urls if status_of(f"{url}/") != 200]  # noqa: PLR2004 - HTTP's OK
    return f"no 200 from {silent_ones}" if silent_ones else None


def _describe(bed_id: str, found: dict[str, Container]) -> BedInfo:
    started = datetime.fromisoformat(found["load"].attrs["State"]["StartedAt"][:19] + "+00:00")
    return BedInfo(
        kind="docker",
        bed_id=bed_id,
        prometheus_url=_published(found["prometheus"], PROMETHEUS_PORT),
        front_url=_published(found["lb"], WEB_PORT),
        solo_url=_published(found["lb"], SOLO_PORT),
        users_url=f"{_published(found['load'], SERVICE_PORT)}/metrics",
        started_at=started.timestamp(),
        containers={name: str(container.id) for name, container in found.items()},
    )
