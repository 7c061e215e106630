"""One frame of the live display: lines that fit the terminal, whatever its size. A pure function of a view."""

from datetime import datetime

from rich.text import Text

from chaoskit.cli.happenings import events_section, faults_section
from chaoskit.cli.layout import GAP, clip, share, spread
from chaoskit.cli.measures import aborts_section, checks_section, columns
from chaoskit.cli.phrases import clean, countdown
from chaoskit.cli.progress import PHASES
from chaoskit.cli.view import Section, View

MOST_EVENTS = 12
_SMALLEST, _AIRY = 14, 30
"""Below so many lines there are no tables; from so many on there is a blank line between them."""
_PHASE_STYLES = {"inject": "bold red", "observe": "bold red", "rollback": "bold yellow"}
_HEAD, _FOOT = 4, 1


def frame(view: View, height: int, utc: datetime) -> list[Text]:
    """The lines of the display, fewer than ``height`` of them, none wider than the view."""
    # One line stays free: a terminal whose last line is written scrolls when the next one comes.
    room = height - 1
    head = [_title(view), _who(view, utc), _strip(view), _bar(view)]
    foot = [_hint(view)] if not view.ended else []
    sections = _sections(view)
    if height < _SMALLEST:
        brief = [_summary(view, section) for section in sections if section.summary]
        spare = room - len(foot) - len(brief) - 2
        body = [head[0], head[2], *brief, *sections[-1].draw(max(spare, 0))]
        return [*body[: max(room, 1) - len(foot)], *foot]
    gap = [Text()] if height >= _AIRY else []
    lines = share(
        room - len(head) - len(foot) - len(sections) * (1 + len(gap)) - len(gap),
        [section.least for section in sections],
        [section.wanted for section in sections],
    )
    body = [
        line
        for section, count in zip(sections, lines, strict=True)
        if section.wanted
        for line in (*gap, _heading(view, section), *section.draw(count))
    ]
    return [*head, *body, *gap, *foot]


def _sections(view: View) -> list[Section]:
    widths = columns(view)
    return [
        checks_section(view, widths),
        aborts_section(view, widths),
        faults_section(view),
        events_section(view, MOST_EVENTS),
    ]


def _title(view: View) -> Text:
    title = clean(view.progress.experiment.title)
    return spread([(title, "bold")], f"+{countdown(view.now)}", "bold", view.width, view.signs.cut)


def _who(view: View, utc: datetime) -> Text:
    experiment = view.progress.experiment
    owner = f"{GAP}owner {clean(experiment.owner)}" if experiment.owner else ""
    return spread([(f"run {view.run}{owner}", "dim")], f"{utc:%H:%M:%S} UTC", "dim", view.width, view.signs.cut)


def _strip(view: View) -> Text:
    """The phases in a row, the present one in brackets, and the time it has left."""
    phase = view.progress.phase
    left = _time_left(view)
    pieces: list[tuple[str, str]] = []
    reached = PHASES.index(phase) if phase is not None else -1
    for index, name in enumerate(PHASES):
        style = _PHASE_STYLES.get(name, "bold") + " reverse" if index == reached else "dim" if index > reached else ""
        pieces += [(f" {view.signs.then} ", "dim")] if index else []
        pieces.append((f"[{name}]" if index == reached else name, style))
    if sum(len(text) for text, _ in pieces) + len(left) + 4 > view.width:
        here = f"[{phase}]" if phase is not None else "starting"
        pieces = [(here, _PHASE_STYLES.get(phase or "", "bold") + " reverse"), (f" {reached + 1}/{len(PHASES)}", "dim")]
    return spread(pieces, left, "bold", view.width, view.signs.cut)


def _time_left(view: View) -> str:
    until = view.progress.phase_until
    if view.ended:
        return "ended"
    return "" if until is None else f"{countdown(max(until - view.now, 0.0))} left"


def _bar(view: View) -> Text:
    """How much of the phase's time is over."""
    start, until = view.progress.phase_start, view.progress.phase_until
    width = max(view.width - 2, 0)
    over = (view.now - start) / (until - start) if until is not None and until > start and not view.ended else 0.0
    full = round(min(max(over, 0.0), 1.0) * width)
    style = _PHASE_STYLES.get(view.progress.phase or "", "bold")
    return Text.assemble(" ", (view.signs.full * full, style), (view.signs.empty * (width - full), "dim"))


def _heading(view: View, section: Section) -> Text:
    summary = f" {section.summary}" if section.summary else ""
    return spread([(section.title, "bold"), (summary, "dim")], "", "", view.width, view.signs.cut)


def _summary(view: View, section: Section) -> Text:
    return spread([(f"{section.title}: ", "bold"), (section.summary, "")], "", "", view.width, view.signs.cut)


def _hint(view: View) -> Text:
    text, style = _advice(view)
    return Text(" ").append(clip(text, view.width - 2, view.signs.cut), style)


def _advice(view: View) -> tuple[str, str]:
    """What Ctrl-C does now."""
    progress = view.progress
    if progress.phase == "rollback":
        again = f"{view.again} heard; " if view.again else ""
        return f"{again}rolling back: Ctrl-C does not interrupt it; watch with `chaoskit status`", "bold yellow"
    if progress.phase == "recovery":
        if all(one.restored_at is not None for one in progress.injections.values()):
            return "every target is restored; Ctrl-C stops watching, and the run ends as aborted", "dim"
        return f"NOT every target is restored; see `chaoskit rollback {view.run}`", "bold red"
    if progress.halted:
        return "stopping", "bold yellow"
    if progress.fault_in:
        return "Ctrl-C stops and rolls back", "bold"
    return "Ctrl-C stops; nothing has been injected yet", "dim"
