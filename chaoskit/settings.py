"""Settings of this machine: ``chaoskit.toml``, and over it the environment (``CHAOSKIT_*``).

The first file found is used, alone: the one named with ``--config`` or ``CHAOSKIT_CONFIG``, ``chaoskit.toml`` in the
present folder, ``$XDG_CONFIG_HOME/chaoskit/chaoskit.toml``. Relative paths in a file start at the folder of the file.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from chaoskit.domain.connection import Prometheus
from chaoskit.domain.errors import InvalidSettings
from chaoskit.domain.limits import Limits
from chaoskit.domain.quantities import Duration, Value
from chaoskit.domain.selection import Protection
from chaoskit.files.places import Problem, clipped, dotted, printable
from chaoskit.files.source import read_text

FILE_NAME = "chaoskit.toml"
PREFIX = "CHAOSKIT_"
_TLS_FILES = tuple(("prometheus", "tls", f"{what}_file") for what in ("ca", "cert", "key"))
_PATHS = (("store",), ("reports",), ("halt_file",), *_TLS_FILES)
"""Where a file of settings names other files."""


class Settings(Value):
    """What holds for every experiment on this machine."""

    store: Path | None = Field(
        default=None,
        description="The SQLite file of journal and history; in the user's state folder when not written.",
        examples=["chaoskit.db"],
    )
    reports: Path = Field(
        default=Path("chaoskit-reports"), description="The folder of the reports.", examples=["chaoskit-reports"]
    )
    prometheus: Prometheus | None = Field(
        default=None,
        description="The Prometheus of experiments that name none.",
        examples=['{url = "http://127.0.0.1:9090"}'],
    )
    protected: Protection = Field(
        default_factory=Protection,
        description="Targets that no experiment may touch: names (shell patterns) and labels (key or key=value).",
        examples=['{names = ["*-db-*"], labels = ["tier=0"]}'],
    )
    docker_host: str | None = Field(
        default=None,
        pattern=r"^(unix|tcp|ssh)://.+",
        description="The Docker engine of targets that name none.",
        examples=["unix:///var/run/docker.sock"],
    )
    lease: Annotated[Duration, Field(ge=3, le=300)] = Field(
        default=15.0,
        description="How long faults may stay in when their runner no longer says that it lives; 3s to 5m.",
        examples=["15s"],
    )
    halt_file: Path | None = Field(
        default=None,
        description="While it is there, everything is halted; `halt` in the user's state folder when not written.",
        examples=["/run/chaoskit/halt"],
    )
    limits: Limits = Field(
        default_factory=Limits,
        description="How many runs may hold targets at once, in all and for each value of a label.",
        examples=["{max_runs = 3, max_per_label = {service = 1}}"],
    )
    guardian_image: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][\w./:@-]*$",
        description="The image of chaoskit on the Docker engines of targets: a guardian is put beside each of them.",
        examples=["chaoskit"],
    )
    guardian_socket: str = Field(
        default="/var/run/docker.sock",
        pattern=r"^/.+",
        description="The socket of these engines on their own machine, for the guardian there.",
        examples=["/var/run/docker.sock"],
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="How much is logged to standard error.", examples=["info"]
    )

    @field_validator("store", "reports", "halt_file")
    @classmethod
    def _is_a_path(cls, path: Path | None) -> Path | None:
        if "\0" in str(path):
            raise ValueError("holds the character U+0000, which no path can; remove it")
        return path

    def store_path(self) -> Path:
        """The SQLite file of journal and history; its folder may not exist yet."""
        if self.store is not None:
            return self.store
        from platformdirs import user_state_path

        return user_state_path("chaoskit") / "chaoskit.db"

    def halt_path(self) -> Path:
        """The halt file, which is there only while somebody wants everything halted.

        Not beside the store: one path stops all runs of a user, whatever store they are in.
        """
        from platformdirs import user_state_path

        return (self.halt_file or user_state_path("chaoskit") / "halt").absolute()


def load_settings(config: str | None, environ: Mapping[str, str]) -> Settings:
    """The settings of the file and of ``environ``; ``config`` names the file when a person did.

    Raises InvalidSettings with every problem. Protection adds up: the environment never takes any away.
    """
    problems = _misspelt(environ)
    path = _find(config or environ.get(f"{PREFIX}CONFIG", ""), environ)
    data = _read(path) if path else {}
    origins = _overlay(data, environ)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise InvalidSettings(*problems, *_explained(error, data, origins, str(path))) from None
    if problems:
        raise InvalidSettings(*problems)
    return settings


def _find(named: str, environ: Mapping[str, str]) -> Path | None:
    if named:
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME") or (Path(environ["HOME"]) / ".config" if environ.get("HOME") else None)
    candidates = [Path(FILE_NAME), *([Path(home) / "chaoskit" / FILE_NAME] if home else [])]
    # What is there but cannot be read must be refused, not passed over: it may hold the protection.
    return next((path for path in candidates if os.path.lexists(path)), None)


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    text = read_text(str(path), InvalidSettings)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(
            f'{printable(str(path))}: is not valid TOML: {clipped(str(error))}; write for example store = "chaoskit.db"'
        ) from None
    except RecursionError:
        raise InvalidSettings(f"{printable(str(path))}: is nested too deeply; no setting is") from None
    for *tables, key in _PATHS:
        table: Any = data
        for name in tables:
            table = table.get(name) if isinstance(table, dict) else None
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = str(path.parent / _home(table[key]))
    return data


def _home(text: str) -> str:
    return os.path.expanduser(text)  # noqa: PTH111 unlike pathlib's, it leaves the name of an unknown user alone


# --- the environment ------------------------------------------------------------------------------------------


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else text  # what is no number is refused as it stands


_VARIABLES: Mapping[str, tuple[tuple[str, ...], Callable[[str], Any]]] = {
    "STORE": (("store",), _home),
    "REPORTS": (("reports",), _home),
    "PROMETHEUS_URL": (("prometheus", "url"), str),
    "PROTECTED_NAMES": (("protected", "names"), _listed),
    "PROTECTED_LABELS": (("protected", "labels"), _listed),
    "DOCKER_HOST": (("docker_host",), str),
    "LEASE": (("lease",), str),
    "HALT_FILE": (("halt_file",), _home),
    "MAX_RUNS": (("limits", "max_runs"), _number),
    "GUARDIAN_IMAGE": (("guardian_image",), str),
    "GUARDIAN_SOCKET": (("guardian_socket",), str),
    "LOG_LEVEL": (("log_level",), str.lower),
}


def _overlay(data: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Put the environment over ``data``; returns which variable each path came from."""
    origins: dict[tuple[str, ...], str] = {}
    for name, (path, read) in _VARIABLES.items():
        if not (text := environ.get(PREFIX + name, "")):
            continue
        table = data.setdefault(path[0], {}) if len(path) > 1 else data
        if not isinstance(table, dict):
            continue  # the file has something else there, and that is refused
        table[path[-1]] = _added(table.get(path[-1]), read(text))
        origins[path] = PREFIX + name
    return origins


