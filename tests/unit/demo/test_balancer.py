import pytest

from chaoskit.demo.balancer import GIVE_UP_AFTER, NEXT_AFTER, Answer, Pool, parse_front

OK, BROKEN = Answer(200, b"ok"), Answer(500, b"broken")


def test_the_first_choice_goes_round() -> None:
    pool = Pool(["a", "b", "c"])
    assert [pool.order(0.0)[0] for _ in range(4)] == ["a", "b", "c", "a"]


def test_an_ejected_replica_is_the_last_resort_until_its_time_is_over() -> None:
    pool = Pool(["a", "b", "c"], eject_seconds=1.0)
    pool.eject("a", now=10.0)
    assert pool.order(10.5)[-1] == "a"
    assert pool.order(10.5) == ["b", "c", "a"]
    assert pool.order(10.999)[-1] == "a"
    assert pool.order(11.0)[0] == "a"


def test_with_all_ejected_everyone_is_still_asked() -> None:
    pool = Pool(["a", "b"])
    pool.eject("a", now=0.0)
    pool.eject("b", now=0.0)
    assert sorted(pool.order(0.5)) == ["a", "b"]


@pytest.mark.parametrize("bad", [None, BROKEN])
def test_a_replica_that_fails_is_passed_over_and_left_out(bad: Answer | None) -> None:
    pool, asked = Pool(["a", "b"], eject_seconds=60.0), []

    def ask(upstream: str, path: str, timeout: float) -> Answer | None:
        asked.append(upstream)
        return bad if upstream == "a" else OK

    assert pool.ask("/", ask) == OK
    assert asked == ["a", "b"]
    assert [pool.ask("/", ask), pool.ask("/", ask)] == [OK, OK]
    assert asked == ["a", "b", "b", "b"]


def test_only_the_last_to_ask_is_given_long() -> None:
    patience: list[float] = []

    def ask(upstream: str, path: str, timeout: float) -> Answer | None:
        patience.append(timeout)
        return None

    assert Pool(["a", "b", "c"]).ask("/", ask).status == 503
    assert patience == [NEXT_AFTER, NEXT_AFTER, GIVE_UP_AFTER]


def test_when_every_replica_fails_the_last_answer_is_handed_on() -> None:
    assert Pool(["a", "b"]).ask("/", lambda *_: BROKEN) == BROKEN


def test_an_error_of_the_caller_is_no_fault_of_the_replica() -> None:
    not_found = Answer(404, b"")
    pool, asked = Pool(["a", "b"]), []

    def ask(upstream: str, path: str, timeout: float) -> Answer | None:
        asked.append(upstream)
        return not_found

    assert pool.ask("/nowhere", ask) == not_found
    assert asked == ["a"]


def test_a_front_is_a_port_and_its_replicas() -> None:
    port, pool = parse_front("8080=127.0.0.1:1,127.0.0.1:2")
    assert port == 8080
    assert pool.order(0.0) == ["127.0.0.1:1", "127.0.0.1:2"]


@pytest.mark.parametrize("text", ["8080", "8080=", "web=127.0.0.1:1", ""])
def test_a_front_without_port_or_replicas_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_front(text)
