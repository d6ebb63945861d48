"""Hostile frames over Slack's sockets: none stops the one after it, and no connection ends."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import settings

from sympozium.testing.channels.stage import stage
from tests.fixtures.memory import peak_bytes
from tests.fuzz.hostile import altered_bytes, altered_values, as_json
from tests.fuzz.test_platform_readers import INTERACTIONS, SLACK_BODIES
from tests.fuzz.test_servers import COMMAND
from tests.platforms.slack.driver import SlackDriver, make_driver

pytestmark = pytest.mark.timeout(1200)

AT_LEAST = 300
GOOD_EVERY = 50
MOST_BYTES = 200 * 1024 * 1024
"""Of a container that may have 256 MiB."""

ENVELOPES: list[dict[str, Any]] = [
    *({"type": "events_api", "payload": json.loads(body)} for body in SLACK_BODIES),
    *({"type": "interactive", "payload": one} for one in INTERACTIONS),
    {"type": "slash_commands", "payload": COMMAND},
    {"type": "hello", "num_connections": 2, "debug_info": {"host": "stand-in"}},
]


def hostile_frames(source: random.Random) -> Iterator[str]:
    """Yield frames without end: each with something in it changed, and an id of its own."""
    while True:
        envelope = source.choice(ENVELOPES) | {"envelope_id": f"e-{source.getrandbits(64):x}"}
        data = as_json(altered_values(envelope, source))
        data = altered_bytes(data, source) if source.random() < 0.2 else data
        yield data.decode(errors="replace")


async def test_hostile_frames_of_slack_stop_nothing_that_follows(tmp_path: Path) -> None:
    frames = hostile_frames(random.Random(f"slack {os.environ.get('FUZZ_EXAMPLES', '')}"))
    async with stage(make_driver, tmp_path) as running:
        delivery = cast(SlackDriver, running.driver).server.delivery
        await delivery.wait_open(2)
        opened = delivery.opened
        for number in range(max(AT_LEAST, settings().max_examples)):
            await delivery.raw(next(frames))
            if number % GOOD_EVERY == 0:
                _, heard = await running.asks("zoe", running.somewhere(direct=True))
                assert heard.text == "which pods run here?"
        await running.asks("zoe", running.somewhere(direct=True))
        assert (delivery.opened, delivery.open_sockets) == (opened, 2)
        assert peak_bytes(running.program.pid) < MOST_BYTES
        assert await running.program.stop() == 0
        assert "Traceback" not in running.program.log
