"""A small, fixed set of fault kinds, so that golden messages do not change with every new fault."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from chaoskit.domain.ports import Capability, Fault, Injection, Target
from chaoskit.domain.quantities import Percent, PositiveDuration, Value


class Kill(Fault):
    """Send a signal."""

    kind: ClassVar[str] = "instance.kill"
    needs: ClassVar[frozenset[Capability]] = frozenset({"lifecycle"})
    examples: ClassVar[Sequence[Mapping[str, object]]] = ({}, {"signal": "TERM"})

    signal: Literal["KILL", "TERM"] = "KILL"

    def prepare(self, target: Target, tag: str) -> Injection:
        raise NotImplementedError


class Peer(Value):
    """One peer."""

    host: str
    ports: tuple[Annotated[int, Field(strict=True, ge=1)], ...] = ()


class Delay(Fault):
    """Delay packets."""

    kind: ClassVar[str] = "network.delay"
    needs: ClassVar[frozenset[Capability]] = frozenset({"networks"})
    examples: ClassVar[Sequence[Mapping[str, object]]] = ({"by": "100ms"},)

    by: PositiveDuration = Field(description="How long every packet waits.")
    share: Percent | None = None
    peers: tuple[Peer, ...] = ()
    pair: Annotated[tuple[str, ...], Field(min_length=2)] | None = None

    def prepare(self, target: Target, tag: str) -> Injection:
        raise NotImplementedError


class Kinds:
    def __init__(self, *faults: type[Fault]) -> None:
        self._faults = {fault.kind: fault for fault in faults}

    def find(self, kind: str) -> type[Fault] | None:
        return self._faults.get(kind)

    def kinds(self) -> Sequence[str]:
        return tuple(self._faults)


KINDS = Kinds(Kill, Delay)

GOOD = """\
apiVersion: chaoskit/v1
kind: Experiment
name: replica-loss
title: The shop keeps serving when one replica dies
targets:
  web: {docker: {labels: {app: web}}}
  db: {local: {port: 5432}}
steady_state:
  - name: availability
    promql: sum(rate(ok[15s])) / sum(rate(all[15s]))
    at_least: 0.99
  - name: front page
    http: {url: "http://127.0.0.1:8080/", status: [200, 204], within: 1s}
faults:
  - kind: instance.kill
    target: web
    pick: 30%
    duration: 60s
    signal: TERM
  - kind: network.delay
    target: db
    duration: 1m30s
    by: 100ms
blast_radius: {max_targets: 2, max_percent: 34%}
abort_when:
  - {promql: avg(errors), above: 20%, for: 3s}
  - no_data_for: 10s
"""
