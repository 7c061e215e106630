"""From a probe of the experiment file to the thing that takes its samples."""

from chaoskit.domain.checks import ProbeSpec
from chaoskit.domain.connection import Prometheus
from chaoskit.domain.errors import InvalidInput
from chaoskit.domain.ports import Probe


def build(spec: ProbeSpec, *, wants_number: bool, prometheus: Prometheus | None, fresh_within: float = 60.0) -> Probe:
    """The probe for ``spec``; ``wants_number`` when a bound judges it. Nothing is asked yet.

    ``fresh_within`` (seconds) is how old a sample of Prometheus may be where ``spec`` does not say.
    Raises InvalidInput for a promql probe without a Prometheus, and for a spec without a probe.
    """
    # Each probe is imported on first use: only promql loads requests, which costs 20 MB and a tenth of a second.
    if spec.promql is not None:
        return _from_promql(spec, prometheus, fresh_within)
    if spec.http is not None:
        from chaoskit.probes.http import HttpRequestProbe

        return HttpRequestProbe(spec.http)
    if spec.tcp is not None:
        from chaoskit.probes.tcp import TcpConnectProbe

        return TcpConnectProbe(spec.tcp)
    if spec.command is not None:
        from chaoskit.probes.command import CommandRunProbe

        return CommandRunProbe(spec.command, wants_number=wants_number)
    raise InvalidInput(
        "this check has no probe; write one of promql, http, tcp and command, for example promql: sum(up)"
    )


def _from_promql(spec: ProbeSpec, prometheus: Prometheus | None, fresh_within: float) -> Probe:
    if prometheus is None:
        raise InvalidInput(
            "a promql check needs a Prometheus; write its address in the file, for example "
            'prometheus: {url: "http://prometheus:9090"}'
        )
    from chaoskit.probes.prometheus import PrometheusProbe

    return PrometheusProbe(spec, prometheus, spec.fresh_within or fresh_within)
