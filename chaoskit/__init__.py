"""chaoskit: chaos experiments for Docker hosts and SSH fleets, judged by Prometheus."""

__version__ = "0.1.0"
