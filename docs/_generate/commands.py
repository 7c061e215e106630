"""Every command and option, from the parser that reads them."""

from argparse import Action, ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any, cast

from chaoskit.cli.parser import build_parser
from docs._generate.markdown import block, code, table

_COMMON = "common options"


def reference() -> str:
    """The options that every command has, then a section for each command."""
    commands = _commands(build_parser())
    shared = _rows(_options(next(iter(commands.values())), common=True))
    common = f"### Options of every command\n\n{table(('Option', 'Meaning'), shared)}"
    return "\n\n".join([common, *(_section(name, parser) for name, parser in commands.items())])


def _commands(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    (choices,) = (action.choices for action in _actions(parser) if isinstance(action.choices, dict))
    return cast("dict[str, ArgumentParser]", choices)


def _section(name: str, parser: ArgumentParser) -> str:
    own = list(_options(parser, common=False))
    synopsis = " ".join(["chaoskit", name, *map(_in_synopsis, own)])
    lines = [f"### `chaoskit {name}`", "", parser.description or "", "", block("text", synopsis)]
    return "\n".join([*lines, "", table(("Option", "Meaning"), _rows(own))] if own else lines)


def _actions(parser: ArgumentParser) -> list[Action]:
    return parser._actions  # noqa: SLF001 argparse offers no other way to list what a parser knows


def _options(parser: ArgumentParser, *, common: bool) -> Iterator[Action]:
    groups = parser._action_groups  # noqa: SLF001 as above
    shared = {id(action) for group in groups if group.title == _COMMON for action in group._group_actions}  # noqa: SLF001 as above
    for action in _actions(parser):
        if "--help" not in action.option_strings and (id(action) in shared) == common:
            yield action


def _rows(actions: Iterator[Action] | Sequence[Action]) -> list[list[str]]:
    return [[", ".join(code(name) for name in _names(action)), _sentence(action.help)] for action in actions]


def _names(action: Action) -> list[str]:
    return [" ".join([name, *_value(action)]) for name in action.option_strings] or [_metavar(action)]


def _value(action: Action) -> list[str]:
    return [] if action.nargs == 0 else [_metavar(action)]


def _metavar(action: Action) -> str:
    choices = cast("Sequence[Any] | None", action.choices)
    return str(action.metavar or ("{" + ",".join(map(str, choices)) + "}" if choices else action.dest.upper()))


def _in_synopsis(action: Action) -> str:
    if action.option_strings:
        return f"[{' '.join([action.option_strings[-1], *_value(action)])}]"
    word = _metavar(action)
    return {"?": f"[{word}]", "+": f"{word}..."}.get(str(action.nargs), word)


def _sentence(text: str | None) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""
