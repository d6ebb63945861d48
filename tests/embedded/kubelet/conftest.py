"""A node of its own for each test: the real API server, the real kubelet, real processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.resources import EVENTS, PODS, Object
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.informer import Informer, Key
from sympozium_local.apiserver.server import serve
from sympozium_local.kubelet.kubelet import KubeletSettings, run_kubelet
from sympozium_local.kubelet.sandbox.check import sandbox_problem

NAMESPACE = "default"


@dataclass
class RunningNode:
    """What tests need of a running API server and its kubelet."""

    kube: Kube
    pods: Informer
    settings: KubeletSettings
    api_port: int
    _changed: asyncio.Condition

    async def create(self, pod: Object) -> Object:
        """Create a pod."""
        return await self.kube.create(PODS, pod)

    async def wait_for(self, name: str, holds: Callable[[Object], bool]) -> Object:
        """Return the pod as soon as *holds* is true of it."""
        async with self._changed:
            while True:
                pod = self.pods.get(NAMESPACE, name)
                if pod is not None and holds(pod):
                    return pod
                await self._changed.wait()

    async def wait_gone(self, name: str) -> None:
        """Return as soon as there is no such pod."""
        async with self._changed:
            while self.pods.get(NAMESPACE, name) is not None:
                await self._changed.wait()

    async def run(self, pod: Object) -> tuple[Object, dict[str, str]]:
        """Create a pod and wait for its end; return it and what each container printed."""
        await self.create(pod)
        done = await self.wait_for(pod["metadata"]["name"], has_ended)
        specs = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
        return done, {c["name"]: self.log(done, c["name"]) for c in specs}

    async def wait_for_line(self, name: str, line: str) -> None:
        """Return as soon as container `a` of a pod has printed *line*.

        That it runs says less: its code may not have come to anything yet.
        """
        pod = await self.wait_for(name, lambda _: True)
        while line not in self.log(pod, "a").splitlines():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)

    async def wait_for_warning(self, name: str, text: str) -> None:
        """Return as soon as an event about a pod says *text*."""
        while True:
            for event in (await self.kube.list(EVENTS, NAMESPACE)).items:
                if event["involvedObject"]["name"] == name and text in event["message"]:
                    return
            await asyncio.sleep(0.02)

    def touch(self, pod: Object, volume: str, name: str) -> None:
        """Make a file in a volume of a running pod."""
        pods = self.settings.data_dir / "pods"
        (pods / pod["metadata"]["uid"] / "volumes" / volume / name).touch()

    def log(self, pod: Object, container: str, execution: int = 0) -> str:
        """Return what a container printed."""
        folder = self.settings.data_dir / "pods" / pod["metadata"]["uid"] / container
        path = folder / f"{execution}.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return "\n".join(line.split(" ", 2)[2] for line in lines)


def has_ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


@pytest.fixture(autouse=True)
def needs_namespaces() -> None:
    """Skip where containers cannot be kept apart."""
    if problem := sandbox_problem():
        pytest.skip(f"this machine cannot run containers: {problem}")


@pytest.fixture
def host_paths() -> tuple[Path, ...]:
    """Folders of the machine that pods may mount."""
    return ()


@asynccontextmanager
async def running_kubelet(settings: KubeletSettings) -> AsyncIterator[None]:
    stop, ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_kubelet(settings, stop, on_ready=lambda _: ready.set()))
        await ready.wait()
        try:
            yield
        finally:
            stop.set()


async def _wake(changed: asyncio.Condition) -> None:
    async with changed:
        changed.notify_all()


@pytest.fixture
async def kubeless(tmp_path: Path, host_paths: tuple[Path, ...]) -> AsyncIterator[RunningNode]:
    """The API server without a kubelet."""
    api_dir = tmp_path / "api"
    async with serve(api_dir) as served:
        endpoint = Endpoint(served.url, served.ca_file, served.token_file)
        settings = KubeletSettings(
            endpoint=endpoint,
            data_dir=tmp_path / "node",
            log_socket=api_dir / "kubelet.sock",
            allowed_host_paths=host_paths,
            drain_s=1.0,
            preloaded=(),
        )
        stop, changed = asyncio.Event(), asyncio.Condition()
        async with connect(endpoint) as kube, asyncio.TaskGroup() as group:
            pods = Informer(kube, PODS)

            def take(_key: Key, _old: Object | None, _new: Object | None) -> None:
                group.create_task(_wake(changed))

            pods.listen(take)
            group.create_task(pods.run(stop))
            await pods.synced.wait()
            port = int(served.url.rsplit(":", 1)[1])
            yield RunningNode(kube, pods, settings, port, changed)
            stop.set()


@pytest.fixture
async def node(kubeless: RunningNode) -> AsyncIterator[RunningNode]:
    """The API server and the kubelet."""
    async with running_kubelet(kubeless.settings):
        yield kubeless


@pytest.fixture
def start_kubelet() -> Any:
    """Return the way to run a kubelet for a part of a test."""
    return running_kubelet


@pytest.fixture
def pod() -> Callable[..., Object]:
    """Return a builder of pods: ``pod("name", container(...), restartPolicy=...)``."""

    def build(name: str, *containers: Object, **spec: Any) -> Object:
        metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}
        defaults = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5}
        defaults["automountServiceAccountToken"] = False
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {**defaults, "containers": list(containers), **spec},
        }

    return build


@pytest.fixture
def sh() -> Callable[..., Object]:
    """Return a builder of containers that run a shell script: ``sh("name", script, ...)``."""

    def build(name: str, script: str, **fields: Any) -> Object:
        image = "registry.example/sympozium/machine:1"
        return {"name": name, "image": image, "command": ["sh", "-c", script], **fields}

    return build


@pytest.fixture
def py() -> Callable[..., Object]:
    """Return a builder of containers that run a Python program: ``py("name", source, ...)``."""

    def build(name: str, source: str, **fields: Any) -> Object:
        return {
            "name": name,
            "image": "sympozium/agent:1",
            "command": ["python", "-c", source],
            **fields,
        }

    return build
