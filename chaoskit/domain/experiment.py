"""The experiment file as frozen values. What each key means to a reader stands in docs/reference/file-format.md."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from chaoskit.domain.quantities import (
    PERCENT_PATTERN,
    Duration,
    Percent,
    PositiveDuration,
    Quantity,
    Value,
    format_percent,
    parse_percent,
    shown,
)

Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(?:[-_.][a-z0-9]+)*$", max_length=80),
    Field(examples=["replica-loss"]),
]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
SecretRef = Annotated[
    str,
    StringConstraints(pattern=r"^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"),
    Field(examples=["env:PROM_TOKEN"]),
]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(?:/[^\s]*)?$", max_length=2000)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Argv = Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1)]
Labels = dict[str, str]
DEFAULT_NO_DATA_FOR = 10.0


def exactly_one(data: object, names: tuple[str, ...], example: str) -> None:
    """Raise ValueError unless exactly one of ``names`` is set on ``data``."""
    given = [name for name in names if getattr(data, name) is not None]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "none of them is given"
        raise ValueError(f"write exactly one of {', '.join(names)}; {what}, for example {example}")


# --- where things are -------------------------------------------------------------------------------------


class Auth(Value):
    """How to log in to an HTTP endpoint; secrets are references (``env:NAME`` or ``file:PATH``), never values."""

    bearer: SecretRef | None = None
    username: str | None = None
    password: SecretRef | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Auth":
        if (self.bearer is None) == (self.username is None or self.password is None):
            raise ValueError("write either bearer, or username and password, for example bearer: env:PROM_TOKEN")
        return self


class Tls(Value):
    """How an HTTPS endpoint is verified: a CA bundle, a client certificate, or (stated aloud) not at all."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True


class Prometheus(Value):
    """The Prometheus that judges."""

    url: HttpUrl
    auth: Auth | None = None
    tls: Tls = Tls()
    timeout: PositiveDuration = 5.0


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


# --- what is measured -------------------------------------------------------------------------------------


class HttpProbe(Value):
    """One HTTP request; it holds when the status (and the body, if asked) is right and the answer came in time."""

    url: HttpUrl
    method: Literal["GET", "HEAD", "POST", "PUT", "OPTIONS"] = "GET"
    status: int | tuple[int, ...] = 200
    within: PositiveDuration = 5.0
    headers: Labels = {}
    body: str | None = None
    body_contains: str | None = None
    auth: Auth | None = None
    tls: Tls = Tls()


class TcpProbe(Value):
    """One TCP connect; it holds when the connection is accepted in time."""

    host: str = Field(min_length=1)
    port: Port
    within: PositiveDuration = 3.0


class CommandProbe(Value):
    """One command on the runner's machine, never through a shell; it holds when the exit status is right.

    With a tolerance on the check, the last line of standard output is the number that is judged.
    """

    run: Argv
    status: int = 0
    within: PositiveDuration = 10.0


class Window(Value):
    """A range query: the last ``last`` seconds, one point each ``step`` seconds."""

    last: PositiveDuration
    step: PositiveDuration = 5.0


class ProbeSpec(Value):
    """What takes one sample: exactly one of ``promql``, ``http``, ``tcp`` and ``command``."""

    promql: Annotated[str, StringConstraints(min_length=1)] | None = None
    http: HttpProbe | None = None
    tcp: TcpProbe | None = None
    command: CommandProbe | None = None
    range: Window | None = None
    reduce: Literal["all", "any", "max", "min", "sum"] | None = None
    fresh_within: PositiveDuration = 15.0

    @property
    def source(self) -> str:
        """The kind of the probe: ``promql``, ``http``, ``tcp`` or ``command``."""
        return next((kind for kind in _PROBES if getattr(self, kind) is not None), "")

    def _check_probe(self) -> None:
        exactly_one(self, _PROBES, "promql: sum(up)")
        if self.promql is None and (self.range or self.reduce):
            raise ValueError("range and reduce belong to promql checks; remove them")


_PROBES = ("promql", "http", "tcp", "command")


