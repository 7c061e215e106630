"""chaoskit: chaos experiments on Docker containers and Linux processes, judged by Prometheus."""

__version__ = "0.1.0"
