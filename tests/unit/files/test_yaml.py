"""YAML text to data: what is read, and every refusal with its exact place and words."""

import time

import pytest
import yaml as pyyaml

from chaoskit.files import nodes
from chaoskit.files.yaml import parse

VARIABLES = {"NAME": "web", "NUMBER": "60", "EMPTY": "", "LIST": "[a, b]", "LINES": "a: 1\nb: 2", "BELL": "\a"}


def said(text: str, variables: dict[str, str] | None = None) -> list[str]:
    document = parse(text, VARIABLES if variables is None else variables)
    return [problem.written("f") for problem in sorted(document.problems, key=lambda one: one.place or (0, 0))]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        # numbers and words of the core schema
        ("1", 1),
        ("-0", 0),
        ("+4", 4),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        # what YAML 1.1 would have made of these is the Norway problem
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("0o7", "0o7"),
        ("0x1F", "0x1F"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-31", "2024-01-31"),
        ("=", "="),
        # quotes make text
        ('"1"', "1"),
        ("'true'", "true"),
        ("''", ""),
        ("|\n  12\n", "12\n"),
        # variables
        ("${NAME}", "web"),
        ("a-${NAME}-${NUMBER}", "a-web-60"),
        ("${NUMBER}", 60),
        ("${NUMBER}s", "60s"),
        ('"${NUMBER}"', "60"),
        ("'${NUMBER}'", "60"),
        ("${LIST}", "[a, b]"),
        ("${LINES}", "a: 1\nb: 2"),
        ("${EMPTY}", ""),
        ("${EMPTY:-5}", 5),
        ("${UNSET:-a b}", "a b"),
        ("${UNSET:-}", ""),
        ("$${NAME}", "${NAME}"),
        ("$$${NAME}", "$${NAME}"),
        ("rate(x{y=~'a$'}[1m])", "rate(x{y=~'a$'}[1m])"),
        ("$NAME $1 $", "$NAME $1 $"),
        # collections
        ("[a, {b: c}]", ["a", {"b": "c"}]),
        ("[&x {b: 1}, *x]", [{"b": 1}, {"b": 1}]),
    ],
)
def test_a_value_is_read_as(written: str, value: object) -> None:
    document = parse(f"key: {written}", VARIABLES)
    assert document.problems == ()
    assert document.data == {"key": value}
    assert document.data is not None
    assert type(document.data["key"]) is type(value)


def test_without_variables_nothing_is_filled_in() -> None:
    assert parse('a: ${NAME}\n"${b}": 1', None).data == {"a": "${NAME}", "${b}": 1}


def test_a_document_may_be_json_and_may_have_markers() -> None:
    assert parse('{"a": {"b": [1, 2.5, null, true, "x"]}}', {}).data == {"a": {"b": [1, 2.5, None, True, "x"]}}
    assert parse("%YAML 1.2\n---\na: 1\n...\n", {}).data == {"a": 1}


def test_every_key_and_value_has_its_place() -> None:
    document = parse("a:\n  - b: 1\n    c: [x,\n      y]\nd: 'q'\n", {})
    assert {path: tuple(place) for path, place in document.values.items()} == {
        (): (1, 1),
        ("a",): (2, 3),
        ("a", 0): (2, 5),
        ("a", 0, "b"): (2, 8),
        ("a", 0, "c"): (3, 8),
        ("a", 0, "c", 0): (3, 9),
        ("a", 0, "c", 1): (4, 7),
        ("d",): (5, 4),
    }
    assert {path: tuple(place) for path, place in document.keys.items()} == {
        ("a",): (1, 1),
        ("a", 0, "b"): (2, 5),
        ("a", 0, "c"): (3, 5),
        ("d",): (5, 1),
    }


def test_keys_keep_the_order_of_the_file() -> None:
    assert list(parse("z: 1\na: {y: 1, b: 2}\nm: 3", {}).data or {}) == ["z", "a", "m"]


INDENT = "check the indentation and the quotes, here and in the line above"
NO_NUMBER = "is not a finite number; write for example 0.99, or put it in quotes if it is meant as text"
ONLY_TEXT = "only printable text, tabs and line breaks are accepted"


