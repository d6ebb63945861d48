"""A run that is at work on a real cluster, seen from inside its containers."""

import json
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

from sympozium.contract.resources import Object
from tests.kube.cluster import NODE_ADDRESS, Clients, ClusterError

WAIT_S = 60.0
LONG_ANSWER = " ".join(["still"] * 600)

TALK_TO_BUS = """
import json, socket, sys
host, port, token, *commands = sys.argv[1:]
try:
    bus = socket.create_connection((host, int(port)), timeout=5)
except OSError as error:
    print(json.dumps({"is_reached": False, "said": [type(error).__name__]}))
    raise SystemExit
options = {"verbose": False, "pedantic": False, "lang": "python", "version": "1", "protocol": 1}
if token:
    options["auth_token"] = token
lines, file = [], bus.makefile("rb")
try:
    lines.append(file.readline().decode()[:4])
    # In one piece: a server that closes after the first must not lose its words to the next.
    opening = f"CONNECT {json.dumps(options)}\\r\\nPING\\r\\n"
    bus.sendall("".join([opening, *commands, "PING\\r\\n"]).encode())
    pongs = 0
    while pongs < 2:
        line = file.readline().decode().strip()
        if not line:
            break
        pongs += line == "PONG"
        if line == "PING":
            bus.sendall(b"PONG\\r\\n")
        lines.append(line)
except OSError as error:
    lines.append(type(error).__name__)
print(json.dumps({"is_reached": True, "said": lines}))
"""

REACH = """
import concurrent.futures, json, socket, sys
def is_reached(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        return True
    except ConnectionRefusedError:
        return True  # somebody said no: so the packets got there
    except OSError:
        return False
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    answers = list(pool.map(is_reached, sys.argv[1:]))
print(json.dumps([one for one, answer in zip(sys.argv[1:], answers) if answer]))
"""

LOOK = """
import json, os, pathlib, sys
found = {"environ": dict(os.environ), "readable": []}
for path in sys.argv[1:]:
    try:
        entry = pathlib.Path(path)
        list(entry.iterdir()) if entry.is_dir() else entry.read_bytes()
        found["readable"].append(path)
    except OSError:
        pass
print(json.dumps(found))
"""

ASK_API = """
import json, os, ssl, sys, urllib.error, urllib.request
method, path, token_file, ca_file, body = sys.argv[1:]
request = urllib.request.Request(
    "https://" + os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc") + path,
    method=method, data=body.encode() or None, headers={"Content-Type": "application/json"})
if token_file:
    request.add_header("Authorization", "Bearer " + open(token_file).read().strip())
context = ssl.create_default_context(cafile=ca_file)
try:
    with urllib.request.urlopen(request, context=context, timeout=5) as answer:
        print(json.dumps({"code": answer.status, "body": json.loads(answer.read())}))
except urllib.error.HTTPError as error:
    print(json.dumps({"code": error.code, "body": json.loads(error.read())}))
except OSError as error:
    print(json.dumps({"code": 0, "body": {"message": type(error).__name__}}))
"""


@dataclass(frozen=True)
class LiveRun:
    """A run with a pod whose containers all run."""

    clients: Clients
    namespace: str
    name: str
    uid: str
    pod: str

    def python(self, container: str, code: str, *arguments: str, timeout_s: float = 60.0) -> Any:
        """Run *code* in a container and return what it printed, as JSON."""
        return json.loads(self.raw(container, code, *arguments, timeout_s=timeout_s))

    def raw(self, container: str, code: str, *arguments: str, timeout_s: float = 60.0) -> str:
        """Run *code* in a container and return what it printed.

        Raises:
            ClusterError: It did not end well.
        """
        where = ("-n", self.namespace, self.pod, "-c", container, "--")
        return self.clients.kubectl(
            "exec", *where, "python", "-c", code, *arguments, timeout_s=timeout_s
        )

    def bus_token(self) -> str:
        """Steal the token of the bridge."""
        path = "/var/run/secrets/sympozium/bus/token"
        return self.raw("ipc-bridge", f"print(open({path!r}).read(), end='')").strip()

    def on_bus(self, container: str, bus: tuple[str, str], token: str, *commands: str) -> Any:
        """Speak the bus's protocol from inside a container."""
        return self.python(container, TALK_TO_BUS, *bus, token, *commands)

    def status(self) -> Object:
        """Return the run's status."""
        return status_of(self.clients, self.namespace, self.name)

    def end(self) -> None:
        """Cancel the run and return when it has ended."""
        patch = ("--type=merge", "-p", '{"spec": {"cancel": true}}')
        self.clients.kubectl("-n", self.namespace, "patch", "agentrun", self.name, *patch)
        wait_until(lambda: self.status().get("phase") in {"Cancelled", "Failed", "Succeeded"})


def status_of(clients: Clients, namespace: str, name: str) -> Object:
    """Return the status of a run."""
    found: Object = clients.get("-n", namespace, "agentrun", name).get("status") or {}
    return found


def agent(namespace: str, name: str, model_port: int, *, skills: tuple[str, ...] = ()) -> str:
    """Describe an Agent whose model is the test's."""
    model = {"model": "demo", "baseURL": f"http://{NODE_ADDRESS}:{model_port}/v1", "timeout": "30m"}
    return json.dumps(
        {
            "apiVersion": "sympozium.ai/v1alpha1",
            "kind": "Agent",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "agents": {"default": model},
                "skills": [{"skillPackRef": skill} for skill in skills],
            },
        }
    )


def run(namespace: str, name: str, agent_name: str, **spec: object) -> str:
    """Describe a run that a person starts."""
    return json.dumps(
        {
            "apiVersion": "sympozium.ai/v1alpha1",
            "kind": "AgentRun",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"agentRef": agent_name, "task": "take your time", **spec},
        }
    )


def start(clients: Clients, namespace: str, name: str, agent_name: str) -> LiveRun:
    """Start a run and return it once all of its containers run."""
    wanted = run(namespace, name, agent_name)

    def is_admitted() -> bool:  # a namespace that became a tenant just now is not known to all yet
        return clients.run_kubectl("apply", "-f", "-", text=wanted).returncode == 0

    wait_until(is_admitted)
    selected = ("-n", namespace, "pods", "-l", f"sympozium.ai/run={name}")

    def is_running() -> bool:
        pods = clients.get(*selected)["items"]
        return bool(pods) and all(
            "running" in status["state"]
            for key in ("initContainerStatuses", "containerStatuses")
            for status in pods[0]["status"].get(key) or [{"state": {}}]
        )

    wait_until(is_running)
    pod = clients.get(*selected)["items"][0]["metadata"]["name"]
    uid = clients.get("-n", namespace, "agentrun", name)["metadata"]["uid"]
    return LiveRun(clients, namespace, name, uid, pod)


def have_the_model_take_its_time(model_port: int) -> None:
    """Have every answer last for ten minutes, a word a second."""
    behaviours = json.dumps([{"answer": LONG_ANSWER, "delay_s": 1.0}]).encode()
    url = f"http://127.0.0.1:{model_port}/script"
    request = urllib.request.Request(url, data=behaviours)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
        assert answer.status == 200


def wait_until(holds: Any, *, timeout_s: float = WAIT_S) -> None:
    """Return when *holds* does.

    Raises:
        ClusterError: It does not in time.
    """
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise ClusterError(
                f"cannot go on: {holds.__name__} does not hold after {timeout_s:g} s"
            )
        time.sleep(0.3)
