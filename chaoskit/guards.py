"""Reasons not to start that the store and the machine know: halts, residue, held targets, limits."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chaoskit.domain.journal import Intended
from chaoskit.domain.limits import Holder, Limits, excesses
from chaoskit.domain.plan import Plan
from chaoskit.engine.runner import Guard
from chaoskit.store.halt_file import look

if TYPE_CHECKING:
    from chaoskit.store.store import Store

Holding = Callable[[str], Holder]
"""From the id of a run that holds targets to who runs it, and whether that runner lives. Raises StoreFailed."""


def halt_guard(store: "Store", run_id: str, file: Path) -> Guard:
    """No start while a halt is in force: in the store, or because the halt file is there."""

    def guard(_plan: Plan) -> Sequence[str]:
        found = []
        if (reason := store.halted(run_id)) is not None:
            found.append(f"a halt is in force: {reason}; lift it with `chaoskit halt --all --release`")
        if (there := look(file)) is not None:
            found.append(there.refusal)
        return found

    return guard


def residue_guard(store: "Store", holder: Holding) -> Guard:
    """No start over what a dead run has left on any target, nor on a target that a live run holds."""

    def guard(plan: Plan) -> Sequence[str]:
        left = store.outstanding()
        chosen = {ref.id for ref in plan.chosen}
        found = []
        for one in map(holder, dict.fromkeys(intended.run for intended in left)):
            theirs = [intended for intended in left if intended.run == one.run]
            if not one.live:
                hint = f"restore it first with `chaoskit rollback {one.run}`"
                found.append(f"{one.told} left a fault behind on {_names(theirs)}; {hint}")
            elif held := [intended for intended in theirs if intended.ref.id in chosen]:
                hint = f"wait for it, or stop it with `chaoskit halt {one.run}`"
                found.append(f"{_names(held)} is held by {one.told}, which is live; {hint}")
        return found

    return guard


def limits_guard(store: "Store", limits: Limits, holder: Holding) -> Guard:
    """No start where as many other runs hold targets as may at once. Only a claim makes sure of it, in the store."""

    def guard(plan: Plan) -> Sequence[str]:
        return excesses(store.outstanding(), plan.chosen, limits, holder)

    return guard


def _names(left: Sequence[Intended]) -> str:
    names = sorted({one.ref.name for one in left})
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004 a line's worth
