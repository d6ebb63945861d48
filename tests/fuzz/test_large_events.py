"""Events of 20 MiB from each chat platform: cut or refused in a sentence, and the next is heard."""

import asyncio
import io
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage, stage
from sympozium_discord.inflating import MAX_FRAME_BYTES
from sympozium_slack.http_mode import PATH
from sympozium_telegram.polling import TOO_LONG as TOO_LONG_TO_POLL
from sympozium_telegram.webhook import TOO_LONG as TOO_LONG_TO_TAKE
from tests.discord.running import direct, running
from tests.fixtures.memory import peak_bytes, resident_bytes
from tests.platforms.slack.delivery import Parcel, callback, signed
from tests.platforms.slack.driver import SlackDriver, make_driver, make_http_driver
from tests.platforms.slack.workspace import Wire
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.driver import make_driver as make_telegram_driver
from tests.slack.given import mention
from tests.telegram.hooked import make_webhook_driver

pytestmark = pytest.mark.timeout(120)

MIB = 1024 * 1024
LARGE = 20 * MIB
CUT = "[cut here: the message is longer than 64 KiB]"
NEXT = Where(Spot.DIRECT, "next")


@asynccontextmanager
async def bounded(running: Stage, most_mib: int) -> AsyncIterator[None]:
    """Check that the program never has so much more memory than before, and hears what follows."""
    _, before = await running.asks("ada", NEXT, "before")
    assert before.text == "before"
    rest = resident_bytes(running.program.pid)
    yield
    _, after = await running.asks("ada", NEXT, "after")
    assert after.text == "after"
    assert peak_bytes(running.program.pid) - rest < most_mib * MIB
    assert "Traceback" not in running.program.log


def slack_event(running: Stage) -> Wire:
    ts = f"{int(time.time())}.{time.monotonic_ns() % 10**6:06d}"
    chat = running.driver.chat_id(Where(Spot.DIRECT, "large"))
    return callback(mention("a" * LARGE, channel=chat, ts=ts), "Ev1")


async def test_slacks_socket_that_brings_too_much_is_renewed(tmp_path: Path) -> None:
    async with stage(make_driver, tmp_path) as running, bounded(running, 40):
        delivery = cast(SlackDriver, running.driver).server.delivery
        opened = delivery.opened
        parcel = Parcel("large", "events_api", slack_event(running), times=1)
        delivery.send(parcel)
        while delivery.opened == opened:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
        await delivery.idle()
        assert "large" not in delivery.counts.accepted
        await running.backstage.buried(1)
        (reason,) = await running.backstage.reasons()
        assert reason.startswith("cannot read what Slack sends: a frame has more than")


async def test_slacks_request_that_brings_too_much_is_refused(tmp_path: Path) -> None:
    async with stage(make_http_driver, tmp_path) as running, bounded(running, 40):
        body = json.dumps(slack_event(running)).encode()
        url = f"http://127.0.0.1:{running.driver.env['SYMPOZIUM_SLACK_PORT']}{PATH}"
        headers = {"Content-Type": "application/json"} | signed(body)
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=io.BytesIO(body), headers=headers) as answer,
        ):
            assert answer.status == 413


async def test_an_update_that_is_too_long_to_poll_is_set_aside_and_confirmed(
    tmp_path: Path,
) -> None:
    async with stage(make_telegram_driver, tmp_path) as running, bounded(running, 80):
        driver = cast(TelegramDriver, running.driver)
        large = await driver.says("ada", Where(Spot.DIRECT, "large"), "a" * LARGE)
        await running.asks("ada", NEXT, "the next")
        await running.asks("ada", NEXT, "the next poll")
        assert large in driver.counts.accepted
        assert await running.backstage.reasons() == [TOO_LONG_TO_POLL]


async def test_an_update_that_is_too_long_for_the_webhook_is_set_aside_and_taken(
    tmp_path: Path,
) -> None:
    async with stage(make_webhook_driver, tmp_path) as running, bounded(running, 40):
        driver = cast(TelegramDriver, running.driver)
        large = await driver.says("ada", Where(Spot.DIRECT, "large"), "a" * LARGE)
        await running.asks("ada", NEXT, "the next")
        assert large in driver.counts.accepted
        assert await running.backstage.reasons() == [TOO_LONG_TO_TAKE]


async def test_a_message_of_discord_below_the_largest_frame_is_cut_and_said_so(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as here, bounded(here.stage, 100):
        where = direct(here)
        await here.discord.says("ada", where, "a" * (MAX_FRAME_BYTES - 64 * 1024))
        heard = await here.stage.heard(where)
        assert heard.text.endswith(CUT)


async def test_an_event_of_discord_that_is_too_large_is_set_aside(tmp_path: Path) -> None:
    async with running(tmp_path) as here, bounded(here.stage, 40):
        for text in ("a" * LARGE, random.Random(1).randbytes(LARGE // 2).hex()):
            await here.discord.says("ada", direct(here), text)
            await here.barrier()
        assert (here.gateway.identified, here.gateway.resumed) == (1, 0)
        reason = f"cannot read a frame: it has more than {MAX_FRAME_BYTES} bytes"
        found = await here.stage.backstage.reasons()
        assert [reason in one for one in found] == [True, True]


@pytest.mark.parametrize("junk", [b"\0junk\0\0\xff\xff", b"\xff" * 9])
async def test_a_compression_of_discord_that_broke_ends_the_connection_and_no_more(
    tmp_path: Path, junk: bytes
) -> None:
    async with running(tmp_path) as here, bounded(here.stage, 40):
        here.gateway.send(junk)
        await here.barrier()
        assert (here.gateway.identified, here.gateway.resumed) == (1, 1)


async def test_a_frame_of_discord_that_is_too_large_to_be_sent_begins_another_session(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as here, bounded(here.stage, 40):
        here.gateway.send(random.Random(1).randbytes(MAX_FRAME_BYTES + 1))
        await here.barrier()
        assert (here.gateway.identified, here.gateway.resumed) == (2, 0)
