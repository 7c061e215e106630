"""Small things that targets and faults share."""

from hypothesis import given
from hypothesis import strategies as st

from chaoskit.domain.capabilities import shown


def test_a_short_command_is_shown_as_it_is() -> None:
    assert shown(("kill", "-CONT", "812")) == "kill -CONT 812"


@given(argv=st.lists(st.text(max_size=200), max_size=5))
def test_a_command_is_shown_as_one_line_that_a_script_cannot_flood(argv: list[str]) -> None:
    line = shown(argv)
    assert len(line) <= 121
    assert len(line.splitlines()) <= 1
