"""The architecture, enforced: who may import whom, how long things may be, and what is never imported at start."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import chaoskit

ROOT = Path(chaoskit.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py"))
LONGEST_MODULE = 300
LONGEST_FUNCTION = 40

# A package of the product, and what of the product it may import besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "domain": set(),
    "engine": {"domain"},
    "faults": {"domain"},
    "targets": {"domain"},
    "probes": {"domain", "secrets"},
    "store": {"domain"},
    "reports": {"domain"},
    "files": {"domain", "registry"},
    "secrets.py": {"domain"},
    "registry.py": {"domain"},
}
ON_TOP = {"cli", "demo"}
PURE = {
    "abc", "collections", "contextlib", "dataclasses", "datetime", "decimal", "enum", "fnmatch", "fractions",
    "functools", "hashlib", "itertools", "json", "math", "operator", "random", "re", "shlex", "statistics", "string",
    "textwrap", "types", "typing", "unicodedata", "zoneinfo",
    "pydantic", "pydantic_core",
}  # fmt: skip
HEAVY = {
    "docker", "jinja2", "numpy", "pandas", "prometheus_api_client", "psutil", "requests", "rich", "sqlalchemy",
    "urllib3", "yaml",
}  # fmt: skip
LIGHT_STARTS = [
    "chaoskit",
    "chaoskit.cli",
    "chaoskit.domain.experiment",
    "chaoskit.domain.verdict",
    "chaoskit.guardian.__main__",
    "chaoskit.guardian.link",
]


class Import(NamedTuple):
    """One import statement: where it is, and what it names."""

    file: Path
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT.parent)}:{self.line} imports {self.name}"

    @property
    def part(self) -> str:
        """The part of the product that it names; empty when it names something else."""
        names = self.name.split(".")
        return names[1] if names[0] == "chaoskit" and len(names) > 1 else ""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            module = node.module or ""
            # `from chaoskit import registry` names a part only together with what it imports.
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "chaoskit" else [module]
            yield from (Import(path, node.lineno, name) for name in names)


def files_of(package: str) -> list[Path]:
    return [path for path in FILES if path.relative_to(ROOT).parts[0] == package]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_part_imports_only_what_it_may(package: str) -> None:
    assert files_of(package)
    allowed = MAY_IMPORT[package] | {package, ""}
    wrong = [str(one) for path in files_of(package) for one in imports_of(path) if one.part not in allowed]
    # The version of the product is a fact about it, and no part.
    assert [line for line in wrong if not line.endswith("imports chaoskit.__version__")] == []


def test_the_domain_is_pure() -> None:
    wrong = [
        str(one)
        for path in files_of("domain")
        for one in imports_of(path)
        if one.name.split(".")[0] not in PURE | {"chaoskit"}
    ]
    assert wrong == []


def test_threads_are_started_in_the_engine_only_where_it_is_agreed() -> None:
    users = {path.name for path in files_of("engine") for one in imports_of(path) if one.name.startswith("threading")}
    assert users == {"access.py", "crew.py", "sampler.py"}


def test_nothing_imports_what_is_on_top_of_it() -> None:
    below = [path for path in FILES if path.relative_to(ROOT).parts[0] not in ON_TOP | {"__main__.py"}]
    assert [str(one) for path in below for one in imports_of(path) if one.part in ON_TOP] == []


def test_the_demo_stands_apart() -> None:
    """The command of the demo may start it; nothing else of the product knows of it, nor it of the product's parts."""
    others = [path for path in FILES if path.relative_to(ROOT).parts[0] not in {"demo", "cli"}]
    assert [str(one) for path in others for one in imports_of(path) if one.part == "demo"] == []
    assert [str(one) for path in files_of("demo") for one in imports_of(path) if one.part not in {"demo", ""}] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE


def too_long(path: Path) -> list[str]:
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in nodes
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    assert too_long(path) == []


def loaded_by(*statements: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after ``statements``."""
    script = "\n".join([*statements, "import sys", "print(*sorted({m.split('.')[0] for m in sys.modules}))"])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT.parent
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_every_module_can_be_imported() -> None:
    modules = [name_of(path) for path in FILES if path.name != "__main__.py"]
    assert "chaoskit" in loaded_by(*(f"import {name}" for name in modules))


@pytest.mark.parametrize("module", LIGHT_STARTS)
def test_what_everybody_starts_with_imports_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") & HEAVY == set()


def test_the_domain_and_the_engine_never_import_anything_heavy() -> None:
    modules = [name_of(path) for part in ("domain", "engine") for path in files_of(part)]
    assert loaded_by(*(f"import {name}" for name in modules)) & HEAVY == set()


def test_nothing_that_is_worth_an_extra_is_installed_for_everybody() -> None:
    """Decision 14: the Prometheus client once required these, and an older one would again."""
    lock = (ROOT.parent / "requirements.lock").read_text()
    installed = {line.partition("==")[0] for line in lock.splitlines() if "==" in line}
    assert "prometheus-api-client" in installed
    assert installed & {"pandas", "numpy", "matplotlib", "scipy", "paramiko"} == set()