def _added(before: Any, new: Any) -> Any:
    if isinstance(new, list) and before is not None:
        return [*before, *new] if isinstance(before, list) else before  # what is no list is refused as it stands
    return new


def _misspelt(environ: Mapping[str, str]) -> list[str]:
    """Variables that are nearly ours: a misspelt protection must not pass for none."""
    known = {*_VARIABLES, "CONFIG"}
    others = [name for name in environ if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known]
    if not others:
        return []
    from difflib import get_close_matches

    pairs = [(name, get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=0.75)) for name in sorted(others)]
    return [f"{name}: is not a setting; did you mean {PREFIX}{near[0]}?" for name, near in pairs if near]


def _explained(
    error: ValidationError, data: dict[str, Any], origins: Mapping[tuple[str, ...], str], file: str
) -> list[str]:
    from chaoskit.files.problems import Scope, problems_of

    return [
        _written(problem, origins, file)
        for problem in problems_of(error, Scope(Settings, data, assignment=_assignment))
    ]


def _assignment(key: str, example: str) -> str:
    """A line of TOML: what is no table, list or number gets its quotes."""
    return f"{key} = {example}" if example[0] in '{["' or example.isdigit() else f'{key} = "{example}"'


def _written(problem: Problem, origins: Mapping[tuple[str, ...], str], file: str) -> str:
    if variable := origins.get(tuple(map(str, problem.path))):
        return f"{variable}: {problem.text.replace(f'example {problem.path[-1]} = ', f'example {variable}=')}"
    return f"{printable(file)}: {dotted(problem.path)}: {problem.text}"
