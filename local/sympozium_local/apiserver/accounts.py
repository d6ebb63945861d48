"""ServiceAccount admission: the identity that a pod gets, and the token it finds mounted.

Source: plugin/pkg/admission/serviceaccount of kubernetes.
"""

from sympozium_local.apiserver.errors import forbidden
from sympozium_local.apiserver.meta import name_for
from sympozium_local.apiserver.request import Call
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import Store

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_LIFETIME_S = 3607
ROOT_CA = "kube-root-ca.crt"
"""The ConfigMap, in every namespace, that holds the API's CA certificate."""


def admit_pod(call: Call, pod: Object, store: Store) -> None:
    """Give a new pod its ServiceAccount's name, token volume and pull secrets.

    Raises:
        ApiError: 403, the account does not exist.
    """
    spec = pod["spec"]
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    row = store.get("serviceaccounts", call.namespace, name)
    if row is None:
        why = (
            f"error looking up service account {call.namespace}/{name}: "
            f'serviceaccount "{name}" not found'
        )
        raise forbidden(call.served.resource, pod["metadata"].get("name", ""), why)
    account = row.object()
    wanted = spec.get(
        "automountServiceAccountToken", account.get("automountServiceAccountToken", True)
    )
    if wanted:
        _mount_token(spec)
    if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = account["imagePullSecrets"]


def _mount_token(spec: Object) -> None:
    containers = [*spec.get("containers", ()), *spec.get("initContainers", ())]
    without = [
        one
        for one in containers
        if all(mount["mountPath"] != MOUNT_PATH for mount in one.get("volumeMounts") or ())
    ]
    if not without:
        return
    taken = {volume["name"] for volume in spec.get("volumes") or ()}
    name = name_for("kube-api-access-", taken.__contains__)
    spec["volumes"] = [*(spec.get("volumes") or ()), token_volume(name)]
    for container in without:
        mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def token_volume(name: str) -> Object:
    """Return the projected volume with token, CA certificate and namespace."""
    namespace = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_LIFETIME_S, "path": "token"}},
        {"configMap": {"name": ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}
