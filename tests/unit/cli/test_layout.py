"""Lines of exact width, and lines shared out between those that want them."""

from hypothesis import given
from hypothesis import strategies as st

from chaoskit.cli.layout import Cell, clip, row, share, spread

COUNTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), min_size=1, max_size=6)


def test_what_is_left_out_of_a_text_is_marked() -> None:
    assert clip("abcdef", 6, "~") == "abcdef"
    assert clip("abcdef", 5, "~") == "abcd~"
    assert clip("abcdef", 0, "~") == ""


def test_wide_characters_count_by_the_cells_they_take() -> None:
    assert clip("数据库主机", 6, "~") == "数据~"
    assert row([Cell("数据", 6), Cell("next")], 40, "~").plain == " 数据    next"


def test_cells_stand_below_one_another_and_the_last_takes_what_is_left() -> None:
    cells = [Cell("ab", 4), Cell("7", 3, right=True), Cell("a long text at the end")]
    assert row(cells, 20, "~").plain == " ab      7  a long~"


def test_cells_that_do_not_fit_are_left_out() -> None:
    assert row([Cell("abc", 10), Cell("def", 10)], 12, "~").plain == " abc"
    assert row([Cell("hidden", 0), Cell("shown")], 20, "~").plain == " shown"


def test_the_right_text_stays_and_the_left_gives_way() -> None:
    assert spread([("title", ""), (" more", "")], "0:38", "", 20, "~").plain == " title more    0:38"
    assert spread([("a very long title", "")], "0:38", "", 16, "~").plain == " a very~   0:38"


def test_everybody_gets_the_least_before_anybody_gets_more() -> None:
    assert share(10, [2, 1, 1], [30, 2, 5]) == [5, 2, 3]
    assert share(3, [2, 1, 1], [30, 2, 5]) == [2, 1, 0]
    assert share(100, [2, 1, 1], [30, 2, 5]) == [30, 2, 5]
    assert share(-3, [2, 1], [5, 5]) == [0, 0]


@given(total=st.integers(-5, 80), parts=COUNTS)
def test_no_line_is_given_twice_and_none_is_kept_back(total: int, parts: list[tuple[int, int]]) -> None:
    given_out = share(total, [least for least, _ in parts], [wanted for _, wanted in parts])
    assert sum(given_out) == min(max(total, 0), sum(wanted for _, wanted in parts))
    assert all(0 <= got <= wanted for got, (_, wanted) in zip(given_out, parts, strict=True))
