"""What takes without end, on a real kubelet: attack 31 of FAULTS.

Each way ends the run that goes it, with one sentence in its chat, and a neighbour on the same
node is answered. Memory is in test_attacks.py.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sympozium.contract.reasons import Reason
from tests.fixtures.chat import replies_to
from tests.kube.at_work import Floor, told
from tests.kube.release import TENANT

pytestmark = pytest.mark.timeout(300)

LASTS: dict[str, Any] = {"match": "stay", "answer": "word " * 280, "delay_s": 1}
"""A run that outlasts the test, were it left alone."""

PROCESSES = """
import os, time
for _ in range(20_000):
    try:
        if not os.fork():
            taken = bytearray(200_000)
            time.sleep(600)
    except OSError:
        time.sleep(0.1)
time.sleep(600)
"""

PROCESSOR = """
import os
for _ in range(3):
    os.fork()
while True:
    pass
"""


FILES = """
import os, time
flood = os.open("/ipc/flood", os.O_WRONLY | os.O_CREAT)
os.unlink("/ipc/flood")  # whoever adds up files finds nothing
try:
    while True:
        os.write(flood, bytes(1 << 20))
except OSError:
    time.sleep(600)
"""

NAMES = """
import os, time
os.mkdir("/ipc/litter")
try:
    for number in range(10 ** 9):
        os.close(os.open(f"/ipc/litter/{number}", os.O_WRONLY | os.O_CREAT))
except OSError:
    time.sleep(600)
"""


@dataclass(frozen=True)
class Way:
    """One way to take without end.

    Attributes:
        code: What runs in the agent's container.
        reason: Why the run ends.
        config: What its Agent says beyond the defaults.
    """

    code: str
    reason: Reason
    config: dict[str, Any] = field(default_factory=dict)


WAYS = {
    "files": Way(FILES, Reason.VOLUME_FULL),
    "names": Way(NAMES, Reason.OUT_OF_MEMORY),
    "processes": Way(PROCESSES, Reason.OUT_OF_MEMORY),
    "processor": Way(PROCESSOR, Reason.DEADLINE_EXCEEDED, {"timeout": "30s"}),
}


@pytest.fixture
async def floor(floor: Floor) -> AsyncIterator[Floor]:
    """The release with an Agent for each way, and a neighbour."""
    agents = [floor.agent(name, **{"timeout": "5m", **way.config}) for name, way in WAYS.items()]
    async with floor.agents(*agents, floor.agent("neighbour")):
        await floor.model.script(LASTS)
        yield floor


@pytest.mark.parametrize("name", WAYS)
async def test_31_what_takes_without_end_is_ended_and_its_neighbour_answered(
    floor: Floor, name: str
) -> None:
    message_id, run = await floor.say(name, "stay")
    pod = await floor.pod_at_work(run)
    where = ("-n", TENANT, pod["metadata"]["name"], "-c", "agent", "--")
    command = ("exec", *where, "python", "-c", WAYS[name].code)
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(floor.clients.run_kubectl, *command, timeout_s=240))
        end = await floor.end_of(name, message_id)
        neighbour = await floor.ask("neighbour", "hello")
    assert told(end)[0] == WAYS[name].reason, told(end)
    assert neighbour["error"] is None
    entries = await floor.person.transcript(f"kube-{name}")
    assert len(replies_to(entries, message_id)) == 1
