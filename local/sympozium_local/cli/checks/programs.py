"""The programs: whether as many pods as are wanted are ready, and else why, image pulls first."""

from collections.abc import Iterator

from sympozium.contract.resources import COMPONENT_LABEL, EVENTS, PODS, Object
from sympozium.kube.errors import ForbiddenError
from sympozium_local.cli.checks.check import Check, bad, good, unknown, warning
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.cluster_status import (
    NO_PODS,
    Program,
    cluster_status,
    container_statuses,
)
from sympozium_local.cli.paths import path_of, system_namespace
from sympozium_local.cli.target import Target

MANY_RESTARTS = 5
PULL_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}
)
"""Source: https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff"""

PULL_REMEDY = (
    "see that the image is in its registry and that the nodes may pull it: images.registry, "
    "images.tag and images.pullSecrets of the chart"
)


def program_checks(target: Target) -> Iterator[Check]:
    """Look at the Deployments and StatefulSets of the system and of the channels.

    Raises:
        NotInstalledError: There are none.
    """
    status = cluster_status(target)
    for program in status.programs:
        yield _program(program, target.cluster)
    for remark in status.unseen:
        yield unknown("not looked at", remark)


def _program(program: Program, cluster: Cluster) -> Check:
    stands = f"{program.ready} of {program.wanted} ready"
    namespace, _, name = program.name.partition("/")
    if program.why == NO_PODS:
        cause, remedy = _why_none_is_made(cluster, namespace, name), "change what that rule asks"
        return bad(program.name, f"{stands}: {cause}", remedy)
    if not program.is_ready:
        reason = program.why.rpartition(": ")[2]
        look = f"see kubectl -n {namespace} describe pods, and logs of {name}"
        remedy = PULL_REMEDY if reason in PULL_REASONS else look
        return bad(program.name, f"{stands}: {program.why}", remedy)
    if program.restarts >= MANY_RESTARTS:
        return warning(
            program.name,
            f"{stands}, after {program.restarts} restarts",
            f"see why: kubectl -n {namespace} logs --previous deployment/{name}",
        )
    return good(program.name, stands)


def _why_none_is_made(cluster: Cluster, namespace: str, name: str) -> str:
    query = "type=Warning,reason=FailedCreate"
    events = cluster.get(path_of(EVENTS, namespace), fieldSelector=query)["items"]
    said = [
        str(event.get("message", ""))
        for event in events
        if str(event["involvedObject"].get("name", "")).startswith(name)
    ]
    return said[-1] if said else NO_PODS


def image_checks(cluster: Cluster, namespaces: list[str]) -> Iterator[Check]:
    """Look whether a pod of the system, of a channel or of a run cannot have its image."""
    waiting: dict[str, tuple[str, str]] = {}
    for namespace in dict.fromkeys([system_namespace(), *namespaces]):
        try:
            found = cluster.get(path_of(PODS, namespace), labelSelector=COMPONENT_LABEL)["items"]
        except ForbiddenError as error:
            yield unknown(f"images in {namespace}", str(error))
            continue
        for pod in found:
            waiting.update(_not_pulled(pod))
    for image, (pod_name, reason) in sorted(waiting.items()):
        yield bad(f"image {image}", f"pod {pod_name} waits for it: {reason}", PULL_REMEDY)
    if not waiting:
        yield good("images", "no pod that you may see waits for one")


def _not_pulled(pod: Object) -> Iterator[tuple[str, tuple[str, str]]]:
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    for one in container_statuses(pod):
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in PULL_REASONS:
            yield str(one.get("image", "?")), (name, str(waiting["reason"]))
