"""Kinds of faults, found by the existence of their modules and in the entry points of other packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from chaoskit import registry
from chaoskit.domain.errors import InvalidInput
from chaoskit.domain.ports import Fault
from chaoskit.registry import Registry

MODULE = '''
from typing import ClassVar
from chaoskit.domain.ports import Fault

class {name}(Fault):
    """One of the test."""
    kind: ClassVar[str] = "{kind}"
    needs: ClassVar[frozenset] = frozenset()
    examples: ClassVar[tuple] = ({{}},)
    {field}
    def prepare(self, target, tag):
        raise NotImplementedError
'''


class Packages:
    """Packages of faults and installed distributions, on disk, as Python finds them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"faults_of_{folder.name}"
        self.add("__init__", "")

    def add(self, module: str, text: str) -> None:
        path = self.folder / self.name / f"{module}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def add_fault(self, module: str, kind: str, field: str = "pass") -> None:
        self.add(module, MODULE.format(name="Some" + module.title().replace("_", ""), kind=kind, field=field))

    def install(self, distribution: str, entry: str) -> None:
        info = self.folder / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{self.name}]\nsome = {entry}\n")

    @property
    def registry(self) -> Registry:
        return Registry(self.name, self.name)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    monkeypatch.syspath_prepend(tmp_path)
    return Packages(tmp_path)


def test_a_kind_is_found_in_the_module_of_its_name_and_nothing_else_is_imported(packages: Packages) -> None:
    packages.add_fault("disk_slow_fill", "disk.slow-fill")
    packages.add("broken", "raise RuntimeError('imported')")
    found = packages.registry.find("disk.slow-fill")
    assert found is not None
    assert found.kind == "disk.slow-fill"


def test_a_kind_in_a_module_of_another_name_is_found_by_looking_at_all(packages: Packages) -> None:
    packages.add_fault("everything", "disk.fill")
    found = packages.registry.find("disk.fill")
    assert found is not None
    assert list(packages.registry.all()) == ["disk.fill"]


def test_helpers_abstract_classes_and_imported_classes_are_no_faults(packages: Packages) -> None:
    packages.add_fault("_helper", "disk.helped")
    packages.add_fault("disk_fill", "disk.fill")
    packages.add(
        "shared", f"from {packages.name}.disk_fill import SomeDiskFill\nfrom chaoskit.domain.ports import Fault"
    )
    assert list(packages.registry.all()) == ["disk.fill"]


@pytest.mark.parametrize(
    "kind", ["", "os", "disk", "disk.nothing", "..", "a/b", "Disk.Fill", "disk.fill\n", "__init__", "é"]
)
def test_a_kind_that_is_none_is_not_found(kind: str, packages: Packages) -> None:
    packages.add_fault("disk_fill", "disk.fill")
    assert packages.registry.find(kind) is None


def test_two_claims_to_one_kind_name_both_classes(packages: Packages) -> None:
    packages.add_fault("disk_fill", "disk.fill")
    packages.add_fault("zz_other", "disk.fill")
    with pytest.raises(InvalidInput) as caught:
        packages.registry.all()
    assert str(caught.value) == (
        f"two classes claim the kind disk.fill: {packages.name}.disk_fill.SomeDiskFill and "
        f"{packages.name}.zz_other.SomeZzOther; uninstall one of the packages, or give one of the two another kind"
    )


def test_a_parameter_must_not_hide_a_key_of_every_step(packages: Packages) -> None:
    packages.add_fault("disk_fill", "disk.fill", "duration: int = 5")
    with pytest.raises(InvalidInput, match="has a parameter duration, which is a key of every fault"):
        packages.registry.all()


def test_another_package_brings_a_fault(packages: Packages) -> None:
    (packages.folder / "brought.py").write_text(MODULE.format(name="Reboot", kind="host.reboot", field="pass"))
    packages.install("chaos-hosts", "brought:Reboot")
    found = packages.registry.find("host.reboot")
    assert found is not None
    assert found.__module__ == "brought"


def test_another_package_does_not_take_over_a_built_in_kind(packages: Packages) -> None:
    packages.add_fault("disk_fill", "disk.fill")
    (packages.folder / "usurper.py").write_text(MODULE.format(name="Fill", kind="disk.fill", field="pass"))
    packages.install("chaos-usurper", "usurper:Fill")
    found = packages.registry.find("disk.fill")
    assert found is not None
    assert found.__module__ == f"{packages.name}.disk_fill"
    with pytest.raises(InvalidInput, match=r"two classes claim the kind disk\.fill"):
        packages.registry.all()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("no_such_module:Fault", "the fault no_such_module:Fault of another package cannot be loaded: No module named"),
        ("json:dumps", "the fault json:dumps of another package is not a class of fault with a kind"),
        ("json:JSONDecoder", "is not a class of fault with a kind; upgrade that package or uninstall it"),
        ("chaoskit.domain.ports:Fault", "is not a class of fault with a kind; upgrade that package or uninstall it"),
    ],
)
def test_a_broken_entry_point_is_named(entry: str, said: str, packages: Packages) -> None:
    packages.install("chaos-broken", entry)
    with pytest.raises(InvalidInput) as caught:
        packages.registry.all()
    assert said in str(caught.value)


def test_a_built_in_module_that_lacks_a_dependency_is_not_taken_for_absent(packages: Packages) -> None:
    packages.add("disk_fill", "import no_such_dependency")
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        packages.registry.find("disk.fill")


# --- the kinds of this installation -------------------------------------------------------------------------------


def test_every_built_in_fault_lives_in_the_module_of_its_kind() -> None:
    assert registry.kinds()
    for kind in registry.kinds():
        assert registry.fault(kind).kind == kind
        assert registry.fault(kind).__module__ == "chaoskit.faults." + kind.replace(".", "_").replace("-", "_")


def test_an_unknown_kind_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidInput, match=r"no fault is of kind 'instance\.kil'; known are .*instance\.kill"):
        registry.fault("instance.kil")


def test_an_injection_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"no fault is of kind 'host\.reboot'"):
        registry.injection("host.reboot", {})


def test_an_injection_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        registry.injection("instance.kill", {"tag": "t", "target": "x", "frob": 1})
    assert "the journal's injection of kind instance.kill cannot be read" in str(caught.value)
    assert "restore the target by hand" in str(caught.value)


def test_every_example_of_a_fault_is_valid() -> None:
    faults: list[type[Fault]] = [registry.fault(kind) for kind in registry.kinds()]
    assert [fault.model_validate(example) for fault in faults for example in fault.examples]


def test_finding_one_kind_imports_neither_the_others_nor_any_sdk() -> None:
    program = (
        "import sys; from chaoskit import registry; registry.find('instance.kill');"
        "print([name for name in ('chaoskit.faults.instance_stop', 'docker', 'requests', 'rich', 'jinja2', 'psutil',"
        "'sqlalchemy', 'yaml') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout.strip() == "[]"
