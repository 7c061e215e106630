"""What is measured, and between which bounds it holds: probes, checks, abort conditions, expected alerts."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from chaoskit.domain.connection import Auth, Tls
from chaoskit.domain.humane import humane
from chaoskit.domain.quantities import Duration, PositiveDuration, Quantity, Value
from chaoskit.domain.secrecy import check_body, check_headers
from chaoskit.domain.texts import AskedArgv, HttpUrl, Labels, Line, Port, exactly_one


class HttpProbe(Value):
    """One HTTP request; it holds when the status (and the body, if asked) is right and the answer came in time.

    The value of a header, and the body, may say where they are instead: ``env:NAME`` or ``file:PATH``.
    """

    url: HttpUrl
    method: Literal["GET", "HEAD", "POST", "PUT", "OPTIONS"] = "GET"
    status: int | tuple[int, ...] = 200
    within: PositiveDuration = 5.0
    headers: Labels = {}
    body: str | None = None
    body_contains: str | None = None
    auth: Auth | None = None
    tls: Tls = Tls()

    @field_validator("headers")
    @classmethod
    def _no_secrets(cls, headers: Labels) -> Labels:
        check_headers(headers)
        return headers

    @field_validator("body")
    @classmethod
    def _no_secret_inside(cls, body: str | None) -> str | None:
        if body is not None:
            check_body(body)
        return body


class TcpProbe(Value):
    """One TCP connect; it holds when the connection is accepted in time."""

    host: str = Field(min_length=1)
    port: Port
    within: PositiveDuration = 3.0


class CommandProbe(Value):
    """One command on the runner's machine, never through a shell; it holds when the exit status is right.

    With a tolerance on the check, the last line of standard output is the number that is judged.
    """

    run: AskedArgv
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
    fresh_within: PositiveDuration | None = None

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

    def told(self, value: float) -> str:
        """``value`` as people read it, never as if it were a bound that it is not."""
        bounds = (self.at_least, self.at_most, self.equals)
        return humane(value, self.unit, [bound.value for bound in bounds if bound is not None])

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

    @property
    def unit(self) -> str:
        """The unit of its values: that of the bounds, else what the probe measures (seconds, for HTTP and TCP)."""
        return super().unit or ("s" if self.http or self.tcp else "")

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

    def told(self, value: float) -> str:
        """``value`` as people read it, never as if it were the limit that it is not."""
        limits = [limit for limit in (self.above, self.below) if limit is not None]
        return humane(value, limits[0].unit if limits else "", [limit.value for limit in limits])

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
