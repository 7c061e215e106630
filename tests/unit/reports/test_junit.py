from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.domain.verdict import Verdict
from chaoskit.reports.clean import redact, visible
from chaoskit.reports.junit import render
from tests.unit.reports import factory
from tests.unit.reports.test_html import HOSTILE

NOT_GREEN = ("failure", "error", "skipped")


def suite(name: str) -> ET.Element:
    return the_suite(render(*factory.judged(factory.ALL[name]())))


def the_suite(text: str) -> ET.Element:
    found = ET.fromstring(text).find("testsuite")
    assert found is not None
    return found


def outcomes(found: ET.Element) -> dict[str, str]:
    """The outcome of each case by its name."""
    return {
        case.get("name", ""): next((tag for tag in NOT_GREEN if case.find(tag) is not None), "passed")
        for case in found.findall("testcase")
    }


@pytest.mark.parametrize("name", factory.ALL)
def test_green_means_passed_and_passed_means_green(name: str) -> None:
    record, judgement = factory.judged(factory.ALL[name]())
    found = the_suite(render(record, judgement))
    green = set(outcomes(found).values()) == {"passed"}
    assert green == (judgement.verdict is Verdict.PASSED)


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.PASSED])
def test_no_verdict_but_passed_is_green_or_merely_skipped_even_if_all_else_is_well(verdict: Verdict) -> None:
    record, judgement = factory.judged(factory.passed())
    found = the_suite(render(record, judgement.model_copy(update={"verdict": verdict})))
    assert {"failure", "error"} & set(outcomes(found).values())
    assert int(found.get("failures", "0")) + int(found.get("errors", "0")) > 0


@pytest.mark.parametrize("name", ["failed", "dirty", "killed", "one reading"])
def test_the_word_passed_alone_turns_nothing_green(name: str) -> None:
    record, judgement = factory.judged(factory.ALL[name]())
    told = outcomes(the_suite(render(record, judgement.model_copy(update={"verdict": Verdict.PASSED}))))
    assert {"failure", "error"} & set(told.values())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("failed", {"verdict": "failure", "check: availability": "failure", "check: front page": "passed"}),
        ("blocked", {"verdict": "error", "check: availability": "skipped", "rollback": "skipped"}),
        ("aborted", {"verdict": "error", "rollback": "passed"}),
        ("inconclusive", {"verdict": "error", "check: availability": "passed"}),
        ("dirty", {"verdict": "error", "rollback": "error", "recovery": "error"}),
        ("error", {"verdict": "error"}),
        ("one reading", {"check: availability": "error", "check: p95 latency": "error"}),
    ],
)
def test_each_expectation_ends_as_it_was_judged(name: str, expected: dict[str, str]) -> None:
    assert expected.items() <= outcomes(suite(name)).items()


def test_there_is_a_case_for_each_expectation() -> None:
    assert [*outcomes(suite("passed"))] == [
        "verdict",
        "check: availability",
        "check: p95 latency",
        "check: front page",
        "alert: HighErrorRate",
        "recovery",
        "rollback",
    ]


@pytest.mark.parametrize("name", factory.ALL)
def test_the_counters_count_the_cases(name: str) -> None:
    found = suite(name)
    told = [*outcomes(found).values()]
    counted = {key: int(found.get(key, "-1")) for key in ("tests", "failures", "errors", "skipped")}
    assert counted == {
        "tests": len(told),
        "failures": told.count("failure"),
        "errors": told.count("error"),
        "skipped": told.count("skipped"),
    }


def test_every_reason_of_a_blocked_run_is_told() -> None:
    found = suite("blocked").find("testcase[@name='verdict']/error")
    assert found is not None
    assert (found.text or "").splitlines() == list(factory.blocked().blocked)


def test_the_residue_and_the_commands_by_hand_are_told() -> None:
    found = suite("dirty").find("testcase[@name='rollback']/error")
    assert found is not None
    assert "docker start web-3" in (found.text or "").splitlines()


@pytest.mark.parametrize("poison", [*HOSTILE, "\x00\x01\x0b\ufffe\uffff", "\ud7ff\ue000"])
def test_hostile_text_stays_text_and_xml_stays_valid(poison: str) -> None:
    check_hostile("failed", poison)
    check_hostile("dirty", poison)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([*factory.VERDICTS]), st.text(min_size=1, max_size=40))
def test_any_text_stays_text_and_xml_stays_valid(name: str, poison: str) -> None:
    check_hostile(name, poison)


def check_hostile(name: str, poison: str) -> None:
    record = factory.written_over(factory.small(name), lambda said: said + poison)
    found = the_suite(render(*factory.judged(record)))
    assert {node.tag for node in found.iter()} <= {"testsuite", "properties", "property", "testcase", *NOT_GREEN}
    names = [f"check: {visible(redact(check.name))}" for check in record.experiment.steady_state]
    assert [*outcomes(found)][1 : 1 + len(names)] == names
