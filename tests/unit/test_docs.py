"""The documentation, held against the code: generated parts, links, command lines, experiments and examples."""

import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chaoskit.cli.parser import build_parser
from chaoskit.domain.ports import Fault
from chaoskit.files.loader import load_text
from chaoskit.settings import load_settings
from docs._generate.example_targets import ExampleInstance
from docs._generate.markdown import anchor
from docs._generate.pages import PARTS, ROOT, pages, parts_of, renewed

PAGES = pages()
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
TEXTS = dict(zip(NAMES, (page.read_text(encoding="utf-8") for page in PAGES), strict=True))

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_OPERATORS = set("();<>|&")
COMMANDS = {"run", "plan", "validate", "schema", "faults", "status", "halt", "rollback", "history", "report", "doctor"}


class Block(NamedTuple):
    """A fenced block, and the page it stands on."""

    page: str
    language: str
    body: str

    def __str__(self) -> str:
        return f"{self.page}: {self.body.splitlines()[0][:60]}" if self.body.strip() else self.page


def blocks() -> list[Block]:
    return [
        Block(name, found["language"], found["body"]) for name, text in TEXTS.items() for found in _FENCE.finditer(text)
    ]


def blocks_of(*languages: str) -> list[Block]:
    return [block for block in blocks() if block.language in languages]


def test_there_are_pages_to_hold_against_the_code() -> None:
    assert "README.md" in TEXTS
    assert len(TEXTS) > 30


# --- generated parts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES if parts_of(TEXTS[name])])
def test_generated_parts_are_what_the_code_says(name: str) -> None:
    fresh = renewed(ROOT / name, TEXTS[name])
    assert fresh == TEXTS[name], "renew the pages with: python -m docs._generate"


def test_every_part_has_a_page_and_every_comment_a_part() -> None:
    used = {part for text in TEXTS.values() for part in parts_of(text)}
    assert used == set(PARTS)
    for name, text in TEXTS.items():
        assert len(parts_of(text)) == text.count("<!-- generated:") == text.count("<!-- end of"), name


def test_a_stale_part_is_noticed() -> None:
    page = ROOT / "docs/reference/exit-codes.md"
    text = page.read_text(encoding="utf-8")
    assert renewed(page, text.replace("| 6 | **dirty** |", "| 8 | **dirty** |")) == text


# --- links ----------------------------------------------------------------------------------------------------


def links() -> Iterator[tuple[str, str]]:
    for name, text in TEXTS.items():
        yield from ((name, target) for target in _LINK.findall(_FENCE.sub("", text)))


def anchors(text: str) -> set[str]:
    plain = _FENCE.sub("", text)
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", plain, re.MULTILINE)}


@pytest.mark.parametrize(("name", "target"), sorted(set(links())))
def test_every_relative_link_leads_somewhere(name: str, target: str) -> None:
    if re.match(r"https?://", target):
        pytest.skip("links to elsewhere are not followed")
    path, _, place = target.partition("#")
    page = (ROOT / name).parent / path if path else ROOT / name
    assert page.exists(), f"{name} links to {target}"
    if place:
        assert place in anchors(page.read_text(encoding="utf-8")), f"{name} links to {target}"


def test_a_heading_is_linked_to_as_on_the_hosting_site() -> None:
    assert anchor('"The run is alive"') == "the-run-is-alive"
    assert anchor("`targets.NAME.docker`") == "targetsnamedocker"
    assert anchor("steady_state[]") == "steady_state"


# --- command lines --------------------------------------------------------------------------------------------


def typed(block: Block) -> Iterator[str]:
    """The lines a reader types: all of a script, and what stands after the prompt of a console."""
    lines = block.body.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    yield from lines


def command_lines() -> Iterator[tuple[str, tuple[str, ...]]]:
    for block in blocks_of("sh", "console"):
        for line in typed(block):
            yield from ((block.page, found) for found in _calls(line))


def _calls(line: str) -> Iterator[tuple[str, ...]]:
    """The arguments of every call of chaoskit in a line of shell, also behind ``docker run``."""
    splitter = shlex.shlex(line, posix=True, punctuation_chars=True)
    splitter.whitespace_split = True
    words = list(splitter)
    for at, word in enumerate(words[:-1]):
        if re.fullmatch(r"(\S*/bin/)?chaoskit", word) and (words[at + 1] in COMMANDS or words[at + 1].startswith("-")):
            call: list[str] = []
            for argument in words[at + 1 :]:
                if set(argument) <= _OPERATORS:
                    break
                call.append(argument)
            yield tuple(call)


CALLS = sorted(set(command_lines()))


def test_command_lines_are_found_in_scripts_consoles_and_containers() -> None:
    assert len(CALLS) > 40
    assert list(_calls("CHAOSKIT_TRIGGER='nightly 1' chaoskit run a.yaml --json > out.json")) == [
        ("run", "a.yaml", "--json")
    ]
    assert list(_calls("docker run --rm -v a:/b chaoskit run a.yaml || code=$?")) == [("run", "a.yaml")]
    assert list(_calls("docker build -t chaoskit .")) == []
    assert list(_calls("6) echo left; chaoskit rollback; exit 6 ;;")) == [("rollback",)]


