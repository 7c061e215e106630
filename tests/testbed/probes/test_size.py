"""What a run without Prometheus does not have to load."""

import subprocess
import sys

SMALL = (
    {"http": {"url": "http://web/"}},
    {"tcp": {"host": "web", "port": 80}},
    {"command": {"run": ["true"]}},
)


def test_only_promql_loads_the_client_of_prometheus() -> None:
    """A run without Prometheus must stay small."""
    code = (
        "import sys; from chaoskit.probes.build import build; from chaoskit.domain.checks import ProbeSpec\n"
        f"for spec in {SMALL!r}:\n"
        "    build(ProbeSpec.model_validate(spec), wants_number=True, prometheus=None)\n"
        "print([m for m in ('requests', 'urllib3', 'prometheus_api_client', 'psutil', 'docker') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
