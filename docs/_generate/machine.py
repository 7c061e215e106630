"""Settings of a machine: the file, and the variables that are laid over it."""

from chaoskit.domain.limits import Limits
from chaoskit.domain.selection import Protection
from chaoskit.files.fields import Known, keys_of
from chaoskit.settings import _VARIABLES, PREFIX, Settings
from docs._generate.markdown import code, table
from docs._generate.values import default_of, kind_of


def settings() -> str:
    """A row for each key; the tables of Prometheus, protection and limits are explained elsewhere."""
    return table(
        ("Key", "Value", "Default", "Meaning", "Example"), [_row(known) for known in keys_of(Settings).values()]
    )


def variables() -> str:
    """A row for each variable that stands for a setting."""
    rows = [[code(PREFIX + name), code(".".join(path))] for name, (path, _) in _VARIABLES.items()]
    return table(("Variable", "Setting"), rows)


def _row(known: Known) -> list[str]:
    meaning = known.meaning
    example = meaning.example if meaning.example[:1] in "{[" else f'"{meaning.example}"'
    kind = kind_of(known.field, _named)
    return [code(known.key), kind, default_of(known.field), meaning.description, code(f"{known.key} = {example}")]


def _named(model: str) -> str:
    if model == Protection.__name__:
        return "table of `names` and `labels`, both lists of text"
    if model == Limits.__name__:
        return "table of `max_runs` and `max_per_label`, see [limits](#limits)"
    return "table as in [`prometheus`](file-format.md#prometheus)"
