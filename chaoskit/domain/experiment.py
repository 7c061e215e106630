"""The experiment file as frozen values. What each key means to a reader stands in docs/reference/file-format.md."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, field_validator, model_validator

from chaoskit.domain.checks import AbortCondition, Check, ExpectedAlert
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.picking import Pick
from chaoskit.domain.quantities import Duration, Percent, PositiveDuration, Value, format_percent
from chaoskit.domain.targeting import TargetSpec
from chaoskit.domain.texts import HttpUrl, Line, Slug

DEFAULT_NO_DATA_FOR = 10.0


def _told_apart(what: str, names: Sequence[str]) -> None:
    """Raise ValueError when two things have one name: their readings are kept by name, so one would hide the other."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two {what} are named {twice[0]!r}; give each its own name")


class Expectations(Value):
    """What else must come true: recovery in time, and the alerts that wake people."""

    recover_within: PositiveDuration = 60.0
    alerts: tuple[ExpectedAlert, ...] = ()

    @field_validator("alerts")
    @classmethod
    def _alerts_are_told_apart(cls, alerts: tuple[ExpectedAlert, ...]) -> tuple[ExpectedAlert, ...]:
        _told_apart("expected alerts", [alert.alert for alert in alerts])
        return alerts


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

    ``max_percent`` is of the containers or processes that a target group matched, rounded down, but never to less
    than ``max_percent_min``.
    """

    max_targets: Annotated[int, Field(strict=True, ge=1)] = 1
    max_percent: Percent | None = None
    max_percent_min: Annotated[int, Field(strict=True, ge=1)] | None = None
    min_healthy: Annotated[int, Field(strict=True, ge=0)] | None = None
    require_label: str | None = Field(default=None, pattern=r"^[^=\s]+(=.*)?$", examples=["chaoskit.allow=true"])

    @model_validator(mode="after")
    def _minimum_of_a_share(self) -> "BlastRadius":
        if self.max_percent_min is not None and self.max_percent is None:
            raise ValueError("max_percent_min belongs to max_percent; add for example max_percent: 34%, or remove it")
        return self

    @property
    def largest_share(self) -> str:
        """``max_percent`` in words: ``34%``, or ``34% (at least 1)``; empty when it is not set."""
        if self.max_percent is None:
            return ""
        least = "" if self.max_percent_min is None else f" (at least {self.max_percent_min})"
        return f"{format_percent(self.max_percent)}{least}"


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
    def _checks_are_told_apart(cls, checks: tuple[Check, ...]) -> tuple[Check, ...]:
        _told_apart("checks", [check.name for check in checks])
        return checks

    @field_validator("abort_when")
    @classmethod
    def _conditions_are_told_apart(cls, rules: tuple[AbortCondition, ...]) -> tuple[AbortCondition, ...]:
        _told_apart("abort conditions", [rule.title for rule in rules if rule.no_data_for is None])
        return rules

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
