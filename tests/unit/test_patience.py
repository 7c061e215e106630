"""The best of three: one good attempt is enough, and three bad ones are not."""

import pytest

from tests.patience import best_of_three


def tries(*outcomes: bool) -> int:
    given = iter(outcomes)
    made = 0
    for attempt in best_of_three():
        made += 1
        attempt.expect(next(given), f"attempt {made}")
        attempt.expect(True)
    return made


def test_the_first_good_attempt_is_the_last() -> None:
    assert [tries(True), tries(False, True), tries(False, False, True)] == [1, 2, 3]


def test_three_bad_attempts_fail_and_the_last_is_told() -> None:
    with pytest.raises(AssertionError, match="in the last: attempt 3"):
        tries(False, False, False)
