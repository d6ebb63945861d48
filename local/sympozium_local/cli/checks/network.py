"""NetworkPolicies: whether they are there, and whether anybody in the cluster enforces them."""

from collections.abc import Iterator

from sympozium.contract.resources import (
    NETWORK_POLICIES,
    PART_OF_LABEL,
    Resource,
)
from sympozium_local.cli.checks.check import Check, good, unknown, warning
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of, system_namespace

ENFORCERS = (
    "calico-node", "canal", "cilium", "antrea-agent", "kube-router", "weave-net", "ovnkube-node",
    "kindnet", "aws-node", "azure-npm", "anetd",
)  # fmt: skip
"""DaemonSets of networks that enforce policies, or can: kindnet since 1.32, aws-node if told to.

Source: https://kubernetes.io/docs/concepts/cluster-administration/addons/
"""

_DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet")


def policy_checks(cluster: Cluster) -> Iterator[Check]:
    """Look whether the system's policies are there, and who may be enforcing them."""
    ours = cluster.get(
        path_of(NETWORK_POLICIES, system_namespace()), labelSelector=f"{PART_OF_LABEL}=sympozium"
    )["items"]
    if ours:
        yield good("network policies", f"{len(ours)} in namespace {system_namespace()!r}")
    else:
        yield warning(
            "network policies",
            f"none in namespace {system_namespace()!r}: every pod of the cluster reaches the bus",
            "set networkPolicies.enabled",
        )
    sets = cluster.get(path_of(_DAEMON_SETS, "kube-system"))["items"]
    names = [one["metadata"]["name"] for one in sets]
    found = [name for name in names if name.startswith(ENFORCERS)]
    if found:
        yield good("enforcement", f"{', '.join(found)} enforces policies, or can")
    else:
        yield unknown(
            "enforcement",
            "no network is known here that enforces policies; without one they are words",
            "let `sympozium doctor --probe` try it with three small pods",
        )
