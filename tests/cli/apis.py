"""An API server for tests of the command line: what is put into it, broken in it, and mended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from sympozium.contract import resources
from sympozium.contract.crds import definition_objects
from sympozium.contract.resources import (
    SERVICE_ACCOUNTS,
    TENANT_LABEL,
    VALIDATING_WEBHOOKS,
    Object,
    Resource,
)
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of
from tests.cli.kubeconfigs import kubeconfig, write

SYSTEM = "sympozium-system"
CHART = Path(__file__).parents[2] / "helm" / "sympozium"
KINDS = {
    (one.api_version, one.kind): one
    for one in vars(resources).values()
    if isinstance(one, Resource)
}


@dataclass
class Api:
    """A running API server and its administrator."""

    kubeconfig: Path
    cluster: Cluster
    _mending: list[Callable[[], object]] = field(default_factory=list)

    def put(self, obj: Object) -> Object:
        """Create an object, or make it so, until the test's end."""
        path = place(obj)
        try:
            before = self.cluster.get(path)
        except NotFoundError:
            self._mending.append(lambda: self.cluster.delete(path))
        else:
            self._mending.append(lambda: apply(self.cluster, clean(before)))
        return apply(self.cluster, obj)

    def remove(self, resource: Resource, namespace: str, name: str) -> None:
        """Take an object away until the test's end."""
        path = path_of(resource, namespace, name)
        before = clean(self.cluster.get(path))
        self._mending.append(lambda: apply(self.cluster, before))
        self.cluster.delete(path)

    def mend(self) -> None:
        """Undo what the test did, the last first."""
        while self._mending:
            self._mending.pop()()

    def as_account(self, name: str, file: Path, *, namespace: str = "default") -> Path:
        """Write the kubeconfig of a ServiceAccount that holds no right yet."""
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        self.put(account | {"metadata": {"name": name, "namespace": namespace}})
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = path_of(SERVICE_ACCOUNTS, namespace, name, "token")
        token = self.cluster.create(path, request)["status"]["token"]
        admin = yaml.safe_load(self.kubeconfig.read_text())
        entry = admin["clusters"][0]["cluster"]
        return write(file, kubeconfig(entry, {"token": token}))


def install(cluster: Cluster) -> None:
    """Put our kinds, rights and a tenant there, as the chart does; no webhook, nobody serves it."""
    for definition in definition_objects():
        apply(cluster, definition)
    tenant = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    tenant["metadata"] |= {"labels": {TENANT_LABEL: "true"}}  # type: ignore[operator] # a dict
    apply(cluster, tenant)
    for folder in ("rbac", "admission"):
        for file in sorted((CHART / folder).glob("*.yaml")):
            for obj in yaml.safe_load_all(file.read_text()):
                if obj["kind"] != VALIDATING_WEBHOOKS.kind:
                    apply(cluster, obj)
    for program in ("controller", "router"):
        apply(cluster, tenant_binding(program))


def webhook() -> Object:
    """Return the registration of the webhook as the chart makes it."""
    text = (CHART / "admission" / "webhook.yaml").read_text()
    (found,) = [one for one in yaml.safe_load_all(text) if one["kind"] == VALIDATING_WEBHOOKS.kind]
    registration: Object = found
    return registration


def tenant_binding(program: str, namespace: str = "default") -> Object:
    """Describe what the controller makes in a tenant's namespace for a program's rights."""
    name = f"sympozium-tenant-{program}"
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": f"sympozium-{program}", "namespace": SYSTEM}
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [account],
    }


def apply(cluster: Cluster, obj: Object) -> Object:
    """Make an object be so."""
    return cluster.apply(place(obj), obj)


def place(obj: Object) -> str:
    """Return the path of an object."""
    resource = KINDS[obj["apiVersion"], obj["kind"]]
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "") if resource.namespaced else ""
    return path_of(resource, namespace, metadata["name"])


def clean(obj: Object) -> Object:
    """Return an object as somebody would write it."""
    kept = {key: obj["metadata"][key] for key in _KEPT if key in obj["metadata"]}
    return {key: value for key, value in obj.items() if key != "status"} | {"metadata": kept}


_KEPT = ("name", "namespace", "labels", "annotations")
