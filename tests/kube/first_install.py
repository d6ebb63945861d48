"""From nothing to an answer and back to nothing, as a person would do it, with its times.

    python -m tests.kube.first_install [--name first] [--keep] [--as-built]

A cluster, the images, the chart, a message through the web channel, its run, helm test, an
upgrade with a changed image, a rollback, the uninstallation, and a listing that is empty.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sympozium_controller.setup.asking import Question, answer_to
from sympozium_images.builders import CLUSTER, CannotBuildError, choose
from sympozium_images.programs import PROGRAMS, SERVERS
from tests.kube.cluster import NODE_ADDRESS, Clients, ClusterError, KubeCluster
from tests.kube.images import NEEDED, REGISTRY, TAG, provide
from tests.kube.images import values as image_values
from tests.kube.release import CHART, SYSTEM_NAMESPACE

TENANT = "sympozium-example"
OURS = "app.kubernetes.io/part-of=sympozium"
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.2
KEPT = {"CustomResourceDefinition", "PersistentVolumeClaim"}
NOT_OBJECTS = ("events", "componentstatuses", "endpoints")


class NotAsPromisedError(Exception):
    """What was seen is not what the chart promises."""


@dataclass
class Walk:
    """The steps that were done, and how long each took."""

    clients: Clients
    folder: Path
    model_port: int
    took: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Do one step, and say how long it took."""
        begun = time.monotonic()
        yield
        took_s = time.monotonic() - begun
        self.took.append((name, took_s))
        say(f"{took_s:7.1f} s  {name}")

    def helm(self, *arguments: str) -> str:
        """Run helm on the release."""
        verb, *rest = arguments
        return self.clients.helm(verb, "sympozium", *rest, "-n", SYSTEM_NAMESPACE)

    def install(self, **more: object) -> None:
        """Install the chart, or upgrade it, with the values of this walk and *more*."""
        file = self.folder / "values.json"
        file.write_text(json.dumps(values(self.model_port, **more)))
        self.helm(
            *("upgrade", str(CHART), "--install", "--create-namespace"),
            *("-f", str(file), "--wait", "--timeout", "4m"),
        )

    def ask(self, text: str) -> str:
        """Send a message through the web channel, by a port-forward, and return the answer."""
        encoded = self.clients.kubectl(
            *("-n", TENANT, "get", "secret", "assistant-web-token"),
            *("-o", "go-template={{.data.token | base64decode}}"),
        )
        with forwarded(self.clients, "svc/sympozium-channel-web", 8400) as port:
            question = Question(f"http://127.0.0.1:{port}", text, encoded.strip())
            return asyncio.run(answer_to(question))

    def wait_for_channel(self) -> None:
        """Return when the web channel takes requests."""
        scope = ("-n", TENANT)
        for what in ("deployment/channel-web", "service/sympozium-channel-web"):
            self.clients.kubectl(*scope, "wait", "--for=create", what, "--timeout=60s")
        self.clients.kubectl(
            *scope, "rollout", "status", "deployment/channel-web", "--timeout=120s"
        )

    def phases(self) -> set[str]:
        """Return the phases of all runs."""
        runs = self.clients.get("-n", TENANT, "agentruns")["items"]
        return {run["status"]["phase"] for run in runs}

    def left(self) -> list[tuple[str, str, str]]:
        """Return the kind, namespace and name of everything that bears our label."""
        listed = self.clients.kubectl("api-resources", "--verbs=list", "-o", "name").split()
        kinds = [kind for kind in listed if not kind.startswith(NOT_OBJECTS)]
        everywhere = (",".join(kinds), "-A", "-l", OURS, "--ignore-not-found", "-o", "json")
        found = json.loads(self.clients.kubectl("get", *everywhere) or "{}")  # nothing: no text
        return sorted(
            (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
            for one in found.get("items", [])
        )


def values(model_port: int, **more: object) -> dict[str, object]:
    """Return the chart's values: the images of this checkout, and a model on the node."""
    to_model = {
        "to": [{"ipBlock": {"cidr": f"{NODE_ADDRESS}/32"}}],
        "ports": [{"protocol": "TCP", "port": model_port}],
    }
    model = {"name": "demo", "baseURL": f"http://{NODE_ADDRESS}:{model_port}/v1"}
    wanted: dict[str, object] = {
        **image_values(),
        "runs": {"egress": [to_model]},
        "example": {"model": model},
    }
    for name, value in more.items():
        held = wanted.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            held.update(value)
        else:
            wanted[name] = value
    return wanted


def walk(cluster: KubeCluster, folder: Path, *, as_built: bool) -> Walk:
    """Do every step; the cluster is down when it begins.

    With *as_built* images are not built anew.

    Raises:
        NotAsPromisedError: Something was not as it should be.
    """
    kubeconfig = folder / "kubeconfig"
    with ExitStack() as stack:
        port = stack.enter_context(demonstration_model())
        first = Walk(Clients(Path(), kubeconfig), folder, port)
        with first.step("cluster up"):
            cluster.up()
        kubeconfig.write_text(cluster.kubeconfig)
        kubeconfig.chmod(0o600)
        there = Walk(Clients(cluster.clients, kubeconfig), folder, port, first.took)
        cluster.tool("expose", str(port))
        if as_built:
            with there.step("images loaded, as they were built last"):
                load_as_built(cluster)
        else:
            with there.step("images built and loaded"):
                provide(cluster, there.clients)
        changed = changed_images(cluster, folder)
        first_answer(there)
        try_and_change(there, changed)
        take_away(there)
        return there


def first_answer(there: Walk) -> None:
    """Install, ask, and look at the run."""
    with there.step("helm install: all of it ready"):
        there.install()
    with there.step("the web channel takes requests"):
        there.wait_for_channel()
    with there.step("a message and its answer"):
        answer = there.ask("Are you there?")
    say(f"           answered: {answer.splitlines()[0]}")
    expect(there.phases(), {"Succeeded"}, "the phases of the AgentRuns")


def try_and_change(there: Walk, changed: dict[str, object]) -> None:
    """Test, compare, upgrade with a changed image and roll back; it answers each time."""
    with there.step("helm test"):
        there.helm("test", "--timeout", "3m")
    with there.step("kubectl diff: empty"):
        rendered = there.clients.helm("get", "manifest", "sympozium", "-n", SYSTEM_NAMESPACE)
        said = there.clients.run_kubectl("diff", "-f", "-", text=rendered)
        expect((said.returncode, said.stdout + said.stderr), (0, ""), "kubectl diff")
    with there.step("helm upgrade with changed images"):
        there.install(images=changed)
    there.wait_for_channel()
    there.ask("And after the upgrade?")
    with there.step("helm rollback"):
        there.helm("rollback", "--wait", "--timeout", "4m")
    there.wait_for_channel()
    there.ask("And after the rollback?")
    expect(there.phases(), {"Succeeded"}, "the phases of the AgentRuns")


def take_away(there: Walk) -> None:
    """Uninstall, and look what is left: what is kept on purpose, and then nothing."""
    with there.step("helm uninstall"):
        there.helm("uninstall", "--wait", "--timeout", "5m")
    deadline = time.monotonic() + PATIENCE_S
    while not {kind for kind, _, _ in there.left()} <= KEPT and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    expect({kind for kind, _, _ in there.left()}, KEPT, "what an uninstallation keeps")
    with there.step("CRDs and volumes, on request"):
        there.clients.kubectl("delete", "crd", "-l", OURS)
        there.clients.kubectl("delete", "pvc", "-A", "-l", OURS)
    expect(there.left(), [], "what is left by its label")
    in_system = there.clients.get("-n", SYSTEM_NAMESPACE, "leases,configmaps,secrets,jobs,pods")
    names = {one["metadata"]["name"] for one in in_system["items"]}
    expect(names, {"kube-root-ca.crt"}, f"what is left in {SYSTEM_NAMESPACE}")


def load_as_built(cluster: KubeCluster) -> None:
    """Give the cluster the images that were built last, whatever the sources are now."""
    for image in (*PROGRAMS, *SERVERS):
        if image.name.rpartition("/")[2] in NEEDED:
            cluster.load(f"{REGISTRY}/{image.name}:{TAG}")


def changed_images(cluster: KubeCluster, folder: Path) -> dict[str, object]:
    """Make another revision of controller and router; return the values that use them."""
    builder = choose("cluster")
    wanted: dict[str, object] = {}
    for program in ("controller", "router"):
        dockerfile = folder / f"{program}.Dockerfile"
        dockerfile.write_text(
            f"FROM {REGISTRY}/sympozium/{program}:{TAG}\n"
            "LABEL org.opencontainers.image.revision=next\n"
        )
        name = f"sympozium/{program}-next"
        builder.build_image(f"{REGISTRY}/{name}:{TAG}", dockerfile, {})
        cluster.load(f"{REGISTRY}/{name}:{TAG}")
        wanted[program] = {"repository": name, "digest": ""}
    return wanted


@contextmanager
def demonstration_model() -> Iterator[int]:
    """Run the model that follows fixed rules; yield its port on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "sympozium_local.demo_model", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.terminate()


@contextmanager
def forwarded(clients: Clients, target: str, port: int) -> Iterator[int]:
    """Have a port of the machine lead to one in the cluster; yield it."""
    command = [str(clients.folder / "kubectl"), "-n", TENANT, "port-forward", target, f":{port}"]
    with subprocess.Popen(
        command, env=clients.environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield int(line.partition("127.0.0.1:")[2].split()[0])
        finally:
            process.terminate()


def expect(seen: object, wanted: object, what: str) -> None:
    """Raise unless *seen* is what is *wanted*."""
    if seen != wanted:
        raise NotAsPromisedError(f"{what}: {seen!r} instead of {wanted!r}")


def say(text: str) -> None:
    """Write one line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Return 0 where all was as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.kube.first_install")
    parser.add_argument("--name", default="first", help="the cluster; one that is there goes")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up")
    parser.add_argument("--as-built", action="store_true", help="load images as built last")
    told = parser.parse_args()
    if not CLUSTER.exists():
        say(f"cannot install: no {CLUSTER}; SYMPOZIUM_TEST_CLUSTER may name another")
        return 1
    cluster = KubeCluster(told.name)
    cluster.down()
    try:
        with tempfile.TemporaryDirectory() as folder:
            done = walk(cluster, Path(folder), as_built=told.as_built)
    except (ClusterError, CannotBuildError, NotAsPromisedError) as error:
        say(f"not as promised: {error}")
        return 1
    finally:
        if not told.keep:
            cluster.down()
    say(f"{sum(took_s for _, took_s in done.took):7.1f} s  in all; nothing is left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
