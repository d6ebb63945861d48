"""The chart as it is installed for tests: the project's own images, and a model of the test's."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sympozium_images.builders import ROOT
from tests.kube import images
from tests.kube.cluster import NODE_ADDRESS, Clients

CHART = ROOT / "helm/sympozium"
SYSTEM_NAMESPACE = "sympozium-system"
TENANT = "default"
READY_TIMEOUT_S = 400.0
MODEL_SECRET = "assistant-model"

BUS_SERVERS = int(os.environ.get("KUBE_BUS_SERVERS", "1"))
"""How many servers the bus has, all of them on the one node: 1 or 3."""


def values(model_port: int, **more: object) -> dict[str, object]:
    """Return the chart's values for tests: see values.yaml for what each is.

    The Agent's model is at *model_port* of the node; top-level values of *more* stand in the
    place of these.
    """
    model = {
        "name": "demo",
        "baseURL": f"http://{NODE_ADDRESS}:{model_port}/v1",
        "secret": MODEL_SECRET,
    }
    ours: dict[str, object] = {
        "example": {
            "namespace": TENANT,
            "createNamespace": False,
            "name": "assistant",
            "skills": ["cluster-reader"],
            "model": model,
        },
        "runs": {"modelIdleTimeoutSeconds": 3, "egress": [_to_node()]},
    }
    of_images = images.values()
    bus = {**of_images["nats"], "replicas": BUS_SERVERS}
    return {**of_images, "nats": bus, **ours, **more}


def _to_node() -> dict[str, object]:
    """Let runs reach the node at the ports that tests have their servers listen on."""
    return {
        "to": [{"ipBlock": {"cidr": f"{NODE_ADDRESS}/32"}}],
        "ports": [{"protocol": "TCP", "port": 10000, "endPort": 60999}],
    }


@dataclass(frozen=True)
class Release:
    """The chart in a cluster."""

    clients: Clients
    name: str = "sympozium"

    def upgrade(self, chart_values: dict[str, object], folder: Path) -> float:
        """Install the chart or upgrade it; return the seconds until all of it was ready."""
        self._clear_interrupted()
        file = folder / "values.json"
        file.write_text(json.dumps(chart_values))
        begun = time.monotonic()
        self.clients.helm(
            *("upgrade", "--install", self.name, str(CHART)),
            *("-n", SYSTEM_NAMESPACE, "--create-namespace", "-f", str(file)),
            *("--wait", "--timeout", f"{READY_TIMEOUT_S:.0f}s"),
            timeout_s=READY_TIMEOUT_S + 60,
        )
        self.wait_for_web()
        return time.monotonic() - begun

    def _clear_interrupted(self) -> None:
        """Remove a release whose installation was killed: helm holds it for being at work."""
        listed = self.clients.helm("list", "--pending", "-q", "-n", SYSTEM_NAMESPACE)
        if self.name in listed.split():
            self.clients.helm("uninstall", self.name, "-n", SYSTEM_NAMESPACE, "--no-hooks")

    def wait_for_web(self) -> None:
        """Return when the web channel of the tenant is rolled out."""
        deployment = "deployment/channel-web"
        self.clients.kubectl(
            *("-n", TENANT, "wait", "--for=create", deployment, "--timeout=60s"),
        )
        self.clients.kubectl(
            *("-n", TENANT, "rollout", "status", deployment, "--timeout=120s"),
        )

    def restart(self) -> None:
        """Have every program of ours run its image as it is in the cluster now."""
        part = ("deployment", "-l", "app.kubernetes.io/part-of=sympozium")
        for namespace in (SYSTEM_NAMESPACE, TENANT):
            self.clients.kubectl("rollout", "restart", "-n", namespace, *part)
        system = ("-n", SYSTEM_NAMESPACE, *part, "--timeout=120s")
        self.clients.kubectl("rollout", "status", *system)
        self.wait_for_web()

    def uninstall(self) -> None:
        """Remove the release."""
        self.clients.helm("uninstall", self.name, "-n", SYSTEM_NAMESPACE, "--wait")


def make_tenant(clients: Clients, namespace: str = TENANT) -> None:
    """Have a namespace be a tenant in which only restricted pods run."""
    found = clients.run_kubectl("get", "namespace", namespace)
    if found.returncode:
        clients.kubectl("create", "namespace", namespace)
    clients.kubectl(
        *("label", "--overwrite", "namespace", namespace, "sympozium.ai/tenant=true"),
        "pod-security.kubernetes.io/enforce=restricted",
    )


def secret(name: str, namespace: str, data: dict[str, str]) -> str:
    """Describe a Secret."""
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": data,
    }
    return json.dumps(manifest)


def install(
    clients: Clients, changed: list[str], folder: Path, *, model_port: int, key: str
) -> Release:
    """Have the chart in the cluster, with a model at *model_port*.

    Pods that run an older form of one of the *changed* images are replaced.
    """
    make_tenant(clients)
    clients.apply(secret(MODEL_SECRET, TENANT, {"OPENAI_API_KEY": key}))
    release = Release(clients)
    was_there = clients.run_kubectl("-n", SYSTEM_NAMESPACE, "get", "deploy", "sympozium-router")
    release.upgrade(values(model_port), folder)
    if changed and was_there.returncode == 0:
        release.restart()
    return release
