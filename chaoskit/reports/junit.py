"""JUnit XML for CI systems: a test case for each expectation, and one for the verdict itself.

A CI that reads nothing else is never green unless the verdict is ``passed``: the case of the verdict fails or errs
for every other one. Only what a guard kept from being asked is skipped.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from chaoskit.domain.history import RunRecord
from chaoskit.domain.readings import Outcome
from chaoskit.domain.verdict import Judgement, Verdict
from chaoskit.reports.view import View, view

_KINDS: dict[Verdict, str] = {Verdict.FAILED: "failure"}
_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def render(record: RunRecord, judgement: Judgement) -> str:
    """The report of one run as JUnit XML."""
    seen = view(record, judgement)
    suites = Element("testsuites", name="chaoskit")
    suite = SubElement(suites, "testsuite", _suite(seen))
    _properties(suite, seen)
    for case in _cases(seen):
        suite.append(case)
    for element in (suites, suite):
        element.set("tests", str(len(suite.findall("testcase"))))
        for tag, counter in _COUNTED.items():
            element.set(counter, str(len(suite.findall(f"testcase/{tag}"))))
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _suite(seen: View) -> dict[str, str]:
    started = seen.record.started_at
    utc = started.astimezone(UTC) if started.tzinfo else started
    return {
        "name": seen.record.experiment.name,
        "hostname": seen.record.runner.host,
        "timestamp": datetime.isoformat(utc.replace(tzinfo=None), timespec="seconds"),
        "time": f"{seen.end:.3f}",
    }


def _properties(suite: Element, seen: View) -> None:
    record, judgement = seen.record, seen.judgement
    pairs = {
        "run": record.run,
        "verdict": judgement.verdict.value,
        "exit_code": str(int(judgement.exit_code)),
        "title": record.experiment.title,
        "owner": record.experiment.owner,
        "seed": record.seed,
        "fingerprint": seen.fingerprint,
        "rollback_verified": f"{judgement.restored}/{judgement.injected}",
        "time_to_detect": _seconds(judgement.time_to_detect),
        "time_to_abort": _seconds(judgement.time_to_abort),
        "time_to_recover": _seconds(judgement.time_to_recover),
    }
    properties = SubElement(suite, "properties")
    for name, value in pairs.items():
        if value:
            SubElement(properties, "property", name=name, value=value)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _cases(seen: View) -> Iterable[Element]:
    judgement, asked = seen.judgement, not seen.blocked
    yield _verdict(seen)
    for check in judgement.checks:
        yield _expectation(seen, f"check: {check.name}", check.outcome, check.why, asked=asked)
    for alert in judgement.detections:
        yield _expectation(seen, f"alert: {alert.alert}", alert.outcome, alert.why, asked=asked)
    yield _expectation(seen, "recovery", judgement.recovery, judgement.recovery_why, asked=asked)
    yield _rollback(seen)


def _case(seen: View, name: str) -> Element:
    return Element("testcase", name=name, classname=seen.record.experiment.name, time="0")


def _verdict(seen: View) -> Element:
    judgement = seen.judgement
    case = _case(seen, "verdict")
    case.set("time", f"{seen.end:.3f}")
    if judgement.verdict is not Verdict.PASSED:
        kind = _KINDS.get(judgement.verdict, "error")
        trouble = SubElement(case, kind, type=judgement.verdict.value, message=judgement.headline)
        trouble.text = "\n".join(judgement.reasons)
    return case


def _expectation(seen: View, name: str, outcome: Outcome, why: str, *, asked: bool) -> Element:
    """Refuted is a failure; unknown is an error, unless a guard kept it from being asked."""
    case = _case(seen, name)
    if not asked:
        SubElement(case, "skipped", message="blocked: " + "; ".join(seen.judgement.reasons))
    elif outcome == "deviated":
        SubElement(case, "failure", type="deviated", message=why)
    elif outcome == "unknown":
        SubElement(case, "error", type="unknown", message=why)
    return case


def _rollback(seen: View) -> Element:
    case = _case(seen, "rollback")
    left = [one for one in seen.record.injections if one.restored_at is None]
    if left:
        message = f"rollback verified for {seen.judgement.restored} of {seen.judgement.injected}"
        trouble = SubElement(case, "error", type="dirty", message=message)
        lines = [f"{one.target}: {line}" for one in left for line in one.residue or ("rollback was not completed",)]
        trouble.text = "\n".join([*lines, "run by hand:", *(line for one in left for line in one.by_hand)])
    elif seen.blocked:
        SubElement(case, "skipped", message="blocked: nothing was injected")
    return case
