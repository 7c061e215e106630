"""The configuration files of the demo's haproxy and Prometheus, as text; pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import yaml

SCRAPE_SECONDS = 1


class Front(NamedTuple):
    """One front of the balancer: listens on ``port``, shares the requests among ``servers`` (``host:port``).

    ``server_timeout`` is how long one replica may take, in milliseconds. With spare replicas it is short: the
    balancer gives up on a silent one and asks the next while the user still waits.
    """

    name: str
    port: int
    servers: Sequence[str]
    server_timeout: int


_HAPROXY_HEAD = """\
global
    maxconn 512
    log stdout format raw local0 warning

# Names are asked again every second: a restarted container may have another address. When the name server
# does not know a name any more, the last address stays and the health checks decide.
resolvers docker
    nameserver embedded 127.0.0.11:53
    resolve_retries 2
    timeout resolve 1s
    timeout retry 500ms
    hold valid 1s
    hold other 1h
    hold refused 1h
    hold nx 1h
    hold timeout 1h
    hold obsolete 1h

defaults
    mode http
    log global
    option dontlognull
    timeout client 5s
    timeout connect 250ms
    timeout queue 1s
    timeout check 400ms
    timeout http-request 5s
    retries 3
    option redispatch 1
    retry-on all-retryable-errors
    option httpchk GET /healthz
    default-server inter 500ms fastinter 200ms fall 2 rise 1 init-addr libc,none resolvers docker resolve-prefer ipv4
"""


def haproxy_config(fronts: Sequence[Front]) -> str:
    """Render haproxy.cfg: active checks, and retries on the next replica, for idempotent requests only."""
    return _HAPROXY_HEAD + "".join(_haproxy_front(front) for front in fronts)


def _haproxy_front(front: Front) -> str:
    lines = [
        f"\nlisten {front.name}",
        f"    bind :{front.port}",
        "    balance roundrobin",
        "    http-request disable-l7-retry unless METH_GET",
        f"    timeout server {front.server_timeout}ms",
    ]
    lines += [f"    server {server.partition(':')[0]} {server} check" for server in front.servers]
    return "\n".join(lines) + "\n"


def prometheus_config(jobs: Mapping[str, Sequence[str]], rules_file: str) -> str:
    """Render prometheus.yml: ``jobs`` maps a job to its ``host:port``s; all is scraped and judged each second."""
    every = f"{SCRAPE_SECONDS}s"
    config = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [rules_file],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]} for job, addresses in jobs.items()
        ],
    }
    return yaml.safe_dump(config, sort_keys=False)


ERROR_RATIO = (
    'sum by (service) (rate(client_requests_total{code=~"5..|000"}[5s]))'
    " / sum by (service) (rate(client_requests_total[5s]))"
)
P95 = "histogram_quantile(0.95, sum by (service, le) (rate(client_request_duration_seconds_bucket[5s])))"


def alert_rules() -> str:
    """Render the alert rules: what users feel (errors, slowness) and one cause (a replica that is down)."""
    rules = [
        _rule("HighErrorRate", f"{ERROR_RATIO} > 0.05", "2s", "page"),
        _rule("HighLatency", f"{P95} > 0.5", "3s", "page"),
        _rule("InstanceDown", "up == 0", "2s", "ticket"),
    ]
    return yaml.safe_dump({"groups": [{"name": "demo", "rules": rules}]}, sort_keys=False, width=200)


def _rule(alert: str, expression: str, hold: str, severity: str) -> dict[str, object]:
    return {"alert": alert, "expr": expression, "for": hold, "labels": {"severity": severity}}
