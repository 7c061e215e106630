"""Every kind of fault: its parameters, and what it would do to an example target."""

import re
from collections.abc import Mapping, Sequence

from chaoskit import registry
from chaoskit.domain.ports import Fault, Injection
from chaoskit.files.fields import Known, keys_of
from docs._generate.example_targets import ExampleInstance, ExampleProcess
from docs._generate.markdown import anchor, block, code, prose, table, written
from docs._generate.values import default_of, kind_of

_TAG = "chaoskit-RUN-1"


def overview() -> str:
    """A row for each kind."""
    rows = [
        [f"[{code(fault.kind)}](faults.md#{anchor(fault.kind)})", _first_sentence(fault), _targets(fault)]
        for fault in _built_in()
    ]
    return table(("Kind", "What it does", "Targets"), rows)


def reference() -> str:
    """A section for each kind."""
    return "\n\n".join(_section(fault) for fault in _built_in())


def _built_in() -> list[type[Fault]]:
    """Faults of other packages are documented by those."""
    every = [registry.fault(kind) for kind in registry.kinds()]
    return [fault for fault in every if fault.__module__.startswith(f"{registry.GROUP}.")]


def _first_sentence(fault: type[Fault]) -> str:
    return prose(fault.__doc__).splitlines()[0]


def _targets(fault: type[Fault]) -> str:
    return "`local`" if "process" in fault.needs else "`docker`"


def _section(fault: type[Fault]) -> str:
    parts = [f"### {fault.kind}", prose(fault.__doc__), f"Targets: {_targets(fault)}.", _parameters(fault)]
    steps = "\n".join(f"- {_step(fault.kind, example)}" for example in fault.examples)
    return "\n\n".join([*parts, block("yaml", steps), *_deeds(fault)])


def _parameters(fault: type[Fault]) -> str:
    rows = [_row(known) for known in keys_of(fault).values()]
    return table(("Parameter", "Value", "Default", "Meaning"), rows) if rows else "No parameters."


def _row(known: Known) -> list[str]:
    kind = kind_of(known.field, code)
    return [code(known.key), kind, default_of(known.field), known.meaning.description]


def _step(kind: str, parameters: Mapping[str, object]) -> str:
    own = {"kind": kind, "target": "web", "duration": "60s", **parameters}
    return "{" + ", ".join(f"{key}: {written(value)}" for key, value in own.items()) + "}"


def _deeds(fault: type[Fault]) -> list[str]:
    """What is done and undone, once for each example that does more than put another number into it."""
    found: dict[str, str] = {}
    for example in fault.examples:
        deed = _deed(_bound(fault, example))
        found.setdefault(re.sub(r"\d+", "", deed), f"{_with(example)}\n\n{block('text', deed)}")
    return list(found.values())


def _bound(fault: type[Fault], example: Mapping[str, object]) -> Injection:
    target = ExampleProcess() if "process" in fault.needs else ExampleInstance()
    return fault.model_validate(example).prepare(target, _TAG)


def _with(example: Mapping[str, object]) -> str:
    words = ", ".join(code(f"{key}: {written(value)}") for key, value in example.items())
    return f"With {words}:" if words else "Without parameters:"


def _deed(injection: Injection) -> str:
    parts = (("do", injection.actions()), ("undo", injection.undo()), ("by hand", injection.by_hand()))
    return "\n".join(line for name, lines in parts for line in _lines(name, lines))


def _lines(name: str, lines: Sequence[str]) -> list[str]:
    """Paths of this machine are left out: they are the user's, and not the same for everybody."""
    from platformdirs import user_state_path

    state = str(user_state_path("chaoskit"))
    return [f"{name if not at else '':8} {line.replace(state, 'STATE')}" for at, line in enumerate(lines)]
