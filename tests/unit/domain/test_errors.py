"""The error tree: each error ends with the exit code that its docstring draws."""

import re

import pytest

from chaoskit.domain import errors
from chaoskit.domain.errors import Blocked, ChaoskitError, CommandFailed, InvalidExperiment, RollbackIncomplete

DRAWN = dict(re.findall(r"(\w+) +([0-9])  ", errors.__doc__ or ""))
DEFINED = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ChaoskitError)]


@pytest.mark.parametrize("kind", DEFINED)
def test_every_error_ends_with_the_exit_code_it_is_drawn_with(kind: type[ChaoskitError]) -> None:
    assert int(DRAWN[kind.__name__]) == kind.exit_code


def test_nothing_is_drawn_that_does_not_exist() -> None:
    assert DRAWN.keys() == {kind.__name__ for kind in DEFINED}


def test_input_errors_hold_one_line_for_each_problem() -> None:
    error = InvalidExperiment("first", "second")
    assert error.problems == ("first", "second")
    assert str(error) == "first\nsecond"


def test_a_refusal_holds_all_its_reasons() -> None:
    assert Blocked(["a", "b"]).reasons == ("a", "b")
    assert RollbackIncomplete(["a", "b"]).residue == ("a", "b")


def test_a_failed_command_says_what_was_run_and_how_it_ended() -> None:
    error = CommandFailed(["kill", "-9", "7"], 1, "no such process\n")
    assert str(error) == "`kill -9 7` ended with status 1: no such process"
    assert str(CommandFailed(["true"], 1, " ")) == "`true` ended with status 1: no message"
    assert (error.argv, error.status) == (("kill", "-9", "7"), 1)
