"""What a run tried in vain, counted where nothing inside its pod can change it."""

import asyncio

import pytest

from sympozium.contract.resources import AGENT_RUNS, Object
from sympozium_agent.recorder import COUNT_EVERY_S
from tests.kube.at_work import SLOW, Floor, has_ended, uid_of
from tests.kube.inside import LiveRun
from tests.kube.release import TENANT

pytestmark = pytest.mark.timeout(120)

TRIES = """
import json, socket
for address in ("169.254.169.254", "192.0.2.1"):
    with socket.socket() as tcp:
        tcp.settimeout(2.5)
        tcp.connect_ex((address, 80))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
    for _ in range(5):
        udp.sendto(b"what it read", ("192.0.2.1", 53))
print(json.dumps("tried"))
"""
"""Two connections that nobody answers, and five questions for the owner of a domain."""


async def ended(floor: Floor, run: Object) -> Object:
    """Return the status of a run once it has ended."""
    status: Object = (await floor.until(run, has_ended, 60))["status"]
    return status


async def tries(floor: Floor, run: Object) -> None:
    """Have the agent of a run at work try to reach what it may not."""
    pod = (await floor.pod_at_work(run))["metadata"]["name"]
    scout = LiveRun(floor.clients, TENANT, pod, run["metadata"]["name"], uid_of(run))
    assert await asyncio.to_thread(scout.python, "agent", TRIES) == "tried"


async def test_24_what_a_run_tried_in_vain_is_counted_and_an_honest_run_has_nothing(
    floor: Floor,
) -> None:
    async with floor.agents(floor.agent("scout"), floor.agent("honest")):
        _, run = await floor.say("scout", SLOW["match"])
        _, other = await floor.say("honest", SLOW["match"])
        await tries(floor, run)
        told = [await ended(floor, one) for one in (run, other)]
    assert told[0]["blockedConnections"] >= 7, told
    assert "blockedConnections" not in told[1], told


async def test_24_what_a_run_tried_is_counted_where_it_never_says_how_it_ends(
    floor: Floor,
) -> None:
    async with floor.agents(floor.agent("scout")):
        _, run = await floor.say("scout", SLOW["match"])
        await tries(floor, run)
        await asyncio.sleep(2 * COUNT_EVERY_S)
        name, cancelled = run["metadata"]["name"], {"spec": {"cancel": True}}
        await floor.kube.patch(AGENT_RUNS, TENANT, name, cancelled)
        told = await ended(floor, run)
    assert told["phase"] == "Cancelled"
    assert told["blockedConnections"] >= 7 / 2, told