REFUSALS = [
    ("", ["f:1:1: holds no experiment; begin it with apiVersion: chaoskit/v1"]),
    ("# only\n# comments\n", ["f:1:1: holds no experiment; begin it with apiVersion: chaoskit/v1"]),
    ("---\n...\n", ["f:2:1: holds no experiment; begin it with apiVersion: chaoskit/v1"]),
    (
        "- a\n- b",
        ["f:1:1: is not a mapping; begin the file with apiVersion: chaoskit/v1 and more lines of the form key: value"],
    ),
    (
        "just text",
        ["f:1:1: is not a mapping; begin the file with apiVersion: chaoskit/v1 and more lines of the form key: value"],
    ),
    # keys
    ("a: 1\nb: 2\na: 3", ["f:3:1: a: is written twice in one mapping, first on line 1; keep one"]),
    ("a: {b: 1, b: 2}", ["f:1:11: a.b: is written twice in one mapping, first on line 1; keep one"]),
    ("a: &x {b: 1}\nc: [*x]\na: 1", ["f:3:1: a: is written twice in one mapping, first on line 1; keep one"]),
    ("1: a", ['f:1:1: a key must be text; put it in quotes: "1"']),
    ("true: a", ['f:1:1: a key must be text; put it in quotes: "true"']),
    ("a:\n  ~: b", ['f:2:3: a: a key must be text; put it in quotes: "~"']),
    (".nan: a", ['f:1:1: a key must be text; put it in quotes: ".nan"']),
    ("{? : a}", ["f:1:4: a key is missing before the colon; write key: value"]),
    ("? [a]\n: b", ["f:1:3: a key must be text, not a list or a mapping; write key: value"]),
    (
        "<<: {a: 1}",
        ["f:1:1: merge keys (<<) are not accepted; write the keys out, or alias a whole value (key: *name)"],
    ),
    ("${NAME}: 1", ["f:1:1: a key cannot come from a variable; only values can, write the key out"]),
    ('"a\\0": 1', [f"f:1:1: a key holds the character U+0000; {ONLY_TEXT}"]),
    # scalars
    ("a: .nan", [f"f:1:4: a: .nan {NO_NUMBER}"]),
    ("a: [1, -.inf]", [f"f:1:8: a.1: -.inf {NO_NUMBER}"]),
    ("a: 1e999", [f"f:1:4: a: 1e999 {NO_NUMBER}"]),
    (
        "a: 1234567890123456789",
        ["f:1:4: a: 1234567890123456789 is a number of more than 18 digits; put it in quotes if it is meant as text"],
    ),
    ('a: "\\e[31m"', [f"f:1:4: a: holds the character U+001B; {ONLY_TEXT}"]),
    ("a: ${BELL}", [f"f:1:4: a: holds the character U+0007; {ONLY_TEXT}"]),
    # variables
    (
        "a: ${NUMBR}",
        [
            (
                "f:1:4: a: variable NUMBR is not set; did you mean NUMBER? "
                "export it, give --set NUMBR=..., or write ${NUMBR:-default}"
            )
        ],
    ),
    (
        "a: [x, '${Q} ${P}']",
        [
            "f:1:8: a.1: variable Q is not set; export it, give --set Q=..., or write ${Q:-default}",
            "f:1:8: a.1: variable P is not set; export it, give --set P=..., or write ${P:-default}",
        ],
    ),
    ("a: ${1}", ["f:1:4: a: ${ begins a variable; write ${NAME} or ${NAME:-default}, or $${ for a plain ${"]),
    # tags
    ("a: !x b", ["f:1:4: a: tags such as !x are not accepted; write the value without it"]),
    ("a: !!str 5", ["f:1:4: a: tags such as !!str are not accepted; put text in quotes"]),
    ("!!map {a: 1}", ["f:1:1: tags such as !!map are not accepted; write the value without it"]),
    (
        "a:\n- !!python/object/apply:os.system [id]",
        ["f:2:3: a.0: tags such as !!python/object/apply:os.system are not accepted; write the value without it"],
    ),
    # anchors
    ("a: [*x]", ["f:1:5: a.0: *x stands for nothing; define it earlier in the file with &x"]),
    ("a: &x {b: *x}", ["f:1:11: a.b: *x stands inside of what it stands for; write the value out"]),
    ("&x a: 1\nb: &y [&z [*y]]", ["f:2:12: b.0.0: *y stands inside of what it stands for; write the value out"]),
    # directives
    ("%TAG ! x\n---\na: !b 1", ["f:1:1: %TAG directives are not accepted, nor are tags; remove the line"]),
    # documents
    ("a: 1\n---\nb: 2", ["f:2:1: begins a second document; keep one experiment in a file"]),
    # syntax
    (
        "a:\n\t- b",
        [
            (
                "f:2:1: is not valid YAML: found character that cannot start any token while scanning for the next "
                "token that begins on line 2; indent with spaces, never with tabs"
            )
        ],
    ),
    (
        "title: a: b",
        [
            (
                "f:1:9: is not valid YAML: mapping values are not allowed in this context; "
                "put a value that holds a colon and a space in quotes; check the indentation"
            )
        ],
    ),
    (
        "a: 'x\nb: 1\n",
        [
            (
                "f:3:1: is not valid YAML: found unexpected end of stream while scanning a quoted scalar "
                "that begins on line 1; close the quotes"
            )
        ],
    ),
    (
        "a: [1, 2\nb: 1",
        [
            (
                "f:2:2: is not valid YAML: did not find expected ',' or ']' while parsing a flow sequence "
                "that begins on line 1; close every { and [, and separate what is in them by commas"
            )
        ],
    ),
    (
        "a: @x",
        [
            (
                "f:1:4: is not valid YAML: found character that cannot start any token while scanning for the next "
                "token that begins on line 1; put a value that begins with a special character in quotes"
            )
        ],
    ),
    (
        'a: "\\q"',
        [
            (
                "f:1:5: is not valid YAML: found unknown escape character while parsing a quoted scalar "
                "that begins on line 1; write \\\\ for a backslash in double quotes, or use single quotes"
            )
        ],
    ),
    (
        "a: *",
        [
            (
                "f:1:5: is not valid YAML: did not find expected alphabetic or numeric character while scanning an "
                "alias that begins on line 1; put a value that begins with * in quotes"
            )
        ],
    ),
    (
        "a: 1\n b: 2\n  c: 3",
        [
            (
                "f:2:3: is not valid YAML: mapping values are not allowed in this context; "
                "put a value that holds a colon and a space in quotes; check the indentation"
            )
        ],
    ),
    (
        "a: 'x' y",
        [
            (
                "f:1:8: is not valid YAML: did not find expected key while parsing a block mapping "
                f"that begins on line 1; {INDENT}"
            )
        ],
    ),
]


