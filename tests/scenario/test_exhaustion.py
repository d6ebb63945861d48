"""What takes without end inside of a run: held where the node says so, and ended with its run."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.reasons import Reason
from sympozium.contract.resources import AGENTS, Object
from sympozium.kube.client import Kube
from sympozium_local.kubelet.limits import MAX_PIDS
from tests.fixtures.chat import Person, replies_to
from tests.fixtures.inside import groups_of, running_inside
from tests.fixtures.system import ScriptedModel, System
from tests.scenario.acting import pods_of, started_run
from tests.scenario.test_endings import agent, channel

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.one_machine("tests/kube/test_exhaustion.py has the ways of a real kubelet"),
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("nsenter") is None,
        reason="only root makes control groups, and goes into containers (nsenter of util-linux)",
    ),
]

LASTS: dict[str, Any] = {"match": "stay", "answer": "word " * 280, "delay_s": 1}
"""Work that outlasts the test, were it left alone."""

BOMB = """
import os, time
while True:
    try:
        if not os.fork():
            time.sleep(600)
    except OSError:
        time.sleep(0.1)
"""

LOOP = """
import os
os.fork(), os.fork()
while True:
    pass
"""


@dataclass(frozen=True)
class Way:
    """One way to take without end.

    Attributes:
        container: Where it is taken.
        held_by: The control group that holds it, its file and the count there that say so.
    """

    code: str
    container: str
    held_by: tuple[str, str, str]

    def is_held(self, group: Path) -> bool:
        """Return whether the kernel refused something, or holds it back."""
        _, file, name = self.held_by
        counts = dict(line.split() for line in (group / file).read_text().splitlines())
        return int(counts[name]) > 0


WAYS = {
    "processes": Way(BOMB, "skill-cluster-reader", ("pids", "pids.events", "max")),
    "processor": Way(LOOP, "agent", ("cpu", "cpu.stat", "nr_throttled")),
}


@pytest.fixture
async def greedy(
    system: System, person: Person, kube: Kube, model: ScriptedModel
) -> AsyncIterator[str]:
    """An agent that has a tool, little processor time and half a minute, and a neighbour."""
    limits = {"limits": {"cpu": "200m"}}
    one = agent("greedy", baseURL=system.model_url, timeout="30s", resources=limits)
    one["spec"]["skills"] = [{"skillPackRef": "cluster-reader"}]
    await kube.apply(AGENTS, one, manager="test")
    async with channel(person, kube, agents=["greedy"]):
        await model.script(LASTS)
        yield "greedy"
    await kube.delete(AGENTS, "default", "greedy")


@pytest.mark.parametrize("name", WAYS)
async def test_what_takes_without_end_is_held_and_its_run_ends_with_its_sentence(
    system: System, person: Person, kube: Kube, greedy: str, name: str
) -> None:
    way, conversation = WAYS[name], f"greedy-{name}"
    async with person.events(conversation) as events:
        message_id = await person.say(conversation, f"@{greedy} stay")
        async for event in events:
            assert event.type not in {"final", "error"}, event
            if event.type == "delta":
                break
    (pod,) = await pods_of(kube, await started_run(kube, message_id))
    container_id = id_of(pod, way.container)
    group = groups_of(container_id)[way.held_by[0]]
    with running_inside(container_id, way.code) as taking:
        while not way.is_held(group):  # the kernel has no event
            assert taking.poll() is None, taking.communicate()
            await asyncio.sleep(0.05)
        if name == "processes":
            assert int((group / "pids.current").read_text()) <= MAX_PIDS
        neighbour = await person.ask("neighbour", "hello")
        end = await person.end_of(conversation, message_id)
        await asyncio.to_thread(taking.wait)  # its container takes it along
    assert neighbour["error"] is None
    told = end["error"]["message"]
    assert (end["error"]["code"], "took longer than agent greedy" in told) == (
        Reason.DEADLINE_EXCEEDED,
        True,
    )
    assert len(replies_to(await person.transcript(conversation), message_id)) == 1


def id_of(pod: Object, container: str) -> str:
    """Return the id of a running container."""
    status = pod["status"]
    statuses = [*status.get("initContainerStatuses", []), *status["containerStatuses"]]
    (found,) = [one["containerID"] for one in statuses if one["name"] == container]
    return str(found)
