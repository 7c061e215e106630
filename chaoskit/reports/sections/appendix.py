"""How to do it again, what was recorded, and what the words mean."""

from collections import Counter
from collections.abc import Sequence

from chaoskit.domain.humane import NONE, humane, humane_seconds
from chaoskit.domain.readings import Reading
from chaoskit.reports.document import Cell, Code, Facts, Section, Table, Text
from chaoskit.reports.view import View
from chaoskit.reports.wording import clip, moment, oneline, unit_of

_ROLES = {"check": "check", "abort": "abort condition", "detection": "expected alert; held means that it fires"}
_NAME_WIDTH = 60

GLOSSARY = (
    ("abort condition", "A measurement that stops the run at once when it crosses its limit."),
    ("baseline", "The window before the fault in which every check must hold; unknown is not steady."),
    ("blast radius", "The limits of what a run may touch, and what it did touch."),
    ("check", "One measurable statement of the steady-state hypothesis."),
    ("deviated", "The check was seen outside its bound."),
    ("effect", "Proof that the fault bit: what was requested against what was measured."),
    ("fault", "What is done to a target, as the experiment file says it."),
    ("guard", "A reason not to start. All of them are collected before anything is touched."),
    ("held", "The check was seen within its bound."),
    ("injection", "A fault bound to one target, with its undo; in the journal before the target is touched."),
    ("recovery", "The system coming back after the rollback."),
    ("residue", "What rollback left on a target."),
    ("rollback", "Our undoing of an injection, proven by reading the target back."),
    ("steady-state hypothesis", "What must stay true while the fault is in: all of its checks."),
    ("unknown", "No usable answer: missing, stale, ambiguous or unreachable. Never counted as held."),
    ("verdict", "What the run showed, as a pure function of its record."),
)


def reproduce(view: View) -> Section:
    """Everything needed to run it again: the file as it was given, the command, the seed and the versions."""
    record, runner = view.record, view.record.runner
    pairs = (
        ("Command", Cell(record.command or NONE, "code")),
        ("File", Cell(record.path or NONE, "code")),
        ("SHA-256 of the file", Cell(record.sha256 or NONE, "code")),
        ("Seed", Cell(record.seed or NONE, "code")),
        ("Fingerprint of the plan", Cell(view.fingerprint or "no plan was made", "code")),
        ("Run", Cell(record.run, "code")),
        ("Started", Cell(moment(record.started_at, date=True), "number")),
        ("Started by", Cell(record.trigger)),
        ("Runner", Cell(f"{runner.user} on {runner.host}, process {runner.pid}")),
        ("Versions", Cell(f"chaoskit {runner.version}, Python {runner.python}")),
    )
    return Section("reproduce", "How to reproduce", (Facts(pairs), Code("The experiment file", record.text)))


def readings(view: View) -> Section:
    """All readings in summary, a row for each probe."""
    groups: dict[tuple[str, str], list[Reading]] = {}
    for reading in view.record.readings:
        groups.setdefault((reading.role, reading.name), []).append(reading)
    if not groups:
        return Section("readings", "Appendix: readings", (Text("No reading was taken."),))
    units = _units(view)
    rows = tuple(_summary(key, mine, units.get(key, "")) for key, mine in groups.items())
    columns = ("Probe", "Samples", "Held", "Unknown", "Deviated", "Lowest", "Highest", "Slowest sample")
    note = "All phases are counted here. report.json holds every reading."
    return Section("readings", "Appendix: readings", (Table("Readings by probe", columns, rows), Text(note)))


def _units(view: View) -> dict[tuple[str, str], str]:
    experiment = view.record.experiment
    units = {("check", check.name): unit_of(check) for check in experiment.steady_state}
    for rule in experiment.watched:
        limit = rule.above or rule.below
        units["abort", rule.title] = limit.unit if limit is not None else ""
    return units


def _summary(key: tuple[str, str], mine: Sequence[Reading], unit: str) -> tuple[Cell, ...]:
    role, name = key
    outcomes = Counter(reading.outcome for reading in mine)
    problems = Counter(oneline(reading.problem) for reading in mine if reading.problem).most_common(1)
    values = [reading.value for reading in mine if reading.value is not None]
    phases = Counter(reading.phase for reading in mine)
    notes = [Cell(", ".join(f"{phase} {count:,}" for phase, count in phases.items()))]
    notes += [Cell(f"{count:,} times: {problem}") for problem, count in problems]
    return (
        Cell(clip(name, _NAME_WIDTH), "code" if role == "abort" else "strong", (Cell(_ROLES[role]), *notes)),
        Cell(f"{len(mine):,}", "number"),
        *(Cell(f"{outcomes[outcome]:,}", "number") for outcome in ("held", "unknown", "deviated")),
        Cell(humane(min(values, default=None), unit), "number"),
        Cell(humane(max(values, default=None), unit), "number"),
        Cell(humane_seconds(max(reading.took for reading in mine)), "number"),
    )


def glossary() -> Section:
    """The words of the report."""
    return Section("glossary", "Glossary", (Facts(tuple((word, Cell(meaning)) for word, meaning in GLOSSARY)),))
