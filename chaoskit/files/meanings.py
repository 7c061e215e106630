"""What every key of an experiment file means, with an example of how to write it.

One table for the messages, for the JSON Schema that editors complete from, and for the documentation. It is apart
from the models because it is only needed when something is wrong or asked. A test holds it against the models.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Meaning(NamedTuple):
    """The value as it would stand in YAML after ``key:``, and what the key says, in one sentence."""

    example: str
    description: str


_BOUND = "a number, or a number with a unit: 300ms, 5%, 512MiB"
_AUTH = "{bearer: env:PROM_TOKEN}"
_URL = "http://127.0.0.1:8080/healthz"

_PROBE = {
    "promql": ("sum(up)", "A PromQL expression, asked of Prometheus."),
    "http": (f'{{url: "{_URL}"}}', "One HTTP request from the machine that runs chaoskit."),
    "tcp": ("{host: 127.0.0.1, port: 5432}", "One TCP connect from the machine that runs chaoskit."),
    "command": ("{run: [redis-cli, ping]}", "One command on the machine that runs chaoskit, never through a shell."),
    "range": ("{last: 1m, step: 5s}", "Ask for a range of the PromQL expression, and judge every point of it."),
    "reduce": ("max", "What becomes of several series: all or any of them must hold, or their max, min or sum."),
    "fresh_within": ("15s", "How old a sample may be; an older one is no data."),
}
_BOUNDS = {
    "at_least": ("0.99", f"The lowest value that holds: {_BOUND}."),
    "at_most": ("300ms", f"The highest value that holds: {_BOUND}."),
    "equals": ("0", f"The only value that holds: {_BOUND}."),
}

_TABLE: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Experiment": {
        "apiVersion": ("chaoskit/v1", "The version of this file format."),
        "kind": ("Experiment", "What this file describes."),
        "name": ("checkout-survives-web-loss", "A stable name; the history hangs on it. Lower-case words and - _ ."),
        "title": ("Checkout keeps serving when one web replica dies", "The hypothesis in one line."),
        "description": ("Web runs three replicas behind a balancer.", "Anything a reader should know."),
        "owner": ("team-checkout", "Who answers for the experiment and its findings."),
        "tags": ("[tier-1]", "Words to find the experiment by."),
        "runbook": ("https://runbooks.example/checkout", "Where to look when it goes wrong."),
        "prometheus": ('{url: "http://127.0.0.1:9090"}', "The Prometheus that judges; else the one in the settings."),
        "targets": ("{web: {docker: {labels: {app: web}}}}", "Groups of targets by name, and how each is found."),
        "steady_state": (
            "[{name: availability, promql: sum(up), at_least: 3}]",
            "The steady-state hypothesis: checks that must all hold.",
        ),
        "expect": ("{recover_within: 30s}", "What else must come true: recovery in time, and alerts that fire."),
        "faults": ("[{kind: instance.kill, target: web, duration: 60s}]", "What is done to the targets."),
        "blast_radius": ("{max_targets: 1, max_percent: 34%}", "The limits of what one run may touch."),
        "abort_when": ('[{promql: "1 - avg(up)", above: 0.5, for: 3s}]', "Abort conditions: reasons to stop at once."),
        "sampling": ("{tick: 1s, baseline: 5s}", "How often and how long is looked."),
    },
    "Prometheus": {
        "url": ("http://127.0.0.1:9090", "The base address; no user or password in it."),
        "auth": (_AUTH, "How to log in."),
        "tls": ("{ca_file: ca.pem}", "How its certificate is verified."),
        "timeout": ("5s", "The longest one query may take."),
    },
    "Auth": {
        "bearer": ("env:PROM_TOKEN", "Where the token is: env:NAME or file:PATH."),
        "username": ("chaoskit", "The user of basic authentication."),
        "password": ("env:PROM_PASSWORD", "Where the password is: env:NAME or file:PATH."),
    },
    "Tls": {
        "ca_file": ("ca.pem", "The bundle of authorities to trust."),
        "cert_file": ("client.pem", "The client certificate."),
        "key_file": ("client.key", "The key of the client certificate."),
        "verify": ("true", "Whether the certificate is verified at all."),
    },
    "Compose": {
        "project": ("shop", "The Docker Compose project."),
        "service": ("web", "One service of the project; all of them when left out."),
    },
    "DockerSelector": {
        "labels": ("{app: web}", "Labels that a container must carry."),
        "names": ("[web-*]", "Shell patterns, one of which must match the name of a container."),
        "image": ("nginx:*", "A shell pattern for the image."),
        "network": ("shop_default", "A network the container is attached to."),
        "compose": ("{project: shop, service: web}", "A Docker Compose project, or one service of it."),
        "host": ("ssh://ops@docker-3", "The engine: unix://, tcp:// or ssh://; else the one in the settings."),
    },
    "LocalSelector": {
        "name": ("nginx", "The name of the process."),
        "cmdline": ("manage.py runserver", "A part of the command line."),
        "pidfile": ("/run/nginx.pid", "A file that holds the process id."),
        "port": ("8080", "A TCP port the process listens on."),
    },
    "TargetSpec": {
        "docker": ("{labels: {app: web}}", "Containers of a Docker engine."),
        "local": ("{port: 8080}", "Processes of the machine that runs chaoskit."),
    },
    "HttpProbe": {
        "url": (_URL, "The address to ask."),
        "method": ("GET", "The method of the request."),
        "status": ("200", "The status that holds, or a list of them."),
        "within": ("1s", "The longest the answer may take."),
        "headers": (
            "{Accept: application/json}",
            "Headers of the request; a secret is written as env:NAME or file:PATH.",
        ),
        "body": ('"{}"', "What is sent; env:NAME or file:PATH when it holds a secret."),
        "body_contains": ("ok", "Text that the answer must hold."),
        "auth": (_AUTH, "How to log in."),
        "tls": ("{ca_file: ca.pem}", "How the certificate is verified."),
    },
    "TcpProbe": {
        "host": ("127.0.0.1", "The name or address to connect to."),
        "port": ("5432", "The port to connect to, 1 to 65535."),
        "within": ("1s", "The longest the connect may take."),
    },
    "CommandProbe": {
        "run": ("[redis-cli, ping]", "The program and its arguments, as a list."),
        "status": ("0", "The exit status that holds."),
        "within": ("10s", "The longest the command may take."),
    },
    "Window": {
        "last": ("1m", "How far back the range goes."),
        "step": ("5s", "The distance of its points."),
    },
    "During": {**_BOUNDS, "allow_for": ("10s", "How long in one piece even this bound may be missed.")},
    "Check": {
        "name": ("availability", "What is checked, in a few words; each check has its own name."),
        **_PROBE,
        **_BOUNDS,
        "during": ("{at_most: 800ms, allow_for: 10s}", "A looser bound while the fault is in."),
    },
    "AbortCondition": {
        "name": ("error ratio", "What is watched, in a few words."),
        **_PROBE,
        "above": ("0.2", f"Abort above this: {_BOUND}."),
        "below": ("0.5", f"Abort below this: {_BOUND}."),
        "for": ("3s", "How long the limit must be passed before the run aborts."),
        "no_data_for": ("10s", "Abort when any probe has had no data for so long; 10s when not written."),
    },
    "ExpectedAlert": {
        "alert": ("HighErrorRate", "The name of the alert."),
        "labels": ("{service: checkout}", "Labels the alert must carry."),
        "fires_within": ("2m", "The longest the alert may take to fire after the fault is in."),
    },
    "Expectations": {
        "recover_within": ("30s", "The longest recovery may take after the rollback."),
        "alerts": ("[{alert: HighErrorRate, fires_within: 2m}]", "Alerts that must fire because of the fault."),
    },
    "FaultStep": {
        "kind": ("instance.kill", "The kind of the fault; `chaoskit faults` lists them."),
        "target": ("web", "The target group that is hit, by its name under targets."),
        "pick": ("1", "How many of its targets: a count, a percentage, all, or the labels they carry."),
        "pick_min": ("1", "The fewest targets that a percentage may come to."),
        "duration": ("60s", "How long the fault lasts; then it is rolled back."),
    },
    "BlastRadius": {
        "max_targets": ("1", "The most targets one run may touch, over all groups."),
        "max_percent": ("34%", "The largest share of any group, rounded down."),
        "max_percent_min": ("1", "The fewest targets that max_percent may come to."),
        "min_healthy": ("2", "How many healthy targets must be left in each group that is hit."),
        "require_label": ("chaoskit.allow=true", "Only targets with this label may be touched."),
    },
    "Sampling": {
        "tick": ("1s", "How often every probe is sampled, 100ms to 60s."),
        "baseline": ("5s", "How long the steady state must hold before anything is done."),
        "min_samples": ("3", "The fewest samples a verdict may rest on."),
        "max_missing": ("20%", "The largest share of the samples, and of the time of a fault, that may be missing."),
    },
}


def meaning(model: str, key: str) -> Meaning | None:
    """What ``key`` means in the model of that name, or None when it is none of an experiment file."""
    found = _TABLE.get(model, {}).get(key)
    return Meaning(*found) if found else None


def table() -> Mapping[str, Mapping[str, Meaning]]:
    """Everything that is known, by model and key."""
    return {model: {key: Meaning(*found) for key, found in keys.items()} for model, keys in _TABLE.items()}
