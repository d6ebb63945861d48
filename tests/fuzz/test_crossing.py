"""Replies in two threads of one agent, interleaved again and again: none crosses (attack 15)."""

from pathlib import Path

import pytest
from hypothesis import settings

from sympozium.bus.nats import NatsBus
from sympozium.contract.messages import OutboundKind
from tests.router.routed import a_world

MAX_REPLIES = 1000


@pytest.mark.timeout(600)
async def test_no_reply_of_two_interleaved_threads_appears_in_the_other(
    tmp_path: Path, bus: NatsBus
) -> None:
    count = min(settings().max_examples // 5, MAX_REPLIES) // 2
    threads = ("slack:T1:C1:1.000100", "slack:T1:C1:1.0001001")  # one is the other's beginning
    async with a_world(tmp_path, bus) as world, world.router():
        said = {}
        for number in range(count):
            for thread in threads:
                id_ = await world.say(str(number), f"{thread} {number}", conversation=thread)
                said[id_] = thread
        for number, (id_, thread) in enumerate(said.items()):
            await world.answer(id_, f"to {thread} {number // 2}")
            await world.shown.end_of(id_)
    finals = [one for one in world.shown.messages if one.kind is OutboundKind.FINAL]
    assert len(finals) == 2 * count
    for thread in threads:
        texts = [one.text for one in finals if one.conversation == thread]
        assert texts == [f"to {thread} {number}" for number in range(count)]
