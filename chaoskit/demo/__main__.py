"""``python -m chaoskit.demo up|down|status|run|provision|stop-engine``: the demo system by one command.

Exit codes: those of ``chaoskit run`` for ``run``; else 0 done, 1 the bed cannot be had (or, for ``status``, is not
up), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from chaoskit.demo import provision, show
from chaoskit.demo.bed import BedInfo, BedUnavailable, Progress, with_elapsed
from chaoskit.demo.docker_bed import DockerBed
from chaoskit.demo.local_bed import LocalBed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse gives it no public name

DEFAULT_ID = "chaoskit-demo"
READY_TIMEOUT = 60.0  # seconds
EXIT_UNAVAILABLE = 1
EXIT_INTERRUPTED = 130


def make_parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parser = argparse.ArgumentParser(prog="python -m chaoskit.demo", description="A small real system under load.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = _add_bed_command(commands, "up", "bring the bed up and wait until it is ready for experiments")
    down = _add_bed_command(commands, "down", "take the bed down")
    down.add_argument("--stop-engine", action="store_true", help="also stop the engine that `up` started")
    run = _add_bed_command(commands, "run", "bring the bed up, run one experiment on it, take the bed down")
    run.add_argument("--experiment", type=Path, help="file to run, default: one replica is lost")
    for command in (up, run):
        command.add_argument("--rate", type=float, default=20.0, help="requests per second and service")
    _add_bed_command(commands, "status", "tell whether the bed is up, and where")
    provision_help = "make sure of the Docker engine and the images, without starting a bed"
    _add_command(commands, "provision", provision_help)
    _add_command(commands, "stop-engine", "stop the Docker engine, if it was started here")
    return parser


def _add_bed_command(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    command = _add_command(commands, name, text)
    kinds = ("auto", "docker", "local")
    command.add_argument("--bed", choices=kinds, default="auto", help="auto: docker if it can be had")
    command.add_argument("--id", default=DEFAULT_ID, help=f"name of the bed, default {DEFAULT_ID}")
    return command


def _add_command(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = make_parser().parse_args(argv)
    tell = with_elapsed(lambda line: _say(line, sys.stderr))
    try:
        return HANDLERS[args.command](args, tell)
    except BedUnavailable as trouble:
        _say(f"error: {trouble}", sys.stderr)
        return EXIT_UNAVAILABLE
    except KeyboardInterrupt:
        _say("interrupted; whatever is up is taken down by: python -m chaoskit.demo down", sys.stderr)
        return EXIT_INTERRUPTED


def _up(args: argparse.Namespace, tell: Progress) -> int:
    bed = _prepared(args, tell)
    info = bed.up(tell)
    tell("waiting until load flows and Prometheus sees it")
    bed.wait_ready(READY_TIMEOUT)
    tell("ready")
    _show(info, as_json=args.json)
    return 0


def _run(args: argparse.Namespace, tell: Progress) -> int:
    if args.id == DEFAULT_ID:
        args.id = f"{DEFAULT_ID}-{os.getpid()}"  # a bed that somebody has up under the usual name is theirs
    bed = _prepared(args, tell)
    mine = bed.info() is None
    try:
        info = bed.up(tell)
        tell("waiting until load flows and Prometheus sees it")
        bed.wait_ready(READY_TIMEOUT)
        return show.run_experiment(info, args.experiment or show.default_experiment(info), tell, fresh=mine)
    finally:
        if mine:
            bed.down()
            tell("the bed is down")
        if mine and provision.stop_engine():
            tell("the engine that was started for it is stopped")


def _stop_engine(_args: argparse.Namespace, tell: Progress) -> int:
    tell("the engine is stopped" if provision.stop_engine() else "no engine was started here")
    return 0


def _prepared(args: argparse.Namespace, tell: Progress) -> DockerBed | LocalBed:
    """Choose the bed and bring about what it needs."""
    if args.bed == "local":
        return LocalBed(args.id, rate=args.rate)
    try:
        provision.ensure_engine(tell)
        provision.ensure_bed_image(tell)
    except BedUnavailable as trouble:
        if args.bed == "docker":
            raise
        tell(f"no Docker, so local processes: {trouble}")
        return LocalBed(args.id, rate=args.rate)
    return DockerBed(args.id, rate=args.rate)


def _down(args: argparse.Namespace, tell: Progress) -> int:
    for bed in _reachable(args):
        bed.down()
    tell(f"bed {args.id} is down")
    if args.stop_engine and provision.stop_engine():
        tell("the engine started by `up` is stopped")
    return 0


def _status(args: argparse.Namespace, _tell: Progress) -> int:
    for bed in _reachable(args):
        if (info := bed.info()) is not None:
            _show(info, as_json=args.json)
            return 0
    _say("null" if args.json else f"bed {args.id} is not up", sys.stdout)
    return EXIT_UNAVAILABLE


def _provision(args: argparse.Namespace, tell: Progress) -> int:
    started = provision.ensure_engine(tell)
    tell("Docker engine: started here" if started else "Docker engine: answers")
    images = [provision.ensure_bed_image(tell), provision.ensure_product_image(tell)]
    tell(f"images: {', '.join(images)}")
    if args.json:
        _say(json.dumps({"engine_started": started, "images": images}), sys.stdout)
    return 0


def _reachable(args: argparse.Namespace) -> list[DockerBed | LocalBed]:
    """List the beds of this id that may exist; a bed asked for by kind is listed without a question."""
    beds: list[DockerBed | LocalBed] = []
    if args.bed == "docker" or (args.bed == "auto" and provision.engine_trouble() is None):
        beds.append(DockerBed(args.id))
    if args.bed != "docker":
        beds.append(LocalBed(args.id))
    return beds


def _show(info: BedInfo, *, as_json: bool) -> None:
    if as_json:
        _say(json.dumps(asdict(info)), sys.stdout)
        return
    places = {
        "web, 3 replicas": info.front_url,
        "solo, 1 replica": info.solo_url,
        "Prometheus": info.prometheus_url or "none: not installed",
        "users' metrics": info.users_url,
    }
    lines = [f"{what:<16} {where}" for what, where in places.items()]
    _say("\n".join([f"bed {info.bed_id} ({info.kind}) is up", *lines]), sys.stdout)


def _say(text: str, stream: TextIO) -> None:
    stream.write(f"{text}\n")


HANDLERS: dict[str, Callable[[argparse.Namespace, Progress], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "run": _run,
    "provision": _provision,
    "stop-engine": _stop_engine,
}

if __name__ == "__main__":
    sys.exit(main())
