"""A container that nobody reaches into: its own code is the first process of its namespaces."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.resources import Object
from sympozium_local.kubelet.build import is_alone
from sympozium_local.kubelet.images import AGENT_MODULES, find_image
from sympozium_local.kubelet.node import FIRST_HOST_UID
from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.client import Container, Sandbox, open_sandbox
from sympozium_local.kubelet.sandbox.plan import ContainerPlan

MODULE = "tests.embedded.kubelet.lonely"
PORT = 8001
ROOT = Path(__file__).parents[3]
UID = 65532


@dataclass
class Machine:
    """A sandbox, and what it takes to start containers of `lonely` in it."""

    sandbox: Sandbox
    folder: Path
    pipes: list[int] = field(default_factory=list)

    def start(self, what: str) -> tuple[Container, int]:
        """Start a container that does *what*; return it and where its output is read."""
        output_r, output_w = os.pipe2(os.O_CLOEXEC)
        self.pipes.append(output_r)
        plan = ContainerPlan(
            hostname="alone",
            argv=["python", "-m", MODULE, what],
            env={"PLANTED": "mine"},
            module=MODULE,
            is_alone=True,
            uid=UID,
            gid=UID,
            host_uid=FIRST_HOST_UID + 7 if syscalls.is_privileged() else 0,
            kubelet_uid=os.getuid(),
            kubelet_gid=os.getgid(),
            image_binds=list(find_image("sympozium/agent").binds),
            staging=str(self.folder),
            is_isolated=True,
        )
        container = self.sandbox.start(plan, output_w)
        os.close(output_w)
        return container, output_r


@pytest.fixture
async def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    monkeypatch.chdir(ROOT)  # where the zygote finds the tests
    async with open_sandbox([MODULE], on_death=lambda: None) as sandbox:
        made = Machine(sandbox, tmp_path)
        try:
            yield made
        finally:
            for pipe in made.pipes:
                os.close(pipe)


async def running(machine: Machine, what: str) -> Container:
    """Start a container and return it when its code runs."""
    container, output = machine.start(what)
    container.go()
    await container.started()
    assert await asyncio.to_thread(os.read, output, 100) == b"here\n"
    return container


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_it_holds_no_right_sees_nobody_and_ends_with_its_parent(machine: Machine) -> None:
    container, output = machine.start("look")
    container.go()
    assert await container.wait() == 0
    found = json.loads(os.read(output, 1 << 16))
    status = found["status"]
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2", "system calls are filtered"
    assert found["pids"] == ["1"]
    assert len(found["fds"]) == 4  # the standard three, and the listing's own
    assert found["environ"] == {"PLANTED": "mine"}
    assert set(found["uid"]) <= {UID, 65534}
    assert found["ends by"] == signal.SIGKILL
    assert found["outlive"] == found["namespaces"] == "PermissionError"
    for path in ("root", "usr", "sysctl"):
        assert found[path] in {"OSError", "PermissionError"}, path
    assert found["home"] == "FileNotFoundError"
    options = [line.split()[3].split(",")[0] for line in found["mounts"].splitlines()]
    paths = [line.split()[1] for line in found["mounts"].splitlines()]
    writable = {path for path, option in zip(paths, options, strict=True) if option == "rw"}
    assert {"/tmp", "/dev/shm", "/proc"} <= writable
    assert not writable & {"/", "/usr", "/proc/sys"}


async def test_a_user_of_its_own_is_what_it_is_on_the_machine(machine: Machine) -> None:
    container = await running(machine, "stay")
    assert owner(container.pid) == (FIRST_HOST_UID + 7 if syscalls.is_privileged() else os.getuid())
    container.kill()
    await container.wait()


async def test_sigterm_ends_it_though_it_is_the_first_process(machine: Machine) -> None:
    container = await running(machine, "stay")
    container.signal(signal.SIGTERM)
    assert await container.wait() == 128 + signal.SIGTERM


async def test_what_ignores_every_signal_is_killed_and_reported_so(machine: Machine) -> None:
    container = await running(machine, "stubborn")
    container.signal(signal.SIGTERM)
    container.kill()
    assert await container.wait() == 128 + signal.SIGKILL


async def test_it_ends_with_the_zygote_whatever_it_does(machine: Machine) -> None:
    container = await running(machine, "stubborn")
    gone = asyncio.Event()
    pidfd = os.pidfd_open(container.pid)
    loop = asyncio.get_running_loop()
    loop.add_reader(pidfd, gone.set)
    os.kill(parent(container.pid), signal.SIGKILL)
    await gone.wait()
    loop.remove_reader(pidfd)
    os.close(pidfd)
    assert await container.wait() == 128 + signal.SIGKILL


async def test_one_that_is_ended_before_it_is_known_never_runs(machine: Machine) -> None:
    container, output = machine.start("look")
    container.kill()
    await container.wait()
    assert await asyncio.to_thread(os.read, output, 100) == b""
    another = await running(machine, "stay")  # and the zygote has not minded
    another.kill()
    await another.wait()


async def test_no_command_is_run_beside_it(machine: Machine) -> None:
    container = await running(machine, "stay")
    with pytest.raises(ConnectionRefusedError):
        await container.exec(["true"], 1)
    container.kill()
    await container.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter a network from outside")
async def test_its_ports_are_reached_in_its_own_network(machine: Machine) -> None:
    one, other = await running(machine, "serve"), await running(machine, "stay")
    loop = asyncio.get_running_loop()
    with await one.dial(PORT) as connection:
        assert await loop.sock_recv(connection, 100) == b"from inside"
    with pytest.raises(ConnectionRefusedError):
        await other.dial(PORT)
    with socket.create_server(("127.0.0.1", 0)) as ours, pytest.raises(ConnectionRefusedError):
        await other.dial(ours.getsockname()[1])
    for container in (one, other):
        container.kill()
        await container.wait()
    with pytest.raises(ConnectionRefusedError):
        await one.dial(PORT)


@pytest.mark.parametrize(
    "inside",
    [
        {"lifecycle": {"preStop": {"exec": {"command": ["true"]}}}},
        {"livenessProbe": {"exec": {"command": ["true"]}}},
        {"readinessProbe": {"exec": {"command": ["true"]}}},
        {"startupProbe": {"exec": {"command": ["true"]}}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_where_commands_may_be_run_inside_a_container_is_not_alone(inside: Object) -> None:
    spec = {"name": "a", "image": "sympozium/agent"}
    assert is_alone(spec, AGENT_MODULES[0], is_privileged=False)
    assert not is_alone(spec | inside, AGENT_MODULES[0], is_privileged=True)
    assert not is_alone(spec, "", is_privileged=True), "a command's children need somebody to reap"


def test_a_kubelet_without_privileges_needs_help_to_reach_a_port() -> None:
    spec = {"name": "a", "image": "sympozium/agent", "ports": [{"containerPort": 80}]}
    assert is_alone(spec, AGENT_MODULES[0], is_privileged=True)
    assert not is_alone(spec, AGENT_MODULES[0], is_privileged=False)


async def test_a_module_with_a_probe_is_asked_inside_its_container(
    node: Any, pod: Callable[..., Object]
) -> None:
    command = ["python", "-m", AGENT_MODULES[0]]
    probe = {"exec": {"command": ["test", "-d", "/ipc"]}, "periodSeconds": 1}
    agent = {
        "name": "a",
        "image": "sympozium/agent",
        "command": command,
        "startupProbe": probe,
        "volumeMounts": [{"name": "ipc", "mountPath": "/ipc"}],
    }
    await node.create(pod("p", agent, volumes=[{"name": "ipc", "emptyDir": {}}]))
    await node.wait_for("p", lambda p: p["status"].get("containerStatuses", [{}])[0].get("started"))
