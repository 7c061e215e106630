"""How many runs may hold targets at once: in all, and among targets that share a label.

A run holds a target from the moment its intention is in the journal until that is ended: restored, or accepted by a
person. What a dead run left in counts as well, for nobody has restored it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field, field_validator

from chaoskit.domain.journal import Intended
from chaoskit.domain.ports import TargetRef
from chaoskit.domain.quantities import Value

Most = Annotated[int, Field(strict=True, ge=1)]


class Limits(Value):
    """How many runs may hold targets at once. ``max_per_label`` counts them for each value of a label."""

    max_runs: Most | None = Field(default=None, description="How many runs may hold targets at once.", examples=[3])
    max_per_label: dict[str, Most] = Field(
        default={},
        description="How many runs may at once hold targets with one value of a label, by the label's key.",
        examples=["{service = 1}"],
    )

    @field_validator("max_per_label", mode="before")
    @classmethod
    def _is_by_key(cls, limits: Any) -> Any:
        for key, most in limits.items() if isinstance(limits, dict) else ():
            if isinstance(most, dict):
                raise ValueError(f'a label with dots stands in quotes; write for example "{key}.service" = 1')
            if not key or "=" in key:
                raise ValueError(f"{key!r} is no key of a label; each value is counted by itself, so write service = 1")
        return limits


class Holder(Value):
    """A run that holds targets. ``who`` says who runs it, where and since when; empty where nobody knows."""

    run: str
    who: str = ""
    live: bool = True

    @property
    def told(self) -> str:
        """The run, with who runs it."""
        return f"run {self.run} ({self.who})" if self.who else f"run {self.run}"

    @property
    def advice(self) -> str:
        """What whoever wants its targets can do."""
        if self.live:
            return f"which is still running: wait for it, or stop it with `chaoskit halt {self.run}`"
        return f"which ended without restoring it: restore it with `chaoskit rollback {self.run}`"


class _Count(NamedTuple):
    """What one limit counts, the limit, and the runs that hold its places."""

    key: str
    of: str
    most: int
    runs: list[str]


def excesses(
    held: Sequence[Intended], wanted: Sequence[TargetRef], limits: Limits, holder: Callable[[str], Holder]
) -> list[str]:
    """Every limit that a run which wants ``wanted`` would exceed, with the runs that hold the places and what to do.

    ``held`` are the outstanding intentions of the other runs.
    """
    return [_reason(count, holder) for count in _counts(held, wanted, limits) if len(count.runs) >= count.most]


def _counts(held: Sequence[Intended], wanted: Sequence[TargetRef], limits: Limits) -> Iterator[_Count]:
    if wanted and limits.max_runs is not None:
        yield _Count("max_runs", "targets", limits.max_runs, _runs(held))
    for label, most in limits.max_per_label.items():
        for value in dict.fromkeys(ref.labels[label] for ref in wanted if label in ref.labels):
            sharing = [one for one in held if one.ref.labels.get(label) == value]
            yield _Count(f"max_per_label.{label}", f"targets with {label}={value}", most, _runs(sharing))


def _runs(held: Sequence[Intended]) -> list[str]:
    return list(dict.fromkeys(one.run for one in held))


def _reason(count: _Count, holder: Callable[[str], Holder]) -> str:
    holders = [holder(run) for run in count.runs]
    places = "; ".join(f"{one.told}, {one.advice}" for one in holders)
    return f"limit {count.key}: {count.most} at once may hold {count.of}, and {len(holders)} do: {places}"
