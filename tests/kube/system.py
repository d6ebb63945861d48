"""The chart on a real cluster, as scenarios see it."""

import base64
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sympozium.contract.resources import Object
from sympozium.kube.endpoint import Endpoint
from tests.kube.cluster import NODE_ADDRESS, Clients, KubeCluster
from tests.kube.relay import exposed
from tests.kube.release import SYSTEM_NAMESPACE, TENANT, Release

SYMPOZIUM = Path(sys.executable).with_name("sympozium")
STATE = Path("/var/lib/sympozium-kube")
"""Where a cluster keeps its state; its README names it."""

LOCAL = re.compile(r"127\.0\.0\.1:(\d+)")
"""What listens on the loopback of this machine, and its port."""

WEB_PORT = 8400
ADMINISTRATOR = "sympozium-test-administrator"
CONTAINERS = {"nats-server": "nats"}
"""Names of containers that differ from what the program is called on one machine."""

COMPONENTS = {"apiserver": "apiserver", "node": "kubelet"}
"""What is a component of the cluster here, and a program of ours on one machine."""


@dataclass(frozen=True)
class RealSystem:
    """An installed release; keeps the promises of `System`."""

    cluster: KubeCluster
    release: Release
    folder: Path
    model_url: str
    more_environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def clients(self) -> Clients:
        """How to talk to the cluster."""
        return self.release.clients

    @property
    def url(self) -> str:
        """The Service of the web channel."""
        return f"http://{self._service(TENANT, 'sympozium-channel-web')}:{WEB_PORT}"

    @property
    def headers(self) -> dict[str, str]:
        """A name that the channel knows itself by, and the token that the chart made."""
        asked = ("-n", TENANT, "secret", "assistant-web-token")
        token = base64.b64decode(self.clients.get(*asked)["data"]["token"]).decode()
        return {"Host": f"127.0.0.1:{WEB_PORT}", "Authorization": f"Bearer {token}"}

    @property
    def bus_url(self) -> str:
        """The Service of the bus."""
        return f"nats://{self._service(SYSTEM_NAMESPACE, 'sympozium-nats')}:4222"

    @property
    def crowd(self) -> int:
        """A node of two cores starts about one pod in a second."""
        return 10

    @property
    def state(self) -> Path:
        """The cluster's, with its database and volumes."""
        return STATE / self.cluster.name

    def endpoint(self) -> Endpoint:
        """The API server, as an account that may do everything."""
        token_file = self.folder / "administrator"
        if not token_file.exists():
            self._make_administrator()
            asked = ("-n", "kube-system", "create", "token", ADMINISTRATOR, "--duration=12h")
            token_file.write_text(self.clients.kubectl(*asked))
            token_file.chmod(0o600)
        config = self.clients.kubectl("config", "view", "--raw", "--minify", "-o", "json")
        (authority,) = re.findall(r'"certificate-authority-data": "(.*?)"', config)
        (url,) = re.findall(r'"server": "(.*?)"', config)
        ca_file = self.folder / "ca.crt"
        ca_file.write_bytes(base64.b64decode(authority))
        return Endpoint(url, ca_file, token_file)

    def sympozium(
        self, *arguments: str, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line as a person would whose kubeconfig names the cluster."""
        environ = {"SYMPOZIUM_HOME": str(self.folder / "no-system-here"), **self.more_environ}
        return subprocess.run(
            [str(SYMPOZIUM), *arguments],
            env=self.clients.environ | environ,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def kubectl(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator."""
        return self.clients.run_kubectl(*arguments, text=text)

    @property
    def clients_environ(self) -> dict[str, str]:
        """Variables with which `kubectl`, found on their PATH, is the administrator's."""
        return self.clients.environ

    @contextmanager
    def told(self, environ: Mapping[str, str]) -> Iterator["RealSystem"]:
        """Yield this system with more variables, whose addresses pods reach."""
        ports = {int(port) for text in environ.values() for port in LOCAL.findall(text)}
        known = {name: self.seen_by_pods(text) for name, text in environ.items()}
        with ExitStack() as relays:
            for port in ports:
                relays.enter_context(exposed(port))
            yield replace(self, more_environ={**self.more_environ, **known})

    def seen_by_pods(self, url: str) -> str:
        """Return an address of this machine as one of its node."""
        return LOCAL.sub(rf"{NODE_ADDRESS}:\1", url)

    def kill(self, program: str) -> None:
        """End a component of the cluster, or every container of that name, by SIGKILL."""
        if component := COMPONENTS.get(program):
            self.cluster.kill(component)
            self.cluster.start(component)
            return
        running = self._running(CONTAINERS.get(program, program))
        assert running, f"no container {program} is running"
        for container_id in running:
            self.kill_container(container_id)

    def kill_container(self, container_id: str) -> None:
        """End one container by SIGKILL, unless it has ended by itself."""
        _signal(processes_of(container_id), signal.SIGKILL)

    @contextmanager
    def stopped(self, container_id: str) -> Iterator[None]:
        """Keep the processes of a container stopped while the block lasts."""
        pids = processes_of(container_id)
        _signal(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(pids, signal.SIGCONT)

    def volume(self, pod: Object, name: str) -> Path:
        """Return the folder of a pod's volume, whatever its kind."""
        uid: str = pod["metadata"]["uid"]
        (folder,) = (self.state / "kubelet/pods" / uid / "volumes").glob(f"*/{name}")
        return folder

    def logs(self) -> dict[str, bytes]:
        """Return what the containers of all pods of ours have logged."""
        logs = {}
        for pod in self._pods():
            name = (pod["metadata"]["namespace"], pod["metadata"]["name"])
            asked = ("logs", "-n", *name, "--all-containers", "--prefix")
            logs["/".join(name)] = self.clients.run_kubectl(*asked).stdout.encode()
        return logs

    def memory(self) -> dict[str, int]:
        """Return what the processes of each program have resident."""
        return {
            f"{pod['metadata']['name']}/{status['name']}": sum(
                map(_resident_bytes, processes_of(status["containerID"]))
            )
            for pod in self._pods()
            if pod["metadata"]["labels"].get("sympozium.ai/component") != "run"
            for status in pod["status"].get("containerStatuses", [])
            if "running" in status["state"]
        }

    def _service(self, namespace: str, name: str) -> str:
        address: str = self.clients.get("-n", namespace, "service", name)["spec"]["clusterIP"]
        if address == "None":
            pods = self.clients.get("-n", namespace, "endpoints", name)["subsets"]
            address = pods[0]["addresses"][0]["ip"]
        return address

    def _make_administrator(self) -> None:
        account = ("-n", "kube-system", "serviceaccount", ADMINISTRATOR)
        if self.clients.run_kubectl("get", *account).returncode:
            self.clients.kubectl("create", *account)
            self.clients.kubectl(
                *("create", "clusterrolebinding", ADMINISTRATOR, "--clusterrole=cluster-admin"),
                f"--serviceaccount=kube-system:{ADMINISTRATOR}",
            )

    def _pods(self) -> list[Object]:
        found: list[Object] = self.clients.get(
            "pods", "-A", "-l", "app.kubernetes.io/part-of=sympozium"
        )["items"]
        return found

    def _running(self, container: str) -> list[str]:
        return [
            status["containerID"]
            for pod in self._pods()
            for key in ("containerStatuses", "initContainerStatuses")
            for status in pod["status"].get(key, [])
            if status["name"] == container and "running" in status["state"]
        ]


def processes_of(container_id: str) -> list[int]:
    """Return the processes of a container of this machine; none where it has ended."""
    name = container_id.rpartition("/")[2]
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if name in (folder / "cgroup").read_text():
                    found.append(int(folder.name))
            except OSError:  # it has ended meanwhile
                continue
    return found


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _resident_bytes(pid: int) -> int:
    try:
        (kib,) = re.findall(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    except (OSError, ValueError):
        return 0
    return int(kib) * 1024
