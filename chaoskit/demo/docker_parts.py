"""What the Docker bed is made of: every container as data; pure.

The configuration files of haproxy and Prometheus are the same in every bed, because parts find each other by
plain names on the bed's own network; so they are baked into the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaoskit.demo.configs import Front, alert_rules, haproxy_config, prometheus_config

BED_LABEL, PART_LABEL = "chaoskit.bed", "chaoskit.part"
IMAGE = "chaoskit-bed"
SERVICE_PORT, PROMETHEUS_PORT, WEB_PORT, SOLO_PORT = 8000, 9090, 8080, 8081
REPLICAS = ("web-1", "web-2", "web-3")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container; only `publish` reaches the host, on loopback

FRONTS = (
    Front("web", WEB_PORT, [f"{name}:{SERVICE_PORT}" for name in REPLICAS], server_timeout=500),
    Front("solo", SOLO_PORT, [f"solo-1:{SERVICE_PORT}"], server_timeout=1800),
)
SCRAPED = {
    "web": [f"{name}:{SERVICE_PORT}" for name in REPLICAS],
    "solo": [f"solo-1:{SERVICE_PORT}"],
    "load": [f"load:{SERVICE_PORT}"],
}
TARGETS_UP = sum(len(targets) for targets in SCRAPED.values())


@dataclass(frozen=True)
class Part:
    """One container of the bed; ``memory`` is its limit in MiB, ``publish`` its ports that the host sees."""

    name: str
    service: str
    argv: Sequence[str]
    memory: int = 96
    publish: Sequence[int] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def config_files() -> dict[str, str]:
    """Return the configuration files of the image: name to text."""
    return {
        "haproxy.cfg": haproxy_config(FRONTS),
        "prometheus.yml": prometheus_config(SCRAPED, "rules.yml"),
        "rules.yml": alert_rules(),
    }


def parts(bed_id: str, rate: float, max_seconds: int) -> tuple[Part, ...]:
    """List every container; the load is last, for it starts when the rest answers."""
    return (
        _prometheus(),
        _redis(),
        _replica("web-1", "a", bed_id, healthcheck=_curl_healthz()),
        _replica("web-2", "b", bed_id),
        _replica("web-3", "c", bed_id, restart_policy={"Name": "always"}),
        _replica("solo-1", "a", bed_id),
        Part("lb", "lb", ("haproxy", "-db", "-f", "haproxy.cfg"), publish=(WEB_PORT, SOLO_PORT)),
        _load(bed_id, rate, max_seconds),
    )


def _replica(name: str, zone: str, bed_id: str, **extra: Any) -> Part:
    """One replica of the service: the only parts that faults may touch. /data is its disk to fill."""
    service = name.partition("-")[0]
    argv = ("python3", "service.py", "--name", name, "--bed", bed_id, "--redis", "redis:6379")
    return Part(
        name,
        service,
        (*argv, "--host", EVERYWHERE, "--port", str(SERVICE_PORT)),
        labels={"app": service, "zone": zone, "chaoskit.allow": "true"},
        extra={"tmpfs": {"/data": "size=24m"}, **extra},
    )


def _curl_healthz() -> dict[str, Any]:
    second = 1_000_000_000  # the API counts in nanoseconds
    url = f"http://127.0.0.1:{SERVICE_PORT}/healthz"
    probe = ["CMD", "curl", "-fsS", "--max-time", "1", "-o", "/dev/null", url]
    return {"test": probe, "interval": 2 * second, "timeout": 2 * second, "retries": 2}


def _redis() -> Part:
    argv = ("redis-server", "--bind", EVERYWHERE, "--protected-mode", "no", "--maxmemory", "16mb")
    return Part("redis", "redis", (*argv, "--save", "", "--appendonly", "no"), 64, labels={"app": "redis"})


def _prometheus() -> Part:
    storage = ("--storage.tsdb.path=tsdb", "--storage.tsdb.retention.time=4h")
    argv = ("prometheus", "--config.file=prometheus.yml", *storage)
    return Part("prometheus", "prometheus", argv, 256, (PROMETHEUS_PORT,))


def _load(bed_id: str, rate: float, max_seconds: int) -> Part:
    targets = (f"--target={front.name}=http://lb:{front.port}/" for front in FRONTS)
    argv = ("python3", "load.py", "--bed", bed_id, "--host", EVERYWHERE, "--port", str(SERVICE_PORT), *targets)
    bounds = ("--rate", f"{rate:g}", "--max-seconds", str(max_seconds))
    return Part("load", "load", (*argv, *bounds), publish=(SERVICE_PORT,))


def container_settings(part: Part, bed_id: str) -> dict[str, Any]:
    """Return the arguments of the SDK's ``containers.create`` for ``part``, without its network."""
    number = part.name.rpartition("-")[2]
    compose = {
        "com.docker.compose.project": bed_id,
        "com.docker.compose.service": part.service,
        "com.docker.compose.container-number": number if number.isdigit() else "1",
    }
    return {
        "name": f"{bed_id}-{part.name}",
        "hostname": part.name,
        "labels": {BED_LABEL: bed_id, PART_LABEL: part.name, **compose, **part.labels},
        "mem_limit": f"{part.memory}m",
        "memswap_limit": f"{part.memory}m",
        "ports": {f"{port}/tcp": ("127.0.0.1", None) for port in part.publish},
        # The name of a dead container must fail here and now, not be asked from the machine's name servers.
        "dns": ["127.0.0.1"],
        "dns_opt": ["timeout:1", "attempts:1"],
        **part.extra,
    }
