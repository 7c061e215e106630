"""``network.disconnect``: an instance is detached from networks; its processes run on without them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from chaoskit.domain.capabilities import Endpoint, Handle, InstanceState, Networks, Target, lifecycle, networks
from chaoskit.domain.errors import TargetGone, Unsupported
from chaoskit.domain.ports import Capability, Effect, Fault, Injection, Residue
from chaoskit.faults._instance import IN_CASE_IT_ENDED, RENEWED, hittable, instance_residue, renewed


class DisconnectInjection(Injection):
    """One instance without some of its networks; ``endpoints`` is all that is needed to attach it again."""

    handle: Handle
    before: InstanceState
    endpoints: tuple[Endpoint, ...]

    def actions(self) -> tuple[str, ...]:
        """The commands."""
        return tuple(
            self.handle.line("network", "disconnect", end.network_id, self.handle.instance) for end in self.endpoints
        )

    def undo(self) -> tuple[str, ...]:
        """The commands, what restored means, and what cannot be kept."""
        return (
            *self._connecting(),
            "restored: running, and attached to the same networks with the same aliases, links and fixed addresses",
            f"{RENEWED}; the interface may get another name, and rules or qdiscs on it are lost",
        )

    def by_hand(self) -> tuple[str, ...]:
        """The commands, and one for an instance that ended meanwhile."""
        return (*self._connecting(), self.handle.line("start", self.handle.instance) + IN_CASE_IT_ENDED)

    def _connecting(self) -> tuple[str, ...]:
        return tuple(
            self.handle.line("network", "connect", *connect_options(end), end.network_id, self.handle.instance)
            for end in self.endpoints
        )

    def inject(self, target: Target) -> None:
        """Detach from each network."""
        for end in self.endpoints:
            networks(target).disconnect(end)

    def revert(self, target: Target) -> str:
        """Attach to each network that it is not attached to as before."""
        instance = networks(target)
        lost = [end for end in self.endpoints if endpoint_residue(end, instance.endpoints())]
        for end in lost:
            instance.connect(end)
        # Told also when nothing is left to do: an attempt before this one may have attached it, and said nothing.
        changes = renewed(self.before.dynamic, lifecycle(target).state().dynamic)
        if lost:
            return f"attached again by chaoskit to {', '.join(end.network for end in lost)}{changes}"
        return f"was attached again already{changes}" if changes else "was attached as before; nothing to undo"

    def verify(self, target: Target) -> Residue:
        """The instance runs, and every attachment is as before; other attachments are nobody's business."""
        now = networks(target).endpoints()
        found = tuple(line for end in self.endpoints for line in endpoint_residue(end, now))
        return instance_residue(self.before, lifecycle(target).state()) + found

    def effect(self, target: Target) -> Effect:
        """Whether the engine shows it detached, and the kernel, where it can be asked, shows its addresses gone."""
        names = ", ".join(end.network for end in self.endpoints)
        try:
            bit, measured = self._measure(networks(target))
        except TargetGone as gone:
            bit, measured = None, str(gone)
        return Effect(bit=bit, requested=f"detached from {names}", measured=measured)

    def drift(self, target: Target) -> str:
        """Whether somebody removed, stopped, restarted or attached the instance."""
        try:
            now = lifecycle(target).state()
            ids = {end.network_id for end in networks(target).endpoints()}
        except TargetGone as gone:
            return str(gone)
        if not now.running:
            return f"stopped by somebody else (status {now.status})"
        if now.started_at != self.before.started_at:
            return f"restarted at {now.started_at}"
        back = [end.network for end in self.endpoints if end.network_id in ids]
        return f"attached again to {', '.join(back)} by somebody else" if back else ""

    def _measure(self, instance: Networks) -> tuple[bool, str]:
        ids = {end.network_id for end in instance.endpoints()}
        attached = [end.network for end in self.endpoints if end.network_id in ids]
        if attached:
            return False, f"the engine still shows it on {', '.join(attached)}"
        addresses = instance.addresses()
        left = sorted({end.ipv4 for end in self.endpoints} & (addresses or frozenset()))
        if left:
            return False, f"the instance still has the address {', '.join(left)}"
        seen = "its addresses are gone" if addresses is not None else "its addresses could not be read"
        return True, f"the engine shows it detached; {seen}"


class NetworkDisconnect(Fault):
    """Detach the instance from ``network`` (a name), or from all its networks; its processes run on without."""

    kind: ClassVar[str] = "network.disconnect"
    needs: ClassVar[frozenset[Capability]] = frozenset({"lifecycle", "networks"})
    injection: ClassVar[type[DisconnectInjection]] = DisconnectInjection
    examples: ClassVar[Sequence[Mapping[str, object]]] = ({}, {"network": "backend"})

    network: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="The network to detach from; all of them when not written.", examples=["backend"]
    )

    def prepare(self, target: Target, tag: str) -> DisconnectInjection:
        """Look at the attachments. Raises Unsupported when there are none, or one that could not be made again."""
        _, before = hittable(target, self.kind)
        instance = networks(target)
        ends = self._chosen(target.id, instance.endpoints())
        for end in ends:
            if end.irreversible:
                raise Unsupported(f"{target.id} cannot be detached from {end.network}: {end.irreversible}")
        return DisconnectInjection(tag=tag, target=target.id, handle=instance.handle, before=before, endpoints=ends)

    def _chosen(self, target: str, present: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        chosen = tuple(end for end in present if self.network in (None, end.network))
        if not chosen:
            on = ", ".join(end.network for end in present) or "no network of its own"
            wanted = f"is not on the network {self.network!r}; it is on {on}" if self.network else f"is on {on}"
            raise Unsupported(f"{target} {wanted}")
        return chosen


def connect_options(end: Endpoint) -> tuple[str, ...]:
    """The options of `docker network connect` that make ``end`` again; dynamic addresses are left to the engine."""
    options = [("--alias", alias) for alias in end.aliases] + [("--link", link) for link in end.links]
    options += [("--ip", end.ipv4)] if end.static_ipv4 else []
    options += [("--ip6", end.ipv6)] if end.static_ipv6 else []
    options += [("--driver-opt", f"{key}={value}") for key, value in sorted(end.driver_opts.items())]
    return tuple(word for option in options for word in option)


def endpoint_residue(before: Endpoint, present: Sequence[Endpoint]) -> Residue:
    """What keeps the attachment from being as ``before``; what was dynamic may differ."""
    now = next((end for end in present if end.network_id == before.network_id), None)
    where = f"the network {before.network}"
    if now is None:
        return (f"not attached to {where}",)
    found = [f"alias {alias} is missing on {where}" for alias in before.aliases if alias not in now.aliases]
    found += [f"link {link} is missing on {where}" for link in before.links if link not in now.links]
    if before.static_ipv4 and now.ipv4 != before.ipv4:
        found.append(f"its address on {where} is {now.ipv4}; {before.ipv4} was fixed before")
    if before.static_ipv6 and now.ipv6 != before.ipv6:
        found.append(f"its address on {where} is {now.ipv6}; {before.ipv6} was fixed before")
    if before.driver_opts != now.driver_opts:
        found.append(f"driver options on {where} differ")
    return tuple(found)
