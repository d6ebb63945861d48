"""Hostile events over Discord's gateway: none stops the one after it, and no program grows."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.discord.running import Running, running
from tests.fixtures.memory import peak_bytes
from tests.fuzz.hostile import altered_bytes, altered_values, as_json
from tests.platforms.discord.ids import new_id
from tests.platforms.discord.world import Json

pytestmark = pytest.mark.timeout(1200)

AT_LEAST = 300
BARRIER_EVERY = 50
MOST_BYTES = 200 * 1024 * 1024
"""Of a container that may have 256 MiB."""


def examples(here: Running) -> list[tuple[str, Json]]:
    """Return events that the channel reads, as Discord sends them."""
    world, ada = here.world, here.world.person("ada")
    room, chat = world.channel("fuzzed"), world.direct("ada")
    said = world.write(room, ada, here.naming("which pods?"), embeds=[{"title": "an alert"}])
    told = world.event_of(room, said)
    file: Json = {"id": "1", "filename": "a.txt", "url": "https://example.com/a.txt", "size": 5}
    reply: Json = {"type": 19, "referenced_message": said, "message_reference": {"message_id": "1"}}
    asked: Json = {
        "id": new_id(),
        "application_id": world.application,
        "token": "t",
        "channel_id": chat.id,
        "channel": chat.as_json(),
        "user": ada,
    }
    command: Json = {
        "id": "1",
        "name": "model",
        "options": [{"type": 3, "name": "name", "value": "m"}],
    }
    return [
        ("MESSAGE_CREATE", told),
        ("MESSAGE_CREATE", told | {"attachments": [file]} | reply),
        ("MESSAGE_CREATE", world.event_of(chat, world.write(chat, ada, "!model m"))),
        ("MESSAGE_UPDATE", told | {"edited_timestamp": "2026-01-02T03:04:05+00:00"}),
        ("MESSAGE_DELETE", {"id": said["id"], "channel_id": room.id, "guild_id": room.guild_id}),
        ("MESSAGE_DELETE_BULK", {"ids": [said["id"]], "channel_id": room.id}),
        ("INTERACTION_CREATE", asked | {"type": 2, "data": command}),
        ("INTERACTION_CREATE", asked | {"type": 3, "data": {"custom_id": "x", "values": ["y"]}}),
        ("GUILD_CREATE", {"id": world.guild, "channels": [room.as_json()], "threads": []}),
        ("THREAD_CREATE", room.as_json() | {"type": 11, "parent_id": room.id}),
        ("CHANNEL_CREATE", room.as_json()),
    ]


def hostile_events(
    known: list[tuple[str, Json]], source: random.Random
) -> Iterator[tuple[str, Any]]:
    """Yield events without end: each with something in it changed, and often an id of its own."""
    while True:
        name, event = source.choice(known)
        if "id" in event and source.random() < 0.8:
            event = event | {"id": new_id()}
        yield name, altered_values(event, source)


def hostile_frame(known: list[tuple[str, Json]], source: random.Random) -> str:
    """Return what is no frame of the gateway, or one of an event that has no place in a session."""
    name, event = source.choice(known)
    frame: Json = {"op": 0, "t": name, "d": event, "s": source.choice((-1, "x", [], {}, None, 1.5))}
    if source.random() < 0.5:
        frame |= {"op": source.choice((5555, -5555, "x", None, [])), "s": None}
    data = as_json(frame)
    return (altered_bytes(data, source) if frame["s"] is None else data).decode(errors="replace")


async def test_hostile_events_of_discord_stop_nothing_that_follows(tmp_path: Path) -> None:
    source = random.Random(f"discord {os.environ.get('FUZZ_EXAMPLES', '')}")
    async with running(tmp_path) as here:
        known = examples(here)
        events = hostile_events(known, source)
        sessions = here.gateway.identified
        for number in range(max(AT_LEAST, settings().max_examples)):
            if number % 10:
                here.world.dispatch(*next(events))
            else:
                here.gateway.send(hostile_frame(known, source))
            if number % BARRIER_EVERY == 0:
                await here.barrier()
        await here.barrier()
        assert (here.gateway.identified, here.gateway.resumed) == (sessions, 0)
        assert peak_bytes(here.stage.program.pid) < MOST_BYTES
        assert await here.stage.program.stop() == 0
        assert "Traceback" not in here.stage.program.log
