"""How many of the matched targets a fault hits, as it is written."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from chaoskit.domain.quantities import PERCENT_PATTERN, format_percent, parse_percent, shown
from chaoskit.domain.texts import Labels

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
