"""``chaoskit doctor``: what is there, what is missing, and how to get it."""

import argparse
import os
import platform
from collections.abc import Callable
from typing import Literal, NamedTuple

from chaoskit import __version__
from chaoskit.cli.common import opened_store, print_json, settings_of
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.errors import ChaoskitError, Exit
from chaoskit.settings import Settings

PATIENCE = 10.0
"""Seconds that an engine may take to answer."""


class Finding(NamedTuple):
    """One line of the doctor: ``absent`` is what only some experiments need, ``broken`` is what was configured."""

    name: str
    state: Literal["ok", "absent", "broken"]
    detail: str


def doctor(args: argparse.Namespace) -> int:
    """Check everything; exit 7 when something that was configured does not work."""
    settings = settings_of(args)
    checks: tuple[Callable[[Settings], Finding], ...] = (_python, _store, _docker, _prometheus, _local)
    findings = [check(settings) for check in checks] + _guardian(settings)
    if args.json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            print(f"{finding.state:<7} {finding.name:<12} {finding.detail}")
    return Exit.ERROR if any(finding.state == "broken" for finding in findings) else Exit.PASSED


def _python(_settings: Settings) -> Finding:
    return Finding("chaoskit", "ok", f"{__version__} on Python {platform.python_version()}, {platform.system()}")


def _store(settings: Settings) -> Finding:
    path = settings.store_path()
    try:
        with opened_store(settings) as store:
            left = len(store.outstanding())
    except ChaoskitError as error:
        return Finding("store", "broken", str(error))
    return Finding("store", "ok", f"{path}; {left} injections outstanding" if left else str(path))


def _docker(settings: Settings) -> Finding:
    from chaoskit.targets.docker_engine import Engine, engine_host

    host = engine_host(None, settings.docker_host, os.environ)
    try:
        engine = Engine(host, PATIENCE)
    except ChaoskitError as error:
        configured = bool(settings.docker_host or os.environ.get("DOCKER_HOST"))
        return Finding("docker", "broken" if configured else "absent", f"{error} (needed for docker targets)")
    name = engine.name
    engine.close()
    return Finding("docker", "ok", f"engine {name} answers at {host}")


def _guardian(settings: Settings) -> list[Finding]:
    """Whether a guardian can be put beside the engine, where that is wanted."""
    from chaoskit.guardian.post import missing
    from chaoskit.targets.docker_engine import Engine, engine_host

    if (image := settings.guardian_image) is None:
        return []
    try:
        engine = Engine(engine_host(None, settings.docker_host, os.environ), PATIENCE)
        try:
            problem = missing(engine, image)
        finally:
            engine.close()
    except ChaoskitError as error:
        problem = f"whether the engine has the image {image!r} (guardian_image) is unknown: {error}"
    return [Finding("guardian", "broken" if problem else "ok", problem or f"the engine has the image {image!r}")]


def _prometheus(settings: Settings) -> Finding:
    configured: Prometheus | None = settings.prometheus
    if configured is None:
        return Finding("prometheus", "absent", "none configured; set CHAOSKIT_PROMETHEUS_URL, or name it in each file")
    from chaoskit.probes.prometheus_info import PrometheusInfo

    problem = PrometheusInfo(configured).ready()
    return Finding("prometheus", "broken" if problem else "ok", problem or configured.url)


def _local(_settings: Settings) -> Finding:
    system = platform.system()
    if system != "Linux":
        return Finding("local", "absent", f"local process targets are tested on Linux; this is {system}")
    return Finding("local", "ok", "processes of this machine can be targets")
