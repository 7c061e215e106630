"""One TCP connect as a sample: the number is the seconds until it was accepted."""

from chaoskit.domain.checks import TcpProbe
from chaoskit.domain.ports import Sample
from chaoskit.probes.wire import GRACE, CannotAsk, Deadline, NoAnswer, asking, connect


class TcpConnectProbe:
    """Connects as ``spec`` says and hangs up at once.

    Refused or late: the system said no (``holds`` is False). A name that does not resolve, or no free socket: we
    could not ask (unknown).
    """

    def __init__(self, spec: TcpProbe) -> None:
        self._spec = spec

    @property
    def bound(self) -> float:
        """The longest one sample may take, in seconds."""
        return self._spec.within + GRACE

    def sample(self) -> Sample:
        """Connect once, looking up the name included, within ``within``."""
        spec, deadline = self._spec, Deadline(self._spec.within)
        try:
            with asking(f"tcp {spec.host}:{spec.port}", deadline):
                connect(spec.host, spec.port, deadline).close()
        except CannotAsk as error:
            return Sample(problem=str(error))
        except NoAnswer as error:
            return Sample(holds=False, problem=str(error))
        return Sample(values=(deadline.spent,), holds=True)
