"""On which real targets the runner dies: the cases of the fault contract, each kind of fault in at least one."""

from __future__ import annotations

from collections.abc import Callable

from chaoskit import registry
from tests.contract import Case
from tests.testbed.docker.conftest import Place
from tests.testbed.docker.test_contract_docker import CASES as IN_CONTAINERS
from tests.testbed.local.test_contract_local import PAUSE, RESTARTED, SUPERVISED

NOWHERE = Place("no image", "no network", "no network", (), "192.0.2")
NOT_ALONE = {"kill, by command line"}
"""Their selector also matches the targets of other cases, which are tried at the same time."""

MakeCase = Callable[[Place], Case]


def _always(case: Case) -> MakeCase:
    return lambda _place: case


PROCESSES: dict[str, MakeCase] = {
    case.name: _always(case) for case in (*PAUSE, *RESTARTED, *SUPERVISED) if case.name not in NOT_ALONE
}
MAKERS: dict[str, MakeCase] = {**IN_CONTAINERS, **PROCESSES}


def kind_of(name: str) -> str:
    """The kind of fault of the case of that name; nothing is made for that."""
    return MAKERS[name](NOWHERE).fault.kind


def missing_kinds() -> list[str]:
    """The kinds of faults that no case tries."""
    return sorted(set(registry.kinds()) - {kind_of(name) for name in MAKERS})


__all__ = ["IN_CONTAINERS", "MAKERS", "NOWHERE", "PROCESSES", "kind_of", "missing_kinds"]
