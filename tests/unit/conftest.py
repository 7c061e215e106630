"""How Hypothesis behaves in unit tests: the machine may be slow, and a failure can be repeated elsewhere."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unit",
    deadline=None,
    print_blob=True,
    # In CI a change must fail for what it does, and not for an example that luck finds; elsewhere luck is welcome.
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")
