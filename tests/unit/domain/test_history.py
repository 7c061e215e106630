"""The record of a run: its phases and the window in which faults were in."""

from tests.unit.domain.runs import END, INJECT, RECOVERY, injection, passing, reading


def test_a_phase_is_found_by_its_name() -> None:
    record = passing()
    span = record.span("observe")
    assert span is not None
    assert (span.start, span.end) == (11.0, 20.0)
    assert passing(phases=()).span("observe") is None


def test_the_fault_window_is_from_the_first_intention_to_the_last_restoration() -> None:
    two = (injection(1, intended_at=INJECT + 1, restored_at=RECOVERY), injection(2, restored_at=RECOVERY - 1))
    assert passing(injections=two).fault_window == (INJECT, RECOVERY)


def test_the_window_of_a_fault_that_is_still_in_reaches_to_the_last_thing_seen() -> None:
    left = (injection(1), injection(2, restored_at=None))
    assert passing(injections=left).fault_window == (INJECT, END)
    assert passing(injections=left, ended_at=None, readings=(reading(14.0),)).fault_window == (INJECT, 14.0)
    assert passing(injections=left, ended_at=None, readings=()).fault_window == (INJECT, INJECT)


def test_a_run_that_injected_nothing_has_no_fault_window() -> None:
    assert passing(injections=()).fault_window is None
