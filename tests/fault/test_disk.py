"""While the disk of a running bus is full, what is said is refused; nothing is lost by it."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp
import pytest

from tests.fault.bots import SLACK
from tests.fault.laboratory import bus_disk, laboratory, own_system
from tests.fault.ledger import Said
from tests.fault.loads import Crowd, answers
from tests.fault.rounds import Fallen, restart_bus
from tests.fault.sight import all_seen
from tests.fault.verdict import WISHED, broken
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.fixtures.small_disk import SmallDisk, can_mount
from tests.platforms.slack.driver import SlackDriver

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not can_mount(), reason="this machine allows no user namespaces"),
]

PATIENCE_S = 90.0
REFUSED = 503
TAKEN = 202
MANY = 60
"""More than there is room for in what files already have of a disk that is full."""


@dataclass(frozen=True)
class Found:
    """What became of what was said while the disk was full, and after it.

    Attributes:
        status: What the web channel answered in the end.
        is_confirmed: Slack was told meanwhile that its message is received.
        problems: Promises that were not kept once there was room again.
    """

    status: int
    is_confirmed: bool
    problems: list[str]


@pytest.fixture(scope="module")
def found() -> Iterator[Found]:
    """What was found in one system."""
    with bus_disk() as disk, own_system(bus_on=disk) as (system, model_port):
        yield asyncio.run(_on_full_disk(disk, system, model_port))


async def _on_full_disk(disk: SmallDisk, system: EmbeddedSystem, model_port: int) -> Found:
    async with laboratory(system, model_port, seed=1, bots=(SLACK,)) as lab:
        crowd = lab.crowd("disk", SLACK)
        web, slack, waits = (crowd.token() for _ in range(3))
        await crowd.script(*map(answers, (waits, slack, web)))
        await crowd.say("before", web)
        await crowd.say_at_platform("slack", slack)
        await crowd.ended()
        await asyncio.to_thread(disk.fill)
        try:
            async with asyncio.timeout(PATIENCE_S):
                status, refused = await _until_refused(crowd, system.url)
                assert isinstance(crowd.driver, SlackDriver)
                delivery = crowd.driver.server.delivery
                delivery.retries_s = ()  # it can only be read from the history then
                said = await crowd.say_at_platform("slack", waits)
                await delivery.idle()
            is_confirmed = said in crowd.accepted
        finally:
            disk.resize(disk.size)
        await restart_bus(lab.pids.home, signal.SIGTERM, 0.0, Fallen())
        return Found(status, is_confirmed, await _afterwards(crowd, refused))


async def _until_refused(crowd: Crowd, url: str) -> tuple[int, str]:
    """Say things at the web channel until one is not taken; return its answer and its token."""
    status, token = TAKEN, ""
    async with aiohttp.ClientSession() as http:
        for _ in range(MANY):
            token = crowd.token()
            await crowd.script(answers(token))
            address = f"{url}/api/conversations/{token}/messages"
            body = {"text": f"{token} please", "id": token}
            async with http.post(address, json=body) as response:
                status = response.status
            if status != TAKEN:
                break
            crowd.said.append(Said(token, token))
    return status, token


async def _afterwards(crowd: Crowd, refused: str) -> list[str]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await crowd.say(refused, refused)
            await crowd.ended()
            await all_seen(crowd)
    except TimeoutError:
        return [*map(str, await broken(crowd, WISHED)), "it did not get through"]
    return [*map(str, await broken(crowd, WISHED))]


def test_what_is_said_while_the_disk_is_full_is_refused_where_it_is_said(found: Found) -> None:
    assert (found.status, found.is_confirmed) == (REFUSED, False)


def test_what_was_refused_for_a_full_disk_is_answered_once_when_there_is_room(
    found: Found,
) -> None:
    assert found.problems == []
