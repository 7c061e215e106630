"""What chaoskit left on a Docker engine, found by its labels alone: containers of its own.

Import this module at use: it brings the Docker SDK.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from chaoskit.domain.traces import Trace
from chaoskit.targets.docker_engine import Engine
from chaoskit.targets.docker_exclusion import ROLE_LABEL

RUN_LABEL = "chaoskit.run"
"""On every container that chaoskit makes for a run: the id of that run."""
_AT_WORK = {"running", "restarting", "paused"}


def traces(engine: Engine) -> Iterator[Trace]:
    """Every container of chaoskit's own that was made for a run. Raises TargetError."""
    with engine.doing("list containers"):
        rows = engine.api.containers(all=True, filters={"label": [ROLE_LABEL, RUN_LABEL]})
    for row in rows:
        yield _of(engine, row)


def _of(engine: Engine, row: Mapping[str, Any]) -> Trace:
    labels, name = row["Labels"], row["Names"][0].removeprefix("/") if row["Names"] else row["Id"]
    what = f"the container {name} ({labels[ROLE_LABEL]}, {row['State']})"
    tag = f"chaoskit-{labels[RUN_LABEL]}-{labels[ROLE_LABEL]}"
    at_work = row["State"] in _AT_WORK
    return Trace(f"Docker engine {engine.name}", tag, what, at_work, lambda: _remove(engine, row["Id"], name))


def _remove(engine: Engine, container: str, name: str) -> str:
    with engine.doing(f"remove {name}"):
        engine.api.remove_container(container, force=True, v=True)
    return "it was removed"
