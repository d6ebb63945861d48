"""What becomes of pods when the kubelet stops, is killed, or comes back."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import PODS, Object

Build = Callable[..., Object]


def is_ready(pod: Object) -> bool:
    entries = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in entries)


def first_pid(pod: Object) -> int:
    """Return the first process of the pod's container, on this machine."""
    return int(pod["status"]["containerStatuses"][0]["containerID"].removeprefix("process://"))


def is_alive(pid: int) -> bool:
    """Say whether *pid* still runs; what is only waiting to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(*pids: int) -> None:
    """Return when none of *pids* runs any more."""
    async with asyncio.timeout(10):
        while any(is_alive(pid) for pid in pids):  # noqa: ASYNC110 - not our children
            await asyncio.sleep(0.01)


async def spawn_kubelet(tmp_path: Path) -> asyncio.subprocess.Process:
    ready = tmp_path / "ready"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sympozium_local.kubelet"),
        *("--kubeconfig", tmp_path / "api" / "admin.kubeconfig", "--data-dir", tmp_path / "node"),
        *("--ready-file", ready),
    )
    async with asyncio.timeout(15):
        while not ready.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
    return process


def children(pid: int) -> list[int]:
    """Return the children of *pid*."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def descendants(pid: int) -> list[int]:
    """Return the children of *pid*, and then theirs."""
    found = children(pid)
    return found + [inner for child in found for inner in descendants(child)]


@pytest.mark.parametrize("victim", ["kubelet", "zygote"])
async def test_nothing_of_the_pods_survives_a_kill(
    victim: str, kubeless: Any, pod: Build, sh: Build, tmp_path: Path
) -> None:
    process = await spawn_kubelet(tmp_path)
    await kubeless.create(pod("p", sh("a", "trap '' TERM; (sleep 900 &) ; echo set; sleep 900")))
    await kubeless.wait_for("p", is_ready)
    await kubeless.wait_for_line("p", "set")
    everything = descendants(process.pid)
    zygote = everything[0]
    assert len(everything) >= 4
    os.kill(process.pid if victim == "kubelet" else zygote, signal.SIGKILL)
    await gone(*everything)
    await process.wait()


async def test_a_pod_that_may_not_restart_fails_as_disrupted_when_the_node_comes_back(
    kubeless: Any, start_kubelet: Any, pod: Build, sh: Build, tmp_path: Path
) -> None:
    process = await spawn_kubelet(tmp_path)
    await kubeless.create(pod("p", sh("a", "sleep 900")))
    await kubeless.wait_for("p", is_ready)
    process.kill()
    await process.wait()
    async with start_kubelet(kubeless.settings):
        done = await kubeless.wait_for("p", lambda p: p["status"]["phase"] == "Failed")
    assert done["status"]["reason"] == "NodeShutdown"
    conditions = {c["type"]: c["status"] for c in done["status"]["conditions"]}
    assert conditions["DisruptionTarget"] == "True"


async def test_a_pod_that_may_restart_goes_on_when_the_node_comes_back(
    kubeless: Any, start_kubelet: Any, pod: Build, sh: Build, tmp_path: Path
) -> None:
    process = await spawn_kubelet(tmp_path)
    await kubeless.create(pod("p", sh("a", "sleep 900"), restartPolicy="Always"))
    before = await kubeless.wait_for("p", is_ready)
    process.kill()
    await process.wait()
    async with start_kubelet(kubeless.settings):
        pid = first_pid(before)
        after = await kubeless.wait_for("p", lambda p: is_ready(p) and first_pid(p) != pid)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    status = after["status"]["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 137


async def test_a_stopping_kubelet_ends_its_pods_and_says_so(
    kubeless: Any, start_kubelet: Any, pod: Build, sh: Build
) -> None:
    async with start_kubelet(replace(kubeless.settings, drain_s=10.0)):
        await kubeless.create(pod("once", sh("a", "sleep 900")))
        await kubeless.create(pod("forever", sh("a", "sleep 900"), restartPolicy="Always"))
        pids = [first_pid(await kubeless.wait_for(name, is_ready)) for name in ("once", "forever")]
    await gone(*pids)
    done = await kubeless.wait_for("once", lambda p: p["status"]["phase"] == "Failed")
    assert done["status"]["reason"] == "NodeShutdown"
    kept = await kubeless.wait_for("forever", lambda p: not is_ready(p))
    assert kept["status"]["phase"] == "Running"


async def test_a_pod_deleted_while_no_kubelet_ran_is_let_go(
    kubeless: Any, start_kubelet: Any, pod: Build, sh: Build
) -> None:
    async with start_kubelet(kubeless.settings):
        await kubeless.create(pod("p", sh("a", "sleep 900"), restartPolicy="Always"))
        await kubeless.wait_for("p", is_ready)
    await kubeless.kube.delete(PODS, "default", "p")
    async with start_kubelet(kubeless.settings):
        await kubeless.wait_gone("p")


async def test_a_dead_zygote_ends_the_kubelet_with_a_clear_error(
    kubeless: Any, start_kubelet: Any
) -> None:
    async def kill_the_zygote() -> None:
        others = set(children(os.getpid()))  # a server that other tests have left running
        async with start_kubelet(kubeless.settings):
            (zygote,) = set(children(os.getpid())) - others
            os.kill(zygote, signal.SIGKILL)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await kill_the_zygote()
    assert caught.group_contains(PermanentError, match="cannot run containers any more")
