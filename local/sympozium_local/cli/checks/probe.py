"""A trial of NetworkPolicies with pods: one that all may reach, one that nobody may."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import DEPLOYMENTS, NETWORK_POLICIES, PODS, Object
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.checks.check import Check, bad, good, unknown
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of, system_namespace

LABEL = "app.kubernetes.io/instance"
"""Not one of ours: those are the controller's, and refused."""

PORT = 8080
LIFE_S = 120
"""After so long the pods end by themselves, should this command be killed."""

START_TIMEOUT_S = 60.0
POLICY_TIME_S = 5.0
"""How long a network may take until a policy is in force."""

_SERVE = (
    f"import socket\ns = socket.create_server(('', {PORT}))\nwhile True: s.accept()[0].close()\n"
)
_CONNECT = f"""\
import socket, sys
for host in sys.argv[1:]:
    try:
        socket.create_connection((host, {PORT}), timeout=3).close()
        print("reached", flush=True)
    except OSError:
        print("not reached", flush=True)
"""


def probe_checks(cluster: Cluster, namespace: str) -> Iterator[Check]:
    """Start three pods for some seconds and see whether a policy keeps one from another.

    Raises:
        ForbiddenError: The caller may not make pods or policies there.
        TransientError: The pods do not start.
    """
    image = _image(cluster)
    run = token_hex(4)
    names = {part: f"doctor-{run}-{part}" for part in ("open", "closed", "caller")}
    with _removed_at_the_end(cluster, namespace, names):
        policy = _deny_all(namespace, names["closed"])
        cluster.create(path_of(NETWORK_POLICIES, namespace), policy)
        for part in ("open", "closed"):
            pod = _pod(namespace, names[part], image, ["-c", _SERVE])
            cluster.create(path_of(PODS, namespace), pod)
        hosts = [_address(cluster, namespace, names[part]) for part in ("open", "closed")]
        time.sleep(POLICY_TIME_S)
        caller = _pod(namespace, names["caller"], image, ["-c", _CONNECT, *hosts])
        cluster.create(path_of(PODS, namespace), caller)
        reached = _said(cluster, namespace, names["caller"])
    yield judged(reached)


def judged(reached: list[str]) -> Check:
    """Say what it means whether the open pod, and then the closed one, was reached."""
    about = "network policies tried"
    if reached == ["reached", "not reached"]:
        return good(about, "a pod that a policy closes was not reached, another one was")
    if reached == ["reached", "reached"]:
        return bad(
            about,
            "a pod that a policy closes was reached: nobody enforces policies here",
            "install a network that does (Calico, Cilium, kindnet from 1.32 on)",
        )
    return unknown(
        about,
        f"a pod that no policy closes was not reached ({', '.join(reached) or 'no word'})",
        "see whether pods of that namespace may reach each other at all",
    )


def _image(cluster: Cluster) -> str:
    """Return an image with Python that this cluster has: the controller's."""
    found = cluster.get(path_of(DEPLOYMENTS, system_namespace(), "sympozium-controller"))
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


@contextmanager
def _removed_at_the_end(cluster: Cluster, namespace: str, names: dict[str, str]) -> Iterator[None]:
    try:
        yield
    finally:
        paths = [path_of(PODS, namespace, name) for name in names.values()]
        for path in [*paths, path_of(NETWORK_POLICIES, namespace, names["closed"])]:
            try:
                cluster.delete(path)
            except NotFoundError:
                continue


def _deny_all(namespace: str, name: str) -> Object:
    return {
        "apiVersion": NETWORK_POLICIES.api_version,
        "kind": NETWORK_POLICIES.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {LABEL: name}},
        "spec": {"podSelector": {"matchLabels": {LABEL: name}}, "policyTypes": ["Ingress"]},
    }


def _pod(namespace: str, name: str, image: str, arguments: list[str]) -> Object:
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {LABEL: name}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "activeDeadlineSeconds": LIFE_S,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "command": ["python", *arguments],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "16Mi"},
                        "limits": {"cpu": "100m", "memory": "64Mi"},
                    },
                }
            ],
        },
    }


def _address(cluster: Cluster, namespace: str, name: str) -> str:
    status = _once(cluster, namespace, name, {"Running"})
    return str(status["podIP"])


def _said(cluster: Cluster, namespace: str, name: str) -> list[str]:
    _once(cluster, namespace, name, {"Succeeded", "Failed"})
    log = b"".join(cluster.stream(path_of(PODS, namespace, name, "log")))
    return log.decode(errors="replace").splitlines()


def _once(cluster: Cluster, namespace: str, name: str, phases: set[str]) -> Object:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        status: Object = cluster.get(path_of(PODS, namespace, name)).get("status") or {}
        if status.get("phase") in phases:
            return status
        time.sleep(0.25)
    raise TransientError(
        f"cannot try network policies: pod {name!r} was not {' or '.join(phases)} within "
        f"{START_TIMEOUT_S:.0f} s; see kubectl -n {namespace} get events"
    )