@pytest.mark.parametrize(("text", "problems"), REFUSALS)
def test_a_text_is_refused_with(text: str, problems: list[str]) -> None:
    assert said(text) == problems


def test_problems_are_all_found_in_one_go() -> None:
    assert len(said("a: .nan\nb: ${NOPE}\nb: 1\n2: x\nc: !t x\nd: *e\n")) == 6


def test_deep_nesting_is_refused_and_costs_no_recursion() -> None:
    zeros = ".".join(["0"] * 40)
    assert said("[" * 100_000) == [f"f:1:41: {zeros}: is nested deeper than 40 levels; no part of an experiment is"]
    assert said("a: " + "[" * 39 + "]" * 39) == []


def test_depth_that_aliases_add_up_to_is_refused_too() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(1000))
    assert [line for line in said(chain) if "nested deeper than 40 levels" in line]


def bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(lines)


def test_an_alias_bomb_is_refused_fast() -> None:
    start = time.process_time()
    problems = said(bomb())
    took = time.process_time() - start
    assert said("a: [" + "x," * 19_990 + "]") == []
    as_long_as_the_largest_file = time.process_time() - start - took
    assert len(problems) == 1
    assert problems[0].endswith(
        "is where the file passes 20000 values, each use of an alias counted; split the experiment"
    )
    assert took < 5 * as_long_as_the_largest_file


def test_more_values_than_any_experiment_has_are_refused() -> None:
    assert said("a: [" + "x," * 19_990 + "]") == []
    assert [line for line in said("a: [" + "x," * 500_000 + "]") if "passes 20000 values" in line]


@pytest.mark.parametrize(
    "text", ["a: {b: [1, *x, &x y, *x]}\nc: !t 1\n1: 2\n", "a: 'x", "a: [1", "a: \tb: c", "- - a", ""]
)
def test_without_libyaml_the_same_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_libyaml = parse(text, {})
    monkeypatch.setattr(nodes, "_Loader", pyyaml.SafeLoader)
    without = parse(text, {})
    assert without.data == with_libyaml.data
    assert bool(without.problems) == bool(with_libyaml.problems)
    if with_libyaml.data is not None:
        assert without.problems == with_libyaml.problems
