"""The stage of attacks: two tenants with parts of the same names, and a stranger among them.

The stranger is a pod that the second tenant's administrator made. It has every right that the
cluster's role `admin` gives in that namespace, may debug the pods there, and no policy of ours
limits its network.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sympozium.contract.resources import Object
from tests.kube.cluster import Clients
from tests.kube.inside import LiveRun, Pod, have_the_model_take_its_time, start
from tests.kube.release import SYSTEM_NAMESPACE, secret

OURS, THEIRS = "attacked", "elsewhere"
READER = "skill-cluster-reader"
"""The container of a run that may read its namespace."""

WORKER = "worker"
"""The stranger's pod, its one container and its ServiceAccount."""

WEB_PORT = 8400
CHAT_SECRET = "chat-token"

Holder = tuple[Pod, str, str]
"""A pod, a container of it, and a token for the bus that somebody in there holds."""


def started(
    clients: Clients, model_port: int, namespace: str, name: str, agent_name: str
) -> Iterator[LiveRun]:
    """Yield a run at work, whose model takes its time, and end it."""
    have_the_model_take_its_time(model_port)
    live = start(clients, namespace, name, agent_name)
    yield live
    live.end()


def bridge_of(live: LiveRun) -> Holder:
    """Return the agent container of a run, with the stolen token of its bridge."""
    return live, "agent", live.bus_token()


def refuses_publishing(
    holder: Holder, bus: tuple[str, str], subjects: Sequence[str], data: str = "x"
) -> None:
    """See the bus refuse each of *subjects* to whom it admits by the holder's token."""
    commands = [f"PUB {subject} {len(data.encode())}\r\n{data}\r\n" for subject in subjects]
    _refuses(holder, bus, "Publish to", subjects, commands)


def refuses_listening(holder: Holder, bus: tuple[str, str], subjects: Sequence[str]) -> None:
    """See the bus refuse each of *subjects* to whom it admits by the holder's token."""
    commands = [subscribed(subject, number) for number, subject in enumerate(subjects, 1)]
    _refuses(holder, bus, "Subscription to", subjects, commands)


def subscribed(subject: str, number: int = 1) -> str:
    """Return the bus's command that listens on a subject."""
    return f"SUB {subject} {number}\r\n"


def _refuses(
    holder: Holder, bus: tuple[str, str], what: str, subjects: Sequence[str], commands: list[str]
) -> None:
    pod, container, token = holder
    said = pod.on_bus(container, bus, token, *commands)["said"]
    assert said.count("PONG") == 2, said
    refused = [line for line in said if line.startswith("-ERR")]
    for subject in subjects:
        assert any(f'{what} "{subject}"' in line for line in refused), (subject, refused)


def chat_token(namespace: str) -> str:
    """Return what people present to the web chat of a namespace."""
    return f"only-for-the-chat-of-{namespace}"


def make_web_chat(clients: Clients, namespace: str) -> Pod:
    """Have a web Channel `web` in a namespace; return its pod once it serves."""
    clients.apply(secret(CHAT_SECRET, namespace, {"token": chat_token(namespace)}))
    clients.apply(web_channel(namespace, "web", CHAT_SECRET))
    deployment = ("-n", namespace, "deployment/channel-web")
    clients.kubectl("wait", "--for=create", *deployment, "--timeout=60s")
    clients.kubectl("rollout", "status", *deployment, "--timeout=120s", timeout_s=150)
    selected = ("-n", namespace, "pods", "-l", "sympozium.ai/channel=web")
    pod = clients.get(*selected)["items"][0]["metadata"]["name"]
    return Pod(clients, namespace, pod)


def web_channel(namespace: str, name: str, token_secret: str, agent_name: str = "plain") -> str:
    """Describe a web Channel."""
    metadata = {"name": name, "namespace": namespace}
    spec = {
        "type": "web",
        "agentRef": agent_name,
        "access": {"users": ["*"]},
        "web": {"port": WEB_PORT, "tokenSecretRef": token_secret},
    }
    head = {"apiVersion": "sympozium.ai/v1alpha1", "kind": "Channel", "metadata": metadata}
    return json.dumps({**head, "spec": spec})


def web_chat_url(clients: Clients, namespace: str) -> str:
    """Return the address of a namespace's web chat, which is no name."""
    service = clients.get("-n", namespace, "service", "sympozium-channel-web")
    return f"http://{service['spec']['clusterIP']}:{WEB_PORT}"


def make_stranger(clients: Clients, namespace: str) -> Pod:
    """Make the pod of a tenant's administrator, and return it once it runs."""
    for manifest in _stranger(namespace):
        clients.apply(json.dumps(manifest))
    clients.kubectl("-n", namespace, "wait", "--for=condition=Ready", f"pod/{WORKER}")
    return Pod(clients, namespace, WORKER)


def _stranger(namespace: str) -> Iterator[Object]:
    metadata = {"name": WORKER, "namespace": namespace}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["pods/ephemeralcontainers"], "verbs": ["patch"]}
    debugging = {"name": "debugging", "namespace": namespace}
    head = {"apiVersion": f"{group}/v1", "kind": "Role"}
    yield {**head, "metadata": debugging, "rules": [rule]}
    for kind, role in (("ClusterRole", "admin"), ("Role", "debugging")):
        yield {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"{WORKER}-{role}", "namespace": namespace},
            "roleRef": {"apiGroup": group, "kind": kind, "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": WORKER, "namespace": namespace}],
        }
    container = {
        **restricted_container(),
        "name": WORKER,
        "image": "localhost/sympozium/agent:dev",
        "command": ["python", "-c", "import signal; signal.pause()"],
    }
    spec = {
        "serviceAccountName": WORKER,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def restricted_container() -> Object:
    """Return a container that Pod Security has nothing against."""
    security = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {"name": "x", "image": "x:1", "securityContext": security}


def addresses(clients: Clients, namespace: str) -> dict[str, list[int]]:
    """Return the addresses of the pods that run in a namespace, with the ports that they name."""
    return {
        pod["status"]["podIP"]: [
            port["containerPort"]
            for kind in ("containers", "initContainers")
            for container in pod["spec"].get(kind) or ()
            for port in container.get("ports") or ()
        ]
        for pod in clients.get("-n", namespace, "pods")["items"]
        if pod["status"]["phase"] == "Running"
    }


@contextmanager
def without_controllers(clients: Clients) -> Iterator[None]:
    """Have no controller, and so nobody who serves the webhook, while the block lasts."""
    deployment = ("-n", SYSTEM_NAMESPACE, "deployment/sympozium-controller")
    found = clients.get("-n", SYSTEM_NAMESPACE, "deployment", "sympozium-controller")
    clients.kubectl("scale", *deployment, "--replicas=0")
    try:
        selected = ("pod", "-l", "sympozium.ai/component=controller", "--timeout=60s")
        clients.kubectl("-n", SYSTEM_NAMESPACE, "wait", "--for=delete", *selected)
        yield
    finally:
        clients.kubectl("scale", *deployment, f"--replicas={found['spec']['replicas']}")
        clients.kubectl("rollout", "status", *deployment, "--timeout=120s")
