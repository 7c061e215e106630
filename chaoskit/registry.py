"""Which kinds of faults there are: those whose modules exist in ``chaoskit.faults``, and those other packages bring.

A built-in kind lives in the module of its name (``instance.kill`` in ``instance_kill.py``), so that using one fault
imports one module. Everything is only imported when an unknown kind is asked for, or all kinds are listed. Other
packages name their classes in the entry-point group ``chaoskit.faults``; they never take over a built-in kind.
"""

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from chaoskit.domain.errors import InvalidInput
from chaoskit.domain.experiment import FaultStep
from chaoskit.domain.ports import Fault, Injection

GROUP = "chaoskit.faults"
"""The package of the built-in faults, and the entry-point group of all others."""

_KIND = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*")


class Registry:
    """The kinds of faults in ``package`` and in the entry-point group ``group``."""

    def __init__(self, package: str = GROUP, group: str = GROUP) -> None:
        self._package = package
        self._group = group
        self._all: Mapping[str, type[Fault]] | None = None

    def find(self, kind: str) -> type[Fault] | None:
        """The class of ``kind``, or None. Raises InvalidInput when a package's fault cannot be loaded or clashes."""
        return self._by_name(kind) or self.all().get(kind)

    def all(self) -> Mapping[str, type[Fault]]:
        """Every kind with its class, in order of kind. Raises InvalidInput like :meth:`find`."""
        if self._all is None:
            found: dict[str, type[Fault]] = {}
            for fault in (*self._built_in(), *self._brought()):
                _claim(found, fault)
            self._all = dict(sorted(found.items()))
        return self._all

    def _by_name(self, kind: str) -> type[Fault] | None:
        if not _KIND.fullmatch(kind):
            return None
        name = f"{self._package}.{re.sub('[.-]', '_', kind)}"
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in {name, self._package}:
                raise
            return None
        return next((fault for fault in _faults_in(module) if fault.kind == kind), None)

    def _built_in(self) -> Iterator[type[Fault]]:
        import pkgutil

        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):  # a helper of other modules
                yield from _faults_in(importlib.import_module(f"{self._package}.{module.name}"))

    def _brought(self) -> Iterator[type[Fault]]:
        from importlib.metadata import entry_points

        for point in entry_points(group=self._group):
            try:
                brought = point.load()
            except Exception as error:  # whatever a foreign package raises, tell whose it is
                raise InvalidInput(_broken(point.value, f"cannot be loaded: {error}")) from error
            if not _is_fault(brought):
                raise InvalidInput(_broken(point.value, "is not a class of fault with a kind"))
            yield brought


def _faults_in(module: ModuleType) -> Iterator[type[Fault]]:
    return (found for found in vars(module).values() if _is_fault(found) and found.__module__ == module.__name__)


def _is_fault(found: Any) -> bool:
    return (
        inspect.isclass(found) and issubclass(found, Fault) and not inspect.isabstract(found) and hasattr(found, "kind")
    )


def _claim(found: dict[str, type[Fault]], fault: type[Fault]) -> None:
    if taken := sorted(fault.model_fields.keys() & FaultStep.model_fields.keys()):
        raise InvalidInput(
            f"{_name(fault)} has a parameter {taken[0]}, which is a key of every fault; give the parameter another name"
        )
    other = found.setdefault(fault.kind, fault)
    if other is not fault:
        raise InvalidInput(
            f"two classes claim the kind {fault.kind}: {_name(other)} and {_name(fault)}; "
            "uninstall one of the packages, or give one of the two another kind"
        )


def _name(fault: type[Fault]) -> str:
    return f"{fault.__module__}.{fault.__qualname__}"


def _broken(value: str, what: str) -> str:
    return f"the fault {value} of another package {what}; upgrade that package or uninstall it"


# --- the kinds of this installation -------------------------------------------------------------------------------


@cache
def _installed() -> Registry:
    return Registry()


def find(kind: str) -> type[Fault] | None:
    """The class of ``kind``, or None when there is none."""
    return _installed().find(kind)


def kinds() -> tuple[str, ...]:
    """Every kind there is, in order. Raises InvalidInput when two classes claim one kind."""
    return tuple(_installed().all())


def fault(kind: str) -> type[Fault]:
    """The class of ``kind``. Raises InvalidInput, with the kinds there are."""
    found = find(kind)
    if found is None:
        raise InvalidInput(f"no fault is of kind {kind!r}; known are {', '.join(kinds())}")
    return found


def injection(kind: str, data: Mapping[str, Any]) -> Injection:
    """The injection of ``kind`` from the JSON that a journal holds of it.

    Raises InvalidInput when the kind is not known here, or its injection cannot be made from ``data``.
    """
    try:
        return fault(kind).injection.model_validate(data)
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
        raise InvalidInput(
            f"the journal's injection of kind {kind} cannot be read ({what}); "
            "use the version of chaoskit that wrote it, or restore the target by hand"
        ) from None
