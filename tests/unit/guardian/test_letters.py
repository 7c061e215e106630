"""Messages to a deputy: none that counts is lost, none is delivered out of order, and a silence is noticed."""

from hypothesis import given
from hypothesis import strategies as st

from chaoskit.guardian.letters import Letters, Message

RENEW = {"word": "renew"}


def release(n: int) -> dict[str, object]:
    return {"word": "release", "n": n}


def delivered(letters: Letters) -> list[Message]:
    """Everything that is due, taken one after the other."""
    found: list[Message] = []
    while letter := letters.take():
        found.append(letter.message)
    return found


def test_the_orders_are_the_first_message_and_wait_for_an_answer() -> None:
    letters = Letters(100.0)
    assert letters.take() is None
    assert letters.silent_for(103.0) == 3.0
    assert not letters.is_answered(1)
    letters.answered(1)
    assert letters.is_answered(1)
    assert letters.silent_for(103.0) == 0.0


def test_the_oldest_message_without_an_answer_tells_how_long_it_is_silent() -> None:
    letters = Letters(0.0)
    letters.answered(1)
    first = letters.tell(RENEW, 1.0)
    letters.take()
    second = letters.tell(RENEW, 2.0)
    assert letters.silent_for(5.0) == 4.0
    letters.answered(first)
    assert letters.silent_for(5.0) == 3.0
    assert letters.is_answered(first)
    assert not letters.is_answered(second)


def test_of_signs_of_life_that_wait_only_the_newest_is_delivered_and_answers_for_all() -> None:
    letters = Letters(0.0)
    for at in range(1, 5):
        newest = letters.tell(RENEW, float(at))
    taken = letters.take()
    assert taken is not None
    assert taken.number == newest
    assert letters.take() is None
    letters.answered(newest)
    assert letters.silent_for(9.0) == 0.0


def test_a_sign_of_life_that_was_not_delivered_is_tried_again_unless_a_later_message_is_there() -> None:
    letters = Letters(0.0)
    letters.tell(RENEW, 1.0)
    alone = letters.take()
    assert alone is not None
    letters.give_back(alone)
    assert delivered(letters) == [RENEW]
    letters.tell(release(1), 2.0)
    letters.give_back(alone)
    assert delivered(letters) == [release(1)]


def test_when_it_is_given_up_what_counts_for_long_stays_due() -> None:
    letters = Letters(0.0)
    letters.tell(release(1), 1.0)
    letters.tell(RENEW, 2.0)
    letters.despair()
    assert letters.silent_for(99.0) == 0.0
    assert delivered(letters) == [release(1)]


@given(st.lists(st.sampled_from(["renew", "release", "fail", "deliver"]), max_size=60))
def test_whatever_fails_on_the_way_releases_arrive_once_and_in_order(steps: list[str]) -> None:
    letters, told = Letters(0.0), 0
    arrived: list[Message] = []
    for at, step in enumerate(steps):
        if step == "renew":
            letters.tell(RENEW, float(at))
        elif step == "release":
            told += 1
            letters.tell(release(told), float(at))
        elif letter := letters.take():
            if step == "fail":
                letters.give_back(letter)
            else:
                arrived.append(letter.message)
    arrived += delivered(letters)
    assert [one for one in arrived if one != RENEW] == [release(n) for n in range(1, told + 1)]
