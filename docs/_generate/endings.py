"""How commands end: the verdicts with their exit codes, and the errors with theirs."""

from collections.abc import Mapping

from chaoskit.domain import errors as tree
from chaoskit.domain.errors import ChaoskitError, Exit
from chaoskit.domain.verdict import Verdict
from docs._generate.markdown import code, prose, table

_MEANINGS: Mapping[Verdict, str] = {
    Verdict.PASSED: "The effect is proven, every check held, the system recovered in time, rollback is verified.",
    Verdict.FAILED: "A check, an expected alert or the recovery was refuted; rollback is verified.",
    Verdict.BLOCKED: "A guard said no; nothing was injected.",
    Verdict.ABORTED: "An abort condition or a person stopped the run; rollback is verified.",
    Verdict.INCONCLUSIVE: "We could not tell: too little data, no effect, or a changed target; rollback is verified.",
    Verdict.DIRTY: "Rollback could not be verified; what is left, and the commands to run by hand, are printed.",
    Verdict.ERROR: "chaoskit or a driver failed; rollback is verified.",
}


def verdicts() -> str:
    """A row for each verdict, and one for what is no verdict, in order of exit code."""
    rows = {verdict.exit_code: [f"**{verdict.value}**", meaning] for verdict, meaning in _MEANINGS.items()}
    rows[Exit.USAGE] = ["(no run)", "The command line, the settings or the file cannot be used; nothing was started."]
    return table(("Exit code", "Verdict", "Meaning"), [[str(int(end)), *rows[end]] for end in sorted(Exit)])


def errors() -> str:
    """A row for each error of the tree, with the branch it is on."""
    found = [kind for kind in vars(tree).values() if isinstance(kind, type) and issubclass(kind, ChaoskitError)]
    return table(("Error", "Is a", "Exit code", "Meaning"), [_row(kind) for kind in found])


def _row(kind: type[ChaoskitError]) -> list[str]:
    parent = kind.__mro__[1].__name__ if kind is not ChaoskitError else ""
    return [code(kind.__name__), code(parent), str(int(kind.exit_code)), prose(kind.__doc__).replace("\n", " ")]
