"""``chaoskit validate``, ``schema`` and ``faults``: commands that touch nothing but files and code."""

import argparse
import sys

from chaoskit.cli.common import print_json, variables_of
from chaoskit.domain.errors import Exit, InvalidInput
from chaoskit.domain.ports import Fault
from chaoskit.files.loader import load


def validate(args: argparse.Namespace) -> int:
    """Check every file and show every problem of each; exit 2 when any has one."""
    variables = variables_of(args)
    results: dict[str, list[str]] = {}
    for path in args.files:
        try:
            load(path, variables=variables)
            results[path] = []
        except InvalidInput as error:
            results[path] = list(error.problems)
    if args.json:
        print_json([{"file": path, "valid": not found, "problems": found} for path, found in results.items()])
    else:
        _print(results)
    return Exit.USAGE if any(results.values()) else Exit.PASSED


def _print(results: dict[str, list[str]]) -> None:
    for path, found in results.items():
        for problem in found:
            print(problem, file=sys.stderr)
        if not found:
            print(f"{path}: valid")


def schema(args: argparse.Namespace) -> int:  # noqa: ARG001 every handler has the same shape
    """Print the JSON Schema of experiment files."""
    from chaoskit.files.schema import schema as build

    print_json(build())
    return Exit.PASSED


def faults(args: argparse.Namespace) -> int:
    """List the kinds of faults, or explain one."""
    from chaoskit import registry

    chosen = [registry.fault(args.kind)] if args.kind else [registry.fault(kind) for kind in registry.kinds()]
    if args.json:
        print_json([_document(fault) for fault in chosen])
    elif args.kind:
        print(_explained(chosen[0]))
    else:
        for fault in chosen:
            print(f"{fault.kind:<22} {_first_line(fault)}")
    return Exit.PASSED


def _first_line(fault: type[Fault]) -> str:
    return _plain((fault.__doc__ or "").strip().splitlines()[0])


def _plain(text: str) -> str:
    return text.replace("``", "`")


def _document(fault: type[Fault]) -> dict[str, object]:
    return {
        "kind": fault.kind,
        "description": " ".join((fault.__doc__ or "").split()),
        "needs": sorted(fault.needs),
        "parameters": fault.model_json_schema().get("properties", {}),
        "examples": list(fault.examples),
    }


def _as_written(default: object) -> str:
    """A default as a file has it."""
    if default is None:
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)


def _explained(fault: type[Fault]) -> str:
    import inspect

    lines = [
        fault.kind,
        "",
        _plain(inspect.cleandoc(fault.__doc__ or "")),
        "",
        f"needs: {', '.join(sorted(fault.needs))}",
    ]
    lines += ["", "parameters:"] if fault.model_fields else ["", "parameters: none"]
    written = fault.model_json_schema().get("properties", {})
    for name, field in fault.model_fields.items():
        default = "required" if field.is_required() else f"default {_as_written(written[name].get('default'))}"
        lines.append(f"  {field.alias or name:<12} {field.description or ''} ({default})")
    lines += ["", "examples:"]
    for example in fault.examples:
        extra = "".join(f", {key}: {value}" for key, value in example.items())
        lines.append(f"  - {{kind: {fault.kind}, target: web, duration: 60s{extra}}}")
    return "\n".join(lines)
