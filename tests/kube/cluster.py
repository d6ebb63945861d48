"""A real Kubernetes cluster for tests: started, looked into, and hurt.

The cluster is that of `../shared/kube/cluster` (SYMPOZIUM_TEST_CLUSTER names another place of
that program). Its pods and Services have addresses in a network namespace of its own, so tests
run in there; `tests/kube/run.py` puts them in.
"""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sympozium_images.builders import CLUSTER

NODE_ADDRESS = "10.77.0.1"
"""Where pods reach what a test has listen on all addresses of the namespace, or on this one."""

OUTSIDE = "SYMPOZIUM_TEST_OUTSIDE"
"""The variable in which tests/kube/run.py says which process is in the machine's network."""

COMMAND_TIMEOUT_S = 120.0
UP_TIMEOUT_S = 1800.0
"""The first `up` on a machine builds Kubernetes."""


class ClusterError(Exception):
    """What was asked of the cluster was not done; its own words are in it."""


@dataclass(frozen=True)
class KubeCluster:
    """One cluster, by its name."""

    name: str

    def tool(self, command: str, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Run a command of the cluster's own program and return what it printed.

        It asks the API server at the machine's loopback, so it runs in the machine's network.
        """
        words = [str(CLUSTER), command, "--name", self.name, *arguments]
        return checked(outside(words), timeout_s)

    def up(self) -> bool:
        """Start it unless it is up; return whether it had to be started."""
        if self.is_up():
            return False
        self.tool("up", timeout_s=UP_TIMEOUT_S)
        return True

    def is_up(self) -> bool:
        """Return whether the cluster is there and all of it lives."""
        done = subprocess.run(
            [str(CLUSTER), "status", "--name", self.name],
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        return done.returncode == 0

    def down(self) -> None:
        """End it, and remove all of it."""
        self.tool("down")

    def load(self, image: str) -> None:
        """Give it an image that was built."""
        self.tool("load", image, timeout_s=300)

    def kill(self, component: str) -> None:
        """End a component, such as `apiserver`, by SIGKILL."""
        self.tool("kill", component)

    def start(self, component: str) -> None:
        """Start a component again and wait until it serves."""
        self.tool("start", component)

    @contextmanager
    def paused(self, component: str) -> Iterator[None]:
        """Keep a component stopped (SIGSTOP) while the block lasts."""
        self.tool("pause", component)
        try:
            yield
        finally:
            self.tool("resume", component)

    @cached_property
    def kubeconfig(self) -> str:
        """The administrator's kubeconfig, as it is right where this runs."""
        text = self.tool("kubeconfig")
        if not is_inside():
            return text
        config = json.loads(self._kubectl_outside("config", "view", "--raw", "-o", "json"))
        config["clusters"][0]["cluster"]["server"] = f"https://{NODE_ADDRESS}:6443"
        return json.dumps(config)

    def _kubectl_outside(self, *arguments: str) -> str:
        return self.tool("kubectl", *arguments)

    @cached_property
    def clients(self) -> Path:
        """The folder of kubectl and helm in the cluster's version."""
        for line in self.tool("env").splitlines():
            if line.startswith("export PATH="):
                return Path(line.removeprefix('export PATH="').partition(":")[0])
        raise ClusterError(f"cannot find kubectl: 'cluster env --name {self.name}' names no PATH")


@dataclass(frozen=True)
class Clients:
    """kubectl and helm for one cluster, as its administrator."""

    folder: Path
    kubeconfig: Path

    @property
    def environ(self) -> dict[str, str]:
        """Variables under which kubectl, helm and sympozium use the cluster."""
        path = f"{self.folder}:{os.environ['PATH']}"
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": path}

    def run_kubectl(
        self, *arguments: str, text: str = "", timeout_s: float = COMMAND_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl and return how it ended."""
        return subprocess.run(
            [str(self.folder / "kubectl"), *arguments],
            env=self.environ,
            input=text,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def kubectl(self, *arguments: str, text: str = "", timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Run kubectl, which must succeed, and return what it printed."""
        done = self.run_kubectl(*arguments, text=text, timeout_s=timeout_s)
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return what `kubectl get ARGUMENTS` finds, as an object."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def apply(self, manifest: str) -> None:
        """Apply a manifest."""
        self.kubectl("apply", "-f", "-", text=manifest)

    def helm(self, *arguments: str, timeout_s: float = 300.0) -> str:
        """Run helm, which must succeed, and return what it printed."""
        return checked([str(self.folder / "helm"), *arguments], timeout_s, self.environ)


def outside(words: list[str]) -> list[str]:
    """Return a command so that it runs in the machine's network, whichever this is in."""
    if is_inside() and (process := os.environ.get(OUTSIDE)):
        return ["nsenter", f"--net=/proc/{process}/ns/net", *words]
    return words


def is_inside() -> bool:
    """Return whether this process is in a cluster's network, where pods have addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((NODE_ADDRESS, 0))
        except OSError:
            return False
    return True


def checked(command: list[str], timeout_s: float, environ: dict[str, str] | None = None) -> str:
    """Run a command, which must succeed, and return what it printed."""
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-3000:]
        raise ClusterError(f"{' '.join(command[:4])}: {said}")
    return done.stdout
