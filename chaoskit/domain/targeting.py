"""Where the targets of an experiment are found."""

from pydantic import Field, model_validator

from chaoskit.domain.quantities import Value
from chaoskit.domain.texts import Labels, Port, exactly_one


class Compose(Value):
    """A Docker Compose project, or one service of it."""

    project: str
    service: str | None = None


class DockerSelector(Value):
    """Containers of one engine that match every given criterion. Names are shell patterns."""

    labels: Labels = {}
    names: tuple[str, ...] = ()
    image: str | None = None
    network: str | None = None
    compose: Compose | None = None
    host: str | None = Field(default=None, pattern=r"^(unix|tcp|ssh)://.+", examples=["ssh://ops@docker-3"])

    @model_validator(mode="after")
    def _selects_something(self) -> "DockerSelector":
        if not (self.labels or self.names or self.image or self.network or self.compose):
            raise ValueError(
                "select containers by labels, names, image, network or compose, for example labels: {app: web}"
            )
        return self


class LocalSelector(Value):
    """Processes of this machine that match every given criterion. ``cmdline`` is a part of the command line."""

    name: str | None = None
    cmdline: str | None = None
    pidfile: str | None = None
    port: Port | None = None

    @model_validator(mode="after")
    def _selects_something(self) -> "LocalSelector":
        if not (self.name or self.cmdline or self.pidfile or self.port):
            raise ValueError("select processes by name, cmdline, pidfile or port, for example port: 8080")
        return self


class TargetSpec(Value):
    """One group of targets of the experiment, and where they are found."""

    docker: DockerSelector | None = None
    local: LocalSelector | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "TargetSpec":
        exactly_one(self, ("docker", "local"), "docker: {labels: {app: web}}")
        return self
