"""What the local bed is made of: every process as an argv on free loopback ports."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chaoskit.demo.bed import BedInfo
from chaoskit.demo.configs import alert_rules, prometheus_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCRIPTS = Path(__file__).parent
SCRIPT_NAMES = ("service.py", "load.py", "balancer.py")
LOOPBACK = "127.0.0.1"
REPLICAS = ("web-1", "web-2", "web-3", "solo-1")
TARGETS_UP = len(REPLICAS) + 1  # and the load


class Layout(NamedTuple):
    """A bed before it starts: what it will tell, its files, and the address of each replica."""

    info: BedInfo
    files: Mapping[str, str]
    replicas: Mapping[str, str]


def free_ports(count: int) -> list[int]:
    """Return ports that were free on loopback a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


def plan_layout(bed_id: str, folder: Path, rate: float, max_seconds: int, prometheus: str | None) -> Layout:
    """Choose ports and write down every process; the load is last, for it starts when the rest answers."""
    names = (*REPLICAS, "web", "solo", "lb", "load", "prometheus")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    bounds = ("--max-seconds", str(max_seconds))

    def script(file: str, name: str, *arguments: str) -> tuple[str, ...]:
        who = ("--bed", bed_id, "--name", name, "--port", str(ports[name]))
        return (sys.executable, str(SCRIPTS / file), *who, *bounds, *arguments)

    replicas = {name: f"{LOOPBACK}:{ports[name]}" for name in REPLICAS}
    argvs = {name: script("service.py", name) for name in REPLICAS}
    argvs["lb"] = script("balancer.py", "lb", *_fronts(ports, replicas))
    if prometheus:
        argvs["prometheus"] = _prometheus(prometheus, folder, ports["prometheus"], max_seconds)
    urls = {service: f"http://{LOOPBACK}:{ports[service]}" for service in ("web", "solo")}
    targets = (f"--target={service}={url}/" for service, url in urls.items())
    argvs["load"] = script("load.py", "load", *targets, "--rate", f"{rate:g}")
    info = BedInfo(
        kind="local",
        bed_id=bed_id,
        prometheus_url=f"http://{LOOPBACK}:{ports['prometheus']}" if prometheus else None,
        front_url=urls["web"],
        solo_url=urls["solo"],
        users_url=f"http://{LOOPBACK}:{ports['load']}/metrics",
        started_at=time.time(),
        processes=argvs,
    )
    return Layout(info, _files(folder, ports, replicas) if prometheus else {}, replicas)


def _fronts(ports: Mapping[str, int], replicas: Mapping[str, str]) -> tuple[str, str]:
    web = ",".join(address for name, address in replicas.items() if name.startswith("web-"))
    return f"--front={ports['web']}={web}", f"--front={ports['solo']}={replicas['solo-1']}"


def _prometheus(program: str, folder: Path, port: int, max_seconds: int) -> tuple[str, ...]:
    bounded = ("timeout", str(max_seconds), program, f"--config.file={folder / 'prometheus.yml'}")
    storage = (f"--storage.tsdb.path={folder / 'tsdb'}", "--storage.tsdb.retention.time=4h")
    return (*bounded, *storage, f"--web.listen-address={LOOPBACK}:{port}")


def _files(folder: Path, ports: Mapping[str, int], replicas: Mapping[str, str]) -> dict[str, str]:
    jobs = {
        "web": [address for name, address in replicas.items() if name.startswith("web-")],
        "solo": [replicas["solo-1"]],
        "load": [f"{LOOPBACK}:{ports['load']}"],
    }
    rules = str(folder / "rules.yml")
    return {"prometheus.yml": prometheus_config(jobs, rules), "rules.yml": alert_rules()}


def belongs(cmdline: Sequence[str], bed_id: str, folder: Path) -> bool:
    """Tell from its command line whether a process is a part of this bed."""
    if f"--config.file={folder / 'prometheus.yml'}" in cmdline:
        return True
    ours = any(Path(argument).name in SCRIPT_NAMES for argument in cmdline[1:2])
    return ours and ("--bed", bed_id) in pairwise(cmdline)
