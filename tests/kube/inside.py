"""Pods of a real cluster, runs at work among them, seen from inside their containers."""

import json
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from typing import Any

from sympozium.contract.resources import Object
from tests.kube.cluster import NODE_ADDRESS, Clients, ClusterError

WAIT_S = 60.0
LONG_ANSWER = " ".join(["still"] * 600)
BUS_TOKEN = "/var/run/secrets/sympozium/bus/token"
API_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"

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

ASK = """
import json, os, ssl, sys, urllib.error, urllib.request
root, token, attempts = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
if not root:
    root = "https://" + os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
if token.startswith("/"):
    token = open(token).read().strip()
unverified = ssl._create_unverified_context()  # who attacks asks for no certificate
def answer(method, path, body, headers):
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(root + path, method=method, data=data)
    request.add_header("Content-Type", kind)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    for name, value in headers.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, context=unverified, timeout=30) as response:
            code, said = response.status, response.read()
    except urllib.error.HTTPError as error:
        code, said = error.code, error.read()
    except OSError as error:
        code, said = 0, type(error).__name__.encode()
    try:
        return {"code": code, "body": json.loads(said)}
    except ValueError:
        return {"code": code, "body": {"message": said.decode(errors="replace")}}
print(json.dumps([answer(**attempt) for attempt in attempts]))
"""


@dataclass(frozen=True)
class Attempt:
    """One HTTP request."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came of an attempt; code 0: nobody was reached."""

    code: int
    body: Object

    @property
    def message(self) -> str:
        """What the server said for itself."""
        return str(self.body.get("message", ""))


@dataclass(frozen=True)
class Pod:
    """A pod whose containers have the Python of one of our images."""

    clients: Clients
    namespace: str
    pod: str

    def python(self, container: str, code: str, *arguments: str, timeout_s: float = 60.0) -> Any:
        """Run *code* in a container and return what it printed, as JSON."""
        return json.loads(self.raw(container, code, *arguments, timeout_s=timeout_s))

    def raw(self, container: str, code: str, *arguments: str, timeout_s: float = 60.0) -> str:
        """Run *code* in a container and return what it printed.

        Raises:
            ClusterError: It did not end well.
        """
        return self.clients.kubectl(
            *("exec", *self._where(container), "python", "-c", code, *arguments),
            timeout_s=timeout_s,
        )

    def command(self, container: str, code: str, *arguments: str) -> list[str]:
        """Return the command that runs *code* in a container and passes its input on."""
        kubectl = str(self.clients.folder / "kubectl")
        return [kubectl, "exec", "-i", *self._where(container), "python", "-c", code, *arguments]

    def _where(self, container: str) -> tuple[str, ...]:
        return ("-n", self.namespace, self.pod, "-c", container, "--")

    def token(self, container: str, path: str) -> str:
        """Steal a token that is mounted into a container."""
        return self.raw(container, f"print(open({path!r}).read(), end='')").strip()

    def on_bus(self, container: str, bus: tuple[str, str], token: str, *commands: str) -> Any:
        """Speak the bus's protocol from inside a container."""
        return self.python(container, TALK_TO_BUS, *bus, token, *commands)

    def ask(self, container: str, token: str, *attempts: Attempt, root: str = "") -> list[Answer]:
        """Make HTTP requests from inside a container; return what came of each.

        *token* is what is presented, or the path of its file in the container; "": nothing.
        *root* is that of a server, as in `http://host:port`; "": the API server.
        """
        given = json.dumps([asdict(attempt) for attempt in attempts])
        found = self.python(container, ASK, root, token, given)
        return [Answer(one["code"], one["body"]) for one in found]


@dataclass(frozen=True)
class LiveRun(Pod):
    """A run with a pod whose containers all run."""

    name: str
    uid: str

    def bus_token(self) -> str:
        """Steal the token of the bridge."""
        return self.token("ipc-bridge", BUS_TOKEN)

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


def status_at_end(clients: Clients, namespace: str, name: str) -> Object:
    """Return the status of a run once it has ended."""

    def has_ended() -> bool:
        return "finishedAt" in status_of(clients, namespace, name)

    wait_until(has_ended, timeout_s=2 * WAIT_S)
    return status_of(clients, namespace, name)


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


def admit(clients: Clients, wanted: str) -> None:
    """Create a run, in a namespace that perhaps became a tenant just now, as not all know yet."""

    def is_admitted() -> bool:
        return clients.run_kubectl("apply", "-f", "-", text=wanted).returncode == 0

    wait_until(is_admitted)


def start(clients: Clients, namespace: str, name: str, agent_name: str) -> LiveRun:
    """Start a run and return it once all of its containers run."""
    admit(clients, run(namespace, name, agent_name))
    return at_work(clients, namespace, name)


def at_work(clients: Clients, namespace: str, name: str) -> LiveRun:
    """Return a run once all of its containers run."""
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
    return LiveRun(clients, namespace, pod, name, uid)


def have_the_model_take_its_time(model_port: int, *before: Object) -> None:
    """Have every answer last for ten minutes, a word a second, but where *before* matches."""
    behaviours = json.dumps([*before, {"answer": LONG_ANSWER, "delay_s": 1.0}]).encode()
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
