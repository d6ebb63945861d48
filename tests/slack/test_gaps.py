"""How far each channel was heard, in our memory and in the notes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.chat.desk import Desk
from sympozium.chat.gate import Triggers
from sympozium.testing.channels.desk import MemoryDesk, memory_desk
from sympozium_slack import gaps
from sympozium_slack.gaps import NOTE_PREFIX, Gaps
from sympozium_slack.reading import Reading
from tests.fixtures.remembered import remembered
from tests.slack.given import ME, desk, heard, mention


@pytest.fixture
async def notes(bus: NatsBus) -> AsyncIterator[MemoryDesk]:
    async with memory_desk(bus, "default", "ops") as made:
        yield made


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
