"""The part of a pod's object that the kubelet holds in memory.

A pod that has ended stays for its logs, ten minutes or more; whole, a few
thousand of them take more memory than everything that runs.
"""

from sympozium.contract.resources import Object
from sympozium.kube.informer import without_managed_fields

_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_CONTAINERS = ("initContainers", "containers")


def has_ended(pod: Object) -> bool:
    """Return whether no container of *pod* will ever run again."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def held_pod(pod: Object) -> Object:
    """Return what finds the logs of a pod that has ended; another one whole."""
    if not has_ended(pod):
        return without_managed_fields(pod)
    metadata, spec = pod["metadata"], pod["spec"]
    return {
        "metadata": {name: metadata[name] for name in _METADATA if name in metadata},
        "spec": {
            "nodeName": spec.get("nodeName", ""),
            **{
                kind: [{"name": one["name"]} for one in spec.get(kind) or ()]
                for kind in _CONTAINERS
            },
        },
        "status": {"phase": pod["status"]["phase"]},
    }
