"""No fault stays outside the crash-anywhere matrix."""

from tests.testbed.crash.cases import missing_kinds


def test_every_kind_of_fault_is_in_the_matrix() -> None:
    assert missing_kinds() == [], "give each a bed: a case of its contract, listed in tests/testbed/crash/cases.py"