class Bounds(Value):
    """The numbers between which a value holds; each end is inclusive."""

    at_least: Quantity | None = None
    at_most: Quantity | None = None
    equals: Quantity | None = None

    @property
    def stated(self) -> bool:
        """Whether there is any bound at all."""
        return any(bound is not None for bound in (self.at_least, self.at_most, self.equals))

    @property
    def unit(self) -> str:
        """The unit the bounds were written in: ``s``, ``%``, ``B`` or nothing."""
        return next((b.unit for b in (self.at_least, self.at_most, self.equals) if b is not None), "")

    def admit(self, value: float) -> bool:
        """Whether ``value``, in base units, is within every stated bound."""
        return (
            (self.at_least is None or value >= self.at_least.value)
            and (self.at_most is None or value <= self.at_most.value)
            and (self.equals is None or value == self.equals.value)
        )

    def __str__(self) -> str:
        named = (("at least", self.at_least), ("at most", self.at_most), ("equal to", self.equals))
        return " and ".join(f"{word} {bound}" for word, bound in named if bound is not None)

    def _check_bounds(self) -> None:
        if self.equals is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("equals excludes at_least and at_most; keep one of them")
        if self.at_least is not None and self.at_most is not None and self.at_least.value > self.at_most.value:
            raise ValueError(f"at_least {self.at_least} is above at_most {self.at_most}; nothing could hold")


class During(Bounds):
    """A looser bound while the fault is in, and how long in one piece even that may be missed."""

    allow_for: Duration = 0.0

    @model_validator(mode="after")
    def _sound(self) -> "During":
        self._check_bounds()
        return self


class Check(ProbeSpec, Bounds):
    """One measurable statement of the steady-state hypothesis."""

    name: Line
    during: During | None = None

    @model_validator(mode="after")
    def _sound(self) -> "Check":
        self._check_probe()
        self._check_bounds()
        if self.promql is not None and not self.stated:
            raise ValueError("a promql check needs at_least, at_most or equals, for example at_least: 0.99")
        return self


class AbortCondition(ProbeSpec):
    """A reason to stop at once: a number over or under a limit, a failing probe, or monitoring gone silent."""

    name: str = ""
    above: Quantity | None = None
    below: Quantity | None = None
    held_for: Duration = Field(default=0.0, alias="for")
    no_data_for: PositiveDuration | None = None

    @model_validator(mode="after")
    def _sound(self) -> "AbortCondition":
        if self.no_data_for is not None:
            if self.source or self.above or self.below:
                raise ValueError("no_data_for stands alone, for example - {no_data_for: 10s}")
            return self
        self._check_probe()
        if self.promql is not None and (self.above is None) == (self.below is None):
            raise ValueError("a promql abort condition needs above or below, for example above: 0.2")
        return self

    @property
    def title(self) -> str:
        """The condition's name, or what it watches."""
        return self.name or f"{_watched(self)}{self.limit}"

    @property
    def limit(self) -> str:
        """The limit in words, with how long it must be exceeded."""
        over = f" above {self.above}" if self.above else f" below {self.below}" if self.below else ""
        return over + (f" for {self.held_for:g}s" if self.held_for else "")


def _watched(spec: ProbeSpec) -> str:
    if spec.promql is not None:
        return " ".join(spec.promql.split())
    if spec.http is not None:
        return f"{spec.http.method} {spec.http.url} fails"
    if spec.tcp is not None:
        return f"tcp {spec.tcp.host}:{spec.tcp.port} fails"
    return f"`{' '.join(spec.command.run)}` fails" if spec.command else "nothing"


class ExpectedAlert(Value):
    """An alert that must fire because of the fault: the detection part of the experiment."""

    alert: Line
    labels: Labels = {}
    fires_within: PositiveDuration


class Expectations(Value):
    """What else must come true: recovery in time, and the alerts that wake people."""

    recover_within: PositiveDuration = 60.0
    alerts: tuple[ExpectedAlert, ...] = ()


# --- what is done -----------------------------------------------------------------------------------------

PickValue = int | Decimal | str | Labels


