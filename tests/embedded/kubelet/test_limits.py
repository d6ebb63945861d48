"""What a container may take: processes and processor time, with control groups and without."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.resources import Object
from sympozium_local.kubelet.limits import GROUPS_ROOT, MAX_PIDS, Limits, find_limits
from tests.fixtures.inside import groups_of

pytestmark = pytest.mark.timeout(120)

BOMB = """
import json, os, time
made = 0
try:
    while made < 5000:
        if not os.fork():
            time.sleep(600)
        made += 1
    stopped_by = 0
except OSError as error:
    stopped_by = error.errno
print(json.dumps([made, stopped_by]), flush=True)
"""

LOOP = """
import os
while not os.path.exists("/told/enough"):
    pass
"""


async def offered(root: Path) -> Limits:
    """Return what the machine offers; nothing of it is kept."""
    found = find_limits("only-asked", root)
    await found.remove()
    return found


@pytest.fixture(params=["groups", "rlimit"])
async def limited(
    request: pytest.FixtureRequest, kubeless: Any, start_kubelet: Any, tmp_path: Path
) -> AsyncIterator[Any]:
    """A node that limits containers in one of its two ways."""
    root = GROUPS_ROOT if request.param == "groups" else tmp_path / "no-groups"
    found = await offered(root)
    if request.param == "groups" and not found.has_groups:
        pytest.skip("this machine lets nobody but root make control groups")
    if request.param == "rlimit" and not found.most_processes:
        pytest.skip("this kernel counts processes by user only")
    async with start_kubelet(replace(kubeless.settings, groups_root=root)):
        yield kubeless


async def test_a_fork_bomb_gets_no_further_than_its_container(
    limited: Any, pod: Callable[..., Object], py: Callable[..., Object]
) -> None:
    done, logs = await limited.run(pod("bomb", py("a", BOMB)))
    assert done["status"]["phase"] == "Succeeded", logs
    made, stopped_by = json.loads(logs["a"])
    assert stopped_by == errno.EAGAIN
    assert MAX_PIDS // 2 < made < MAX_PIDS
    _, logs = await limited.run(pod("next", py("a", "print('there is room')")))
    assert logs["a"] == "there is room"


async def test_a_busy_loop_gets_the_processor_time_of_its_limit(
    node: Any, pod: Callable[..., Object], py: Callable[..., Object]
) -> None:
    if not (await offered(GROUPS_ROOT)).has_groups:
        pytest.skip("this machine lets nobody but root make control groups")
    mounts = {"volumeMounts": [{"name": "told", "mountPath": "/told"}]}
    resources = {"limits": {"cpu": "100m"}}
    made = pod(
        "loop", py("a", LOOP, resources=resources, **mounts),
        volumes=[{"name": "told", "emptyDir": {}}],
    )  # fmt: skip
    made = await node.create(made)
    running = await node.wait_for("loop", lambda one: "running" in _state(one))
    groups = groups_of(running["status"]["containerStatuses"][0]["containerID"])
    while not _times_throttled(groups["cpu"]):  # noqa: ASYNC110 - the kernel has no event
        await asyncio.sleep(0.05)
    node.touch(made, "told", "enough")
    ended = await node.wait_for("loop", lambda one: "terminated" in _state(one))
    assert _state(ended)["terminated"]["exitCode"] == 0


def _state(pod: Object) -> Object:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{"state": {}}]
    state: Object = statuses[0]["state"]
    return state


def _times_throttled(group: Path) -> int:
    counts = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(counts["nr_throttled"])


def test_what_is_not_limited_is_said(tmp_path: Path) -> None:
    said = find_limits("only-asked", tmp_path).shortfall
    assert "no control groups" in said
    assert "processor time" in said