@pytest.mark.parametrize(("page", "call"), CALLS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_every_command_line_parses(page: str, call: tuple[str, ...]) -> None:
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            build_parser().parse_args(call)
    except SystemExit as refused:
        pytest.fail(f"{page}: chaoskit {' '.join(call)}: {complaint.getvalue()} (exit {refused.code})")


def test_every_command_is_shown_somewhere() -> None:
    assert {call[0] for _, call in CALLS} >= COMMANDS - {"schema", "history"}


# --- files ----------------------------------------------------------------------------------------------------


def experiments() -> list[Block]:
    return [block for block in blocks_of("yaml") if re.search(r"^kind: Experiment$", block.body, re.MULTILINE)]


def test_there_are_experiments_to_validate() -> None:
    assert len(experiments()) >= 3


@pytest.mark.parametrize("block", experiments(), ids=str)
def test_every_whole_experiment_is_valid(block: Block) -> None:
    load_text(block.body, name=block.page, variables={})


_REST: Mapping[str, Any] = {
    "apiVersion": "chaoskit/v1",
    "kind": "Experiment",
    "name": "from-a-page",
    "title": "What a page shows a part of",
    "targets": {"web": {"docker": {"labels": {"app": "web"}}}},
    "steady_state": [{"name": "up", "promql": "sum(up)", "at_least": 1}],
    "faults": [{"kind": "instance.pause", "target": "web", "duration": "10s"}],
}


def fragments() -> list[Block]:
    """Parts of an experiment: blocks whose first line is one of its keys."""
    keys = {*_REST, "prometheus", "blast_radius", "abort_when", "expect", "sampling"}
    return [block for block in blocks_of("yaml") if block not in experiments() and block.body.partition(":")[0] in keys]


@pytest.mark.parametrize("block", fragments(), ids=str)
def test_every_part_of_an_experiment_is_valid_in_its_place(block: Block) -> None:
    shown = block.body.partition(":")[0]
    rest = {key: value for key, value in _REST.items() if key != shown}
    if shown == "targets":
        group = re.findall(r"^  ([\w-]+):", block.body, re.MULTILINE)[0]
        rest["faults"] = [{**_REST["faults"][0], "target": group}]
    others = "\n".join(f"{key}: {json.dumps(value)}" for key, value in rest.items())
    load_text(f"{others}\n{block.body}", name=block.page, variables={})


@pytest.mark.parametrize("block", [b for b in blocks_of("toml") if "project.entry-points" not in b.body], ids=str)
def test_every_settings_file_is_valid(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "chaoskit.toml"
    file.write_text(block.body)
    load_settings(str(file), {})


# --- the fault that a page writes -----------------------------------------------------------------------------


def test_the_fault_that_a_page_writes_is_one() -> None:
    (module,) = (block for block in blocks_of("python") if block.body.startswith("# chaoskit/faults/"))
    names: dict[str, Any] = {"__name__": "chaoskit.faults.of_a_page"}
    exec(compile(module.body, module.page, "exec"), names)  # the page's own code is what is under test
    (fault,) = (
        found for found in names.values() if isinstance(found, type) and issubclass(found, Fault) and found is not Fault
    )
    for example in fault.examples:
        injection = fault.model_validate(example).prepare(ExampleInstance(), "chaoskit-page-1")
        assert fault.injection.model_validate(json.loads(injection.model_dump_json())) == injection
        assert injection.actions()
        assert injection.undo()
        assert injection.by_hand()


def test_every_benchmark_that_a_page_names_exists() -> None:
    there = "\n".join(file.read_text() for file in (ROOT / "tests" / "benchmarks").glob("test_*.py"))
    defined = set(re.findall(r"^def (test_\w+)", there, re.MULTILINE))
    assert set(re.findall(r"`(test_\w+)`", TEXTS["docs/performance.md"])) == defined


# --- words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_no_page_names_a_folder_of_a_machine_it_was_written_on(name: str) -> None:
    assert not re.search(r"/(?:root|work|tmp/h|home/\w+)/", TEXTS[name])


def test_no_generated_part_depends_on_who_generates_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = {name: part() for name, part in PARTS.items()}
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker.example:2376")
    assert {name: part() for name, part in PARTS.items()} == before


def test_every_page_of_the_docs_can_be_reached_from_the_readme() -> None:
    reached, waiting = {"README.md"}, ["README.md"]
    while waiting:
        name = waiting.pop()
        for target in _LINK.findall(_FENCE.sub("", TEXTS[name])):
            path = target.partition("#")[0]
            page = ((ROOT / name).parent / path).resolve()
            linked = str(page.relative_to(ROOT)) if path and page.is_relative_to(ROOT) else ""
            if linked in TEXTS and linked not in reached:
                reached.add(linked)
                waiting.append(linked)
    assert set(TEXTS) - reached == set()
