"""Which series an expression reads: expression in, selectors out."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.probes.promql import Selector, selectors

GOLDEN: list[tuple[str, tuple[Selector, ...]]] = [
    ("up", (Selector("up"),)),
    ("-up", (Selector("up"),)),
    ('sum(rate(a{code!~"5.."}[15s])) / sum(rate(a[15s]))', (Selector('a{code!~"5.."}', 15), Selector("a", 15))),
    ("histogram_quantile(0.95, sum by (le, job) (rate(x_bucket[1m])))", (Selector("x_bucket", 60),)),
    ("sum(x) by (job) > bool 3", (Selector("x"),)),
    ("sum without (a) (y)", (Selector("y"),)),
    ("a * on(job) group_left(version) b", (Selector("a"), Selector("b"))),
    ("a / ignoring (code) group_right b", (Selector("a"), Selector("b"))),
    ("a and on () b unless c or d", (Selector("a"), Selector("b"), Selector("c"), Selector("d"))),
    ("a offset 5m + b @ 1609746000 + c @ end() offset -1h", (Selector("a"), Selector("b"), Selector("c"))),
    ("max_over_time(rate(x[15s])[5m:1s])", (Selector("x", 315),)),
    ("x[5m:]", (Selector("x", 300),)),
    ("rate(x[1h30m]) + rate(y[90]) + rate(z[1d12h500ms])", tuple(map(Selector, "xyz", (5400, 90, 129600.5)))),
    ("rate(x[$window])", (Selector("x", inf),)),
    ('{__name__=~"a}b", x="["} or vector(0)', (Selector('{__name__=~"a}b", x="["}'),)),
    ("{`utf8.name`, job='x'}[1m]", (Selector("{`utf8.name`, job='x'}", 60),)),
    (r'a{b="say \"}\" [1m]"}', (Selector(r'a{b="say \"}\" [1m]"}'),)),
    ("up # foo{ bar\n + down", (Selector("up"), Selector("down"))),
    ("1e3 + 0x1F + 1.5e-3 + Inf - NaN + .5", ()),
    ("time() - vector(1) + scalar(up)", (Selector("up"),)),
    ('label_replace(up, "a", "$1", "b", "(.*)")', (Selector("up"),)),
    ('count_values("version", build_info)', (Selector("build_info"),)),
    ("job:errors:rate5m", (Selector("job:errors:rate5m"),)),
    ("up + up", (Selector("up"),)),
    ("x[5m] + x", (Selector("x", 300), Selector("x"))),
    ("sum", (Selector("sum"),)),
    ("", ()),
]


@pytest.mark.parametrize(("promql", "found"), GOLDEN, ids=[promql for promql, _ in GOLDEN])
def test_the_selectors_of_an_expression_are_found(promql: str, found: tuple[Selector, ...]) -> None:
    assert selectors(promql) == found


@given(st.text(alphabet="ab {}[]()\"'`#\\,=~!:5ms\n@-", max_size=60))
def test_no_text_breaks_the_scanner(text: str) -> None:
    for selector in selectors(text):
        assert selector.text
        assert selector.window >= 0
