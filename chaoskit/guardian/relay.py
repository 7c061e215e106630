"""The guardian's wire to its runner, with deputies behind it.

It stands in the place of the wire: what the runner says reaches the deputies too, and what they are not up to, the
runner hears in place of the guardian's own answer.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

from chaoskit.engine.clock import RealClock
from chaoskit.guardian.deputy import Deputy, Terms
from chaoskit.guardian.serve import log
from chaoskit.guardian.wire import Closed, Line

ARMED_WITHIN = 8.0
REMOVED_WITHIN = 5.0
_LOOK_EVERY = 0.2


Address = Callable[[str | None], str]
"""The address of the engine for the ``host`` of a selector."""


def appointed(line: Line, orders: Mapping[str, Any], note: Callable[[str], None]) -> "Relay":
    """A relay with a deputy for each engine on which the runner's ``orders`` want one; they are not waited for."""
    from chaoskit.guardian.post import names_of
    from chaoskit.targets.docker_engine import engine_host

    run, settings = str(orders["run"]), orders["settings"]
    terms = Terms(run, float(orders["lease"]), settings["guardian_image"], settings["guardian_socket"])

    def address(host: str | None) -> str:
        return engine_host(host, settings["docker_host"], os.environ)

    addresses = dict.fromkeys(map(address, orders["beside"]))
    named = zip(addresses, names_of(run), strict=False)
    return Relay(line, {host: Deputy(host, name, terms, RealClock().now) for host, name in named}, address, note)


class Relay:
    """The wire, and the deputies by the address of their engine. ``note`` is told what they are doing."""

    def __init__(
        self, line: Line, deputies: Mapping[str, Deputy], address: Address, note: Callable[[str], None]
    ) -> None:
        self._line = line
        self._deputies = deputies
        self._address = address
        self._holders: dict[int, Deputy] = {}
        self._arming: list[tuple[Deputy, int]] = []
        self._note = note
        self._complained = False

    def receive(self, timeout: float | None) -> Mapping[str, Any] | None:
        """What the runner says next, as :meth:`chaoskit.guardian.wire.Wire.receive`; a loss is told meanwhile."""
        deadline = inf if timeout is None else monotonic() + timeout
        while (said := self._line.receive(max(min(deadline - monotonic(), _LOOK_EVERY), 0.0))) is None:
            self._note(self.told())
            if not self._complained and (why := self._lost()):
                self._complain(why)
            if monotonic() >= deadline:
                return None
        self._pass_on(said)
        return said

    def send(self, word: str, **more: object) -> None:
        """Tell the runner ``word``, unless it is more than the deputies can answer for."""
        if word == "disarmed":
            self.dismiss()
        elif why := self._shortfall(word):
            self._complain(why)
            return
        self._line.send(word, **more)

    def told(self) -> str:
        """What the deputies are doing, in words."""
        return "; ".join(deputy.told() for deputy in self._deputies.values())

    def dismiss(self) -> bool:
        """Nothing is left to undo, so they may go; False when one is still there."""
        deadline = monotonic() + REMOVED_WITHIN
        gone = [deputy.dismiss(max(deadline - monotonic(), 0.0)) for deputy in self._deputies.values()]
        return all(gone)

    # --- parts -----------------------------------------------------------------------------------------

    def _pass_on(self, said: Mapping[str, Any]) -> None:
        if said["word"] == "arm":
            self._arm(said["intended"])
        elif said["word"] == "renew":
            for deputy in self._deputies.values():
                deputy.tell({"word": "renew"})
        elif said["word"] == "release" and (holder := self._holders.pop(int(said["n"]), None)):
            holder.tell({"word": "release", "n": int(said["n"])})

    def _arm(self, intended: Sequence[Mapping[str, Any]]) -> None:
        """Each deputy gets what is to be undone at its own engine, which it finds at its socket, not where we do."""
        shares: dict[str, list[Mapping[str, Any]]] = {}
        for one in intended:
            if selector := one["spec"]["docker"]:
                host = self._address(selector["host"])
                shares.setdefault(host, []).append({**one, "spec": {"docker": {**selector, "host": None}}})
        for host, share in shares.items():
            deputy = self._deputies[host]
            self._holders.update({int(one["n"]): deputy for one in share})
            self._arming.append((deputy, deputy.tell({"word": "arm", "intended": share})))

    def _shortfall(self, word: str) -> str:
        """Why the guardian may not say ``word`` in good faith."""
        if word == "ready":
            return next(filter(None, [deputy.stands_by() for deputy in self._deputies.values()]), "")
        if word == "armed":
            deadline = monotonic() + ARMED_WITHIN
            heeded = [deputy.heeds(number, max(deadline - monotonic(), 0.0)) for deputy, number in self._arming]
            return next(filter(None, heeded), "")
        return self._lost() if word == "held" else ""

    def _lost(self) -> str:
        return next(filter(None, (deputy.lost() for deputy in self._deputies.values())), "")

    def _complain(self, why: str) -> None:
        self._complained = True
        log(why)
        with suppress(Closed):
            self._line.send("lost", why=why)
