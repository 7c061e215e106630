"""What every probe test may ask for; the Prometheus with its exporters is shared, for its first scrape takes 6 s."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.testbed.probes.parts import (
    Certificates,
    PrometheusServer,
    Reply,
    Seen,
    Server,
    make_certificates,
    wait_for,
)

MANY = "".join(f'many{{n="{n}"}} {n}\n' for n in range(1100))


class Monitored:
    """A Prometheus and what it scrapes: so many exporters for each job."""

    def __init__(self, folder: Path, jobs: Mapping[str, int]) -> None:
        self.began = time.time()
        self.errors_exposed = True
        self.exporters: dict[str, list[Server]] = {
            job: [Server(self.exposition) for _ in range(count)] for job, count in jobs.items()
        }
        ports = {job: [server.port for server in servers] for job, servers in self.exporters.items()}
        self.prometheus = PrometheusServer(folder, ports)

    def exposition(self, _: Seen) -> Reply:
        lines = [
            "val 7",
            f"c_total {int((time.time() - self.began) * 1000)}",
            "odd NaN",
            'mixed{n="1"} 1\nmixed{n="2"} +Inf',
            f"frozen 3 {int(self.began * 1000)}",
            f"frozen_total 3 {int(self.began * 1000)}",
            *(["errors_total 5"] if self.errors_exposed else []),
        ]
        return Reply(("\n".join(lines) + "\n" + MANY).encode())

    def close(self) -> None:
        self.prometheus.stop()
        for server in (one for servers in self.exporters.values() for one in servers):
            server.close()


@contextmanager
def monitored_jobs(folder: Path, jobs: Mapping[str, int], scrapes: int = 4) -> Iterator[Monitored]:
    """A Prometheus of its own, ready since the last exporter was scraped so many times."""
    if shutil.which("prometheus") is None:
        pytest.skip("missing capability: the prometheus binary (install the package prometheus)")
    made = Monitored(folder, jobs)
    try:
        wait_for(lambda: all(len(one.seen) >= scrapes for each in made.exporters.values() for one in each), 60)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """Nobody closes an exporter of this one: it is shared."""
    with monitored_jobs(tmp_path_factory.mktemp("prometheus"), {"app": 1, "pair": 2}, scrapes=8) as made:
        yield made


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("missing capability: the openssl command (install the package openssl)")
    return make_certificates(tmp_path_factory.mktemp("certificates"))
