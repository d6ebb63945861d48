"""What a chat channel gives up, between a real bus and a platform in memory."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest

from sympozium.bus.nats import NatsBus
from sympozium.chat.metrics import Counted
from sympozium.contract.envelope import wrap
from sympozium.contract.limits import MAX_ATTEMPTS
from sympozium.contract.messages import OutboundKind
from sympozium.contract.names import MessageId
from sympozium.contract.subjects import OUTBOX, dead, outbox
from tests.chat.stage import CHANNEL, NAMESPACE, Stage, asked, replace_kind, stage
from tests.chat.stand_in import StandIn
from tests.dead.letters import letters_under


@pytest.fixture
def platform() -> StandIn:
    """A platform that can do everything."""
    return StandIn()


@pytest.fixture
async def channel(bus: NatsBus, platform: StandIn) -> AsyncIterator[Stage]:
    """A channel at work on that platform."""
    async with stage(bus, platform) as made:
        yield made


@pytest.mark.timeout(60)
async def test_an_answer_that_every_channel_dies_of_is_set_aside_told_and_holds_nobody_up(
    channel: Stage, platform: StandIn, bus: NatsBus
) -> None:
    one, other = asked("m1"), asked("m2", "c2")
    held = platform.block("post")
    await channel.finish(one, "fatal")
    posts = 0
    for number in range(MAX_ATTEMPTS):
        await platform.until(lambda: platform.calls.count("post") > posts)  # noqa: B023 - now
        await channel.crash()
        posts = platform.calls.count("post")
        if number == MAX_ATTEMPTS - 1:
            held.set()
        channel.start()
    await channel.finish(other, "seen")
    await channel.settled(2)
    ((letter, data),) = await letters_under(bus, dead(OUTBOX, NAMESPACE, CHANNEL))
    assert b"fatal" in data
    assert letter.attempts >= MAX_ATTEMPTS
    assert "the program ended" in letter.reason
    first, second = sorted(platform.texts())
    assert first.startswith("There is an answer, but it cannot be shown here.")
    assert second == "seen"
    assert channel.office.health.metrics.value(Counted.DEAD_LETTERS) == 1


async def test_an_answer_that_is_sent_again_takes_the_place_of_what_was_left_standing(
    channel: Stage, platform: StandIn, bus: NatsBus
) -> None:
    one = asked("m1")
    await channel.accept(one)
    await channel.settled(1)
    assert len(platform.texts()) == 1
    for number in range(2):  # the second as a bus delivers it whose acknowledgement was lost
        again = msgspec.structs.replace(
            replace_kind(one, OutboundKind.FINAL, text="sent again"),
            message_id=MessageId("m1~7"),
            again_for=one.id,
        )
        data = wrap(again, id="m1~7/end", time=datetime.now(UTC))
        await bus.publish(outbox(NAMESPACE, CHANNEL), data, message_id=f"again {number}")
    await channel.settled(3)
    assert platform.texts() == ["sent again"]
