"""A cluster in which the test plays kubelet, with the rights and rules of the chart."""

from tests.controller.fixtures import cluster, settings

__all__ = ["cluster", "settings"]
