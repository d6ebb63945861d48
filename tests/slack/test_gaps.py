"""How far each channel was heard, in our memory and in the notes."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.chat.desk import Desk
from sympozium.chat.gate import Triggers
from sympozium.testing.channels.desk import MemoryDesk, memory_desk
from sympozium_slack import gaps
from sympozium_slack.gaps import NOTE_PREFIX, Gaps
from sympozium_slack.reading import Reading
from tests.fixtures.remembered import remembered
from tests.platforms.slack.workspace import BOT_USER, Message
from tests.slack.given import ME, desk, heard, mention
from tests.slack.given import Desk as SlackDesk


@pytest.fixture
async def notes(bus: NatsBus) -> AsyncIterator[MemoryDesk]:
    async with memory_desk(bus, "default", "ops") as made:
        yield made


@dataclass
class Gone:
    """The gaps of a bot that was away, and what it reads of what was said meanwhile."""

    slack: SlackDesk
    gaps: Gaps
    taken: list[str]

    def said(self, channel: str, text: str, ts: str) -> None:
        """Have somebody say something in a chat of the bot's."""
        workspace = self.slack.server.workspace
        message = Message(ts=ts, user=workspace.user_id("ada"), text=text)
        workspace.add(workspace.channel(channel), message)

    async def read(self) -> list[str]:
        """Return what is read after one more gap."""
        self.taken.clear()
        self.gaps.came_back()
        await self.gaps.read_missed()
        return list(self.taken)


@pytest.fixture
async def gone(bus: NatsBus, notes: MemoryDesk) -> AsyncIterator[Gone]:
    taken: list[str] = []

    async def take(reading: Reading) -> None:
        taken.append(reading.message.text)

    async with desk() as slack:
        gaps = Gaps(Desk(bus, "default", "ops"), slack.api, ME, Triggers(), take)
        yield Gone(slack, gaps, taken)


def from_now(seconds: float) -> str:
    """Return Slack's timestamp of a moment."""
    return f"{time.time() + seconds:.6f}"


async def test_what_was_said_before_the_bot_listened_for_the_first_time_is_not_read(
    gone: Gone,
) -> None:
    gone.said("D1", "to whoever was here before", from_now(-60))
    assert await gone.read() == []
    gone.said("D1", "to the bot", from_now(60))
    assert await gone.read() == ["to the bot"]


async def test_where_nobody_spoke_to_the_bot_before_is_read_what_came_since_it_heard_anything(
    gone: Gone,
) -> None:
    await gone.read()
    gone.gaps.stored(heard(mention(channel="C1", ts=from_now(60))).message)
    stop = asyncio.Event()
    stop.set()
    await gone.gaps.keep_loop(stop)
    gone.said("D1", "it would have been heard", from_now(59))
    gone.said("D1", "nobody heard this", from_now(61))
    gone.said("C2", f"<@{BOT_USER}> nor this", from_now(62))
    gone.said("C2", "this is not for the bot", from_now(63))
    assert await gone.read() == ["nobody heard this", "nor this"]


async def test_a_kind_of_chats_that_may_not_be_listed_hides_no_other(gone: Gone) -> None:
    await gone.read()
    gone.slack.server.workspace.scopes -= {"im:read"}
    gone.said("D1", "not found", from_now(60))
    gone.said("C2", f"<@{BOT_USER}> found", from_now(60))
    assert await gone.read() == ["found"]


async def test_what_comes_after_a_gap_is_not_noted_before_the_gap_is_read(
    gone: Gone, notes: MemoryDesk
) -> None:
    stop = asyncio.Event()
    stop.set()
    gone.gaps.came_back()
    gone.gaps.stored(heard(mention(channel="C1")).message)
    await gone.gaps.keep_loop(stop)
    assert f"{NOTE_PREFIX}C1" not in notes.notes
    await gone.gaps.read_missed()
    await gone.gaps.keep_loop(stop)
    assert f"{NOTE_PREFIX}C1" in notes.notes


async def test_of_many_channels_those_of_late_are_remembered_and_all_are_noted(
    bus: NatsBus, notes: MemoryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "MAX_HEARD", 2)

    async def take(_: Reading) -> None:
        raise AssertionError("nothing is missing")

    stop = asyncio.Event()
    stop.set()
    async with desk() as slack:
        kept = Gaps(Desk(bus, "default", "ops"), slack.api, ME, Triggers(), take)
        for channel in ("C1", "C2", "C3", "C4", "C2"):
            kept.stored(heard(mention(channel=channel)).message)
        await kept.keep_loop(stop)
    assert set(notes.notes) == {f"{NOTE_PREFIX}C{number}" for number in range(1, 5)}
    assert remembered(kept) == {"C4", "C2"}