def parse_pick(raw: Any) -> PickValue:
    """How many of the matched targets to hit: a count, a percentage, ``all``, or the labels they carry.

    Raises ValueError for anything else, zero and negative counts among it.
    """
    if isinstance(raw, Decimal) or raw == "all":
        return raw if isinstance(raw, Decimal) else "all"
    if isinstance(raw, str) and raw.endswith("%"):
        return parse_percent(raw)
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 1:
        return raw
    if isinstance(raw, dict) and raw and all(isinstance(v, str) for pair in raw.items() for v in pair):
        return raw
    raise ValueError(
        f"{shown(raw)} is not a pick; write a count such as 1, a share such as 30%, all, or labels such as {{zone: a}}"
    )


def _pick_as_written(pick: PickValue) -> Any:
    return format_percent(pick) if isinstance(pick, Decimal) else pick


Pick = Annotated[
    PickValue,
    PlainValidator(parse_pick),
    PlainSerializer(_pick_as_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": PERCENT_PATTERN},
                {"const": "all"},
                {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
            ]
        }
    ),
]


class FaultStep(Value):
    """One fault of the experiment: a kind with its parameters, whom it hits, and for how long."""

    kind: str
    target: str
    pick: Pick = 1
    pick_min: Annotated[int, Field(strict=True, ge=1)] | None = None
    duration: PositiveDuration
    parameters: dict[str, JsonValue] = {}

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    @model_validator(mode="before")
    @classmethod
    def _gather_parameters(cls, raw: Any) -> Any:
        """Every key that is not the step's own is a parameter of the fault, which judges it by its own fields."""
        if not isinstance(raw, dict) or "parameters" in raw:
            return raw
        own = {key: value for key, value in raw.items() if key in cls.model_fields}
        rest = {key: value for key, value in raw.items() if key not in cls.model_fields}
        return {**own, "parameters": rest}


class BlastRadius(Value):
    """The limits of what one run may touch; exceeding any of them blocks the run.

    ``max_percent`` is of the containers or processes that a target group matched, rounded down.
    """

    max_targets: Annotated[int, Field(strict=True, ge=1)] = 1
    max_percent: Percent | None = None
    min_healthy: Annotated[int, Field(strict=True, ge=0)] | None = None
    require_label: str | None = Field(default=None, pattern=r"^[^=\s]+(=.*)?$", examples=["chaoskit.allow=true"])


class Sampling(Value):
    """How often the checks are sampled, how long the baseline must hold, and how much of the data may be missing."""

    tick: Annotated[Duration, Field(ge=0.1, le=60)] = 1.0
    baseline: Duration = 5.0
    min_samples: Annotated[int, Field(strict=True, ge=1)] = 3
    max_missing: Percent = Decimal(20)


class Experiment(Value):
    """A chaos experiment: a steady-state hypothesis, faults, a blast radius and abort conditions."""

    api_version: Literal["chaoskit/v1"] = Field(alias="apiVersion")
    kind: Literal["Experiment"]
    name: Slug
    title: Line
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    runbook: HttpUrl | None = None
    prometheus: Prometheus | None = None
    targets: dict[Slug, TargetSpec] = Field(min_length=1)
    steady_state: tuple[Check, ...] = Field(min_length=1)
    expect: Expectations = Expectations()
    faults: tuple[FaultStep, ...] = Field(min_length=1)
    blast_radius: BlastRadius = BlastRadius()
    abort_when: tuple[AbortCondition, ...] = ()
    sampling: Sampling = Sampling()

    @field_validator("steady_state")
    @classmethod
    def _names_are_unique(cls, checks: tuple[Check, ...]) -> tuple[Check, ...]:
        names = [check.name for check in checks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two checks are named {twice[0]!r}; give each its own name")
        return checks

    @property
    def no_data_for(self) -> float:
        """Seconds without data, from any one probe, after which the run aborts; on even when not written."""
        written = [rule.no_data_for for rule in self.abort_when if rule.no_data_for is not None]
        return min(written, default=DEFAULT_NO_DATA_FOR)

    @property
    def watched(self) -> tuple[AbortCondition, ...]:
        """The abort conditions that have a probe of their own."""
        return tuple(rule for rule in self.abort_when if rule.no_data_for is None)

    @property
    def needs_prometheus(self) -> bool:
        """Whether any check, abort condition or expected alert asks Prometheus."""
        return bool(self.expect.alerts) or any(spec.promql for spec in (*self.steady_state, *self.abort_when))
