"""An experiment file as frozen values, or every problem of it at once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ValidationError

from chaoskit.domain.errors import InvalidExperiment
from chaoskit.domain.experiment import Experiment, FaultStep
from chaoskit.domain.ports import Fault
from chaoskit.files.places import Data, Path, Problem, written
from chaoskit.files.source import check_characters, read_text, shown_name
from chaoskit.files.yaml import Document, parse

if TYPE_CHECKING:
    from collections.abc import Sequence


class FaultKinds(Protocol):
    """Where kinds of faults are looked up; :mod:`chaoskit.registry` is one."""

    def find(self, kind: str) -> type[Fault] | None:
        """The class of ``kind``, or None when there is none."""

    def kinds(self) -> "Sequence[str]":
        """Every kind there is."""


@dataclass(frozen=True, slots=True)
class LoadedExperiment:
    """An experiment with its faults (one for each step, in order), and the text it was read from."""

    experiment: Experiment
    faults: tuple[Fault, ...]
    path: str
    text: str
    sha256: str


def load(path: str, *, variables: Mapping[str, str] | None, registry: FaultKinds | None = None) -> LoadedExperiment:
    """The experiment in the file at ``path`` (``-`` for standard input).

    ``variables`` fill in ``${NAME}``; faults are looked up in ``registry``, or in :mod:`chaoskit.registry`.
    Raises InvalidExperiment with every problem of the file.
    """
    return _load(read_text(path), path, variables, registry)


def load_text(
    text: str, *, name: str = "<text>", variables: Mapping[str, str] | None, registry: FaultKinds | None = None
) -> LoadedExperiment:
    """The experiment in ``text``; ``name`` stands for a file name in messages.

    With ``variables=None`` nothing is filled in: a ``${`` is just text. Raises InvalidExperiment.
    """
    check_characters(text, shown_name(name), InvalidExperiment)
    return _load(text, name, variables, registry)


def _load(text: str, path: str, variables: Mapping[str, str] | None, registry: FaultKinds | None) -> LoadedExperiment:
    document = parse(text, variables)
    experiment, faults, problems = _judge(document, registry or installed())
    if problems or document.problems or experiment is None:
        raise InvalidExperiment(*_all_lines(document, problems, shown_name(path)))
    return LoadedExperiment(experiment, faults, path, text, hashlib.sha256(text.encode()).hexdigest())


def _all_lines(document: Document, problems: list[Problem], name: str) -> tuple[str, ...]:
    from chaoskit.files.problems import without_consequences

    kept = without_consequences(problems, document.problems)
    return written(name, [document.located(problem) for problem in (*document.problems, *kept)])


def faults_of(experiment: Experiment, *, name: str, registry: FaultKinds | None = None) -> tuple[Fault, ...]:
    """The faults of an experiment that stands in a plan, judged as those of a file; ``name`` is that of the plan.

    Raises InvalidExperiment with every problem of the faults.
    """
    judge = _Judge({}, experiment.model_dump(mode="json", by_alias=True), registry or installed())
    faults = judge.faults()
    if judge.problems:
        found = [problem._replace(path=("experiment", *problem.path)) for problem in judge.problems]
        raise InvalidExperiment(*written(shown_name(name), found))
    return faults


def installed() -> FaultKinds:
    """The kinds of faults of this installation."""
    from chaoskit import registry

    return registry


def _judge(document: Document, registry: FaultKinds) -> tuple[Experiment | None, tuple[Fault, ...], list[Problem]]:
    if document.data is None:
        return None, (), []
    judge = _Judge(document.written, document.data, registry)
    experiment, faults = judge.experiment(), judge.faults()
    return experiment, faults, judge.problems


class _Judge:
    """Holds plain data against the models, and collects what is wrong with it; ``text`` is how scalars are written.

    Faults are judged on the plain data, so that they are judged even when another part of the file is wrong.
    """

    def __init__(self, text: Mapping[Path, str], data: dict[str, Any], registry: FaultKinds) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._data = data
        self._registry = registry

    def experiment(self) -> Experiment | None:
        try:
            return Experiment.model_validate(self._data, by_alias=True, by_name=False)
        except ValidationError as error:
            self._explain(error, Experiment, self._data, ())
            return None

    def faults(self) -> tuple[Fault, ...]:
        steps = self._data.get("faults")
        mappings = [(at, step) for at, step in enumerate(steps if isinstance(steps, list) else ()) if _is_step(step)]
        for at, step in mappings:
            self._judge_target(("faults", at, "target"), step.get("target"))
        found = [self._fault(step, ("faults", at)) for at, step in mappings]
        return tuple(fault for fault in found if fault is not None)

    def _judge_target(self, path: Path, target: object) -> None:
        declared = self._data.get("targets")
        if isinstance(target, str) and isinstance(declared, dict) and target not in declared:
            from chaoskit.files.sentences import near, shown

            hint = near(target, list(declared), "declared are")
            self.problems.append(Problem(path, f"no target is named {shown(target)}; {hint}"))

    def _fault(self, step: dict[str, Any], at: Path) -> Fault | None:
        found = self._registry.find(step["kind"])
        if found is None:
            self._refuse_kind((*at, "kind"), step["kind"])
            return None
        beside = "parameters" not in step
        data = {key: step[key] for key in step if key not in FaultStep.model_fields} if beside else step["parameters"]
        try:
            return found.model_validate(data, by_alias=True, by_name=False)
        except ValidationError as error:
            self._explain(error, found, step if beside else data, at if beside else (*at, "parameters"), of_step=beside)
            return None

    def _refuse_kind(self, path: Path, kind: str) -> None:
        from chaoskit.files.sentences import near, shown

        hint = near(kind, self._registry.kinds(), "known are")
        self.problems.append(Problem(path, f"no fault is of kind {shown(kind)}; {hint}"))

    def _explain(
        self, error: ValidationError, model: type[BaseModel], data: Data, base: Path, *, of_step: bool = False
    ) -> None:
        from chaoskit.files.fields import keys_of
        from chaoskit.files.problems import Scope, problems_of

        also = keys_of(FaultStep) if of_step else {}
        self.problems += problems_of(error, Scope(model, data, base, self._text, also))


def _is_step(step: object) -> bool:
    return isinstance(step, dict) and isinstance(step.get("kind"), str)
