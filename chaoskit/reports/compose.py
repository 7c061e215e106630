"""The whole report of one run as a document, for whichever renderer."""

from chaoskit.domain.history import RunRecord
from chaoskit.domain.verdict import Judgement
from chaoskit.reports.document import Document
from chaoskit.reports.sections import appendix, findings, pictures, safety
from chaoskit.reports.sections.card import card
from chaoskit.reports.view import view


def compose(record: RunRecord, judgement: Judgement) -> Document:
    """The document of one run. What is left on a target comes first, the glossary last."""
    seen = view(record, judgement)
    sections = (
        safety.left_behind(seen),
        findings.reasons(seen),
        findings.hypothesis(seen),
        pictures.checks_over_time(seen),
        findings.detection(seen),
        findings.recovery(seen),
        pictures.timeline(seen),
        safety.blast_radius(seen),
        safety.rollback(seen),
        safety.abort_conditions(seen),
        appendix.reproduce(seen),
        appendix.readings(seen),
        appendix.glossary(),
    )
    return Document(card(seen), tuple(section for section in sections if section is not None))
