"""The rows of the live display that show what is done to the targets, and what happened."""

from collections.abc import Sequence
from decimal import Decimal
from textwrap import wrap

from rich.text import Text

from chaoskit.cli.layout import GAP, Cell
from chaoskit.cli.phrases import TROUBLED, State, clean, detail_of, state_of, tally
from chaoskit.cli.view import Section, View
from chaoskit.domain.experiment import FaultStep
from chaoskit.domain.history import Event, InjectionRecord
from chaoskit.domain.quantities import format_duration, format_percent

_STATE_STYLES: dict[State, str] = {
    "intended": "dim",
    "in force": "bold magenta",
    "rolling back": "yellow",
    "restored": "green",
}
_TROUBLE_STYLE = "bold red"
_EVENT_STYLES = {"abort": "bold red", "trouble": "bold red", "halt": "bold yellow", "guard": "yellow"}
STATE_WIDTH = 16
MOST_ROWS = 12
"""More injections than this are told by the fault, but for those in trouble."""
_KIND_WIDTH, _TARGET_WIDTH = 18, 24
_OFFSET_WIDTH, _WORD_WIDTH, _EVENT_LINES = 8, 8, 3


def faults_section(view: View) -> Section:
    """Every injection; of too many, a line for each fault and the ones in trouble. Before there are any, the wishes."""
    progress, dot = view.progress, view.signs.dot
    records = list(progress.injections.values())
    if not records:
        steps = progress.experiment.faults
        return Section("Faults", "planned", len(steps), 1, lambda room: [_wish(view, s) for s in steps][:room])
    summary = f" {dot} ".join(f"{count} {state}" for state, count in tally(records).items())

    hit = {record.step for record in records}
    troubled = [record for record in records if state_of(record) in TROUBLED]
    wanted = len(records) if len(records) <= MOST_ROWS else len(hit) + len(troubled)

    def draw(room: int) -> list[Text]:
        if len(records) <= room:
            return [_injection(view, record) for record in records]
        lines = [_step(view, [record for record in records if record.step == step]) for step in sorted(hit)]
        return [*lines, *(_injection(view, record) for record in troubled[: max(room - len(lines), 0)])][:room]

    return Section("Faults", summary, wanted, 1, draw)


def _wish(view: View, step: FaultStep) -> Text:
    pick = step.pick
    if isinstance(pick, dict):
        whom = f"{step.target} with {', '.join(f'{key}={value}' for key, value in pick.items())}"
    else:
        whom = f"{format_percent(pick) if isinstance(pick, Decimal) else pick} of {step.target}"
    return view.row(
        Cell("planned", STATE_WIDTH, "dim"),
        Cell(step.kind, min(len(step.kind), _KIND_WIDTH)),
        Cell(clean(whom), min(len(whom), _TARGET_WIDTH)),
        Cell(f"for {format_duration(step.duration)}", None, "dim"),
    )


def _injection(view: View, record: InjectionRecord) -> Text:
    records = view.progress.injections.values()
    state = state_of(record)
    detail = detail_of(record)
    return view.row(
        Cell(f"{view.signs.states[state]} {state}", STATE_WIDTH, _state_style(state)),
        Cell(record.kind, min(max(len(one.kind) for one in records), _KIND_WIDTH)),
        Cell(clean(record.target), min(max(len(one.target) for one in records), _TARGET_WIDTH)),
        Cell(detail, None, _TROUBLE_STYLE if state in TROUBLED else "dim"),
    )


def _state_style(state: State) -> str:
    return _STATE_STYLES.get(state, _TROUBLE_STYLE)


def _step(view: View, records: Sequence[InjectionRecord]) -> Text:
    first = records[0]
    whom = f"on {len(records)} of {first.group}"
    counts = tally(records)
    worst = next((state for state in counts if state in TROUBLED), max(counts, key=lambda state: counts[state]))
    told = f" {view.signs.dot} ".join(f"{view.signs.states[state]} {count} {state}" for state, count in counts.items())
    return view.row(
        Cell(first.kind, min(len(first.kind), _KIND_WIDTH)),
        Cell(whom, min(len(whom), _TARGET_WIDTH)),
        Cell(told, None, _state_style(worst)),
    )


def events_section(view: View, most: int) -> Section:
    """The last events, the newest at the bottom."""
    events = [event for event in view.progress.events if event.kind != "phase"][-most:]

    told = [_event(view, event) for event in events]

    def draw(room: int) -> list[Text]:
        shown: list[Text] = []
        for lines in reversed(told):
            shown[:0] = lines[: max(room - len(shown), 0)]
        return shown

    return Section("Events", "", sum(map(len, told)), 2, draw)


def _event(view: View, event: Event) -> list[Text]:
    """An event in full on a few lines: what stopped a run must not end in three dots."""
    width = view.width - 2 - _OFFSET_WIDTH - _WORD_WIDTH - 2 * len(GAP)
    texts = wrap(clean(event.text), max(width, 10), max_lines=_EVENT_LINES, placeholder=view.signs.cut) or [""]
    heads = [(f"+{event.at:.1f}s", event.kind), *[("", "")] * (len(texts) - 1)]
    return [
        view.row(
            Cell(offset, _OFFSET_WIDTH, "dim", right=True),
            Cell(kind, _WORD_WIDTH, "dim"),
            Cell(text, None, _EVENT_STYLES.get(event.kind, "")),
        )
        for (offset, kind), text in zip(heads, texts, strict=True)
    ]
