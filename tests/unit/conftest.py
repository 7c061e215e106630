"""How Hypothesis behaves in unit tests: the machine may be slow, and a failure can be repeated elsewhere."""

from hypothesis import HealthCheck, settings

settings.register_profile("unit", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
