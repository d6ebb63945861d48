"""A channel beside a router of a later version."""

from datetime import UTC, datetime

from sympozium.contract.envelope import wrap
from sympozium.contract.messages import OutboundKind
from sympozium.contract.subjects import outbox
from tests.chat.stage import CHANNEL, NAMESPACE, Stage, asked, replace_kind


async def test_an_answer_of_a_later_router_is_shown_without_what_it_adds(channel: Stage) -> None:
    answer = replace_kind(asked("m1"), OutboundKind.FINAL, text="hello to you")
    data = wrap(answer, id="newer", time=datetime.now(UTC))
    newer = data.replace(b'"text"', b'"mood":{"of":"the day"},"text"')
    assert newer != data
    await channel.bus.publish(outbox(NAMESPACE, CHANNEL), newer, message_id="newer")
    await channel.settled(1)
    assert channel.platform.texts() == ["hello to you"]
