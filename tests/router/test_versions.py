"""Programs of two versions side by side, as while an upgrade rolls: older and newer bytes."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.envelope import VERSION
from sympozium.contract.messages import OutboundKind
from sympozium.contract.names import MessageId
from sympozium.contract.subjects import DEAD, INBOX, dead, inbox
from tests.contract.test_envelope import OLD_BYTES
from tests.router.routed import CHANNEL, NAMESPACE, World
from tests.router.test_refusals import error_of

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
OLD_ID = MessageId("web:default/web:c:1")

NEWER_BYTES = (
    OLD_BYTES.replace(b'"payload"', b'"origin":{"region":"north"},"payload"')
    .replace(b'"userId"', b'"pronouns":["they"],"userId"')
    .replace(b'"text"', b'"mood":{"of":"the day"},"place":{"floor":3},"text"')
)
"""The same message, as a channel of a later version might write it."""


@pytest.mark.parametrize("data", [OLD_BYTES, NEWER_BYTES], ids=["older", "newer"])
async def test_a_channel_of_another_version_is_answered_as_any_other(
    open_world: OpenWorld, bus: NatsBus, data: bytes
) -> None:
    async with open_world() as world, world.router():
        await bus.publish(inbox(NAMESPACE, CHANNEL), data, message_id=OLD_ID)
        await world.answer(OLD_ID, "hi")
        end = await world.shown.end_of(OLD_ID)
    assert (end.kind, end.text) == (OutboundKind.FINAL, "hi")


async def test_a_message_of_a_version_that_cannot_be_read_is_kept_as_it_came_and_said(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    data = NEWER_BYTES.replace(b"{", b'{"version":%d,' % (VERSION + 1), 1)
    data = data.replace(b'"text"', b'"replyTo":"over there","text"')
    async with open_world() as world, world.router():
        await bus.publish(inbox(NAMESPACE, CHANNEL), data, message_id=OLD_ID)
        following = await world.say("2")
        code, _ = await error_of(world, OLD_ID)
        await world.answer(following, "hi")
        await world.shown.end_of(following)
        kept = await bus.last(DEAD, dead(INBOX, NAMESPACE, CHANNEL))
    assert code == "MessageUnreadable"
    assert world.shown.ends(OLD_ID)[0].reply_to == "over there"
    assert kept is not None
    assert kept.data == data
