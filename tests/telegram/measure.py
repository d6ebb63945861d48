"""What the Telegram channel costs, beside the bare library: `python -m tests.telegram.measure`.

Messages a second from Telegram to the bus' disk, memory, and the time from a run's first
token to the first visible change. The library does less: it stores nothing and confirms
before anything was done.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage, stage
from tests.platforms.telegram.driver import TelegramDriver, make_driver
from tests.platforms.telegram.markup import Parsed
from tests.platforms.telegram.server import TOKEN
from tests.platforms.telegram.world import Stored

MESSAGES = 3000
CHATS = 50
ANSWERS = 10
PATIENCE_S = 120.0

LIBRARY = """
import sys
from telegram.ext import ApplicationBuilder, MessageHandler, filters

async def heard(update, context):
    pass

token, url = sys.argv[1:]
built = ApplicationBuilder().token(token).base_url(url + "/bot").build()
built.add_handler(MessageHandler(filters.ALL, heard))
built.run_polling(allowed_updates=["message"])
"""


def fill(driver: TelegramDriver) -> None:
    """Have messages wait for the bot."""
    for number in range(MESSAGES):
        chat = driver.chat(Where(Spot.DIRECT, f"c{number % CHATS}"))
        stored = Stored(
            driver.world.next_message_id(),
            driver.world.person("ada"),
            Parsed(f"which pods run in namespace {number}?"),
        )
        driver.puts(chat, stored)


async def until_confirmed(driver: TelegramDriver) -> float:
    """Return how long it takes from the first confirmation on until all are confirmed."""
    world = driver.world
    async with asyncio.timeout(PATIENCE_S):
        while not world.confirmed:  # noqa: ASYNC110 - the stand-in has no event for it
            await asyncio.sleep(0.002)
        begun, first = time.perf_counter(), len(world.confirmed)
        while len(world.confirmed) < MESSAGES:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.002)
    return (MESSAGES - first) / (time.perf_counter() - begun)


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def channel_speed() -> tuple[float, float]:
    """Return messages a second and memory of the channel."""
    with tempfile.TemporaryDirectory() as directory:
        async with make_driver() as driver:
            fill(driver)
            async with stage(lambda: nullcontext(driver), Path(directory)) as running:
                speed = await until_confirmed(driver)
                return speed, memory_mb(pid_of(running))


async def library_speed() -> tuple[float, float]:
    """Return messages a second and memory of the bare library."""
    async with make_driver() as driver:
        fill(driver)
        process = subprocess.Popen(  # noqa: ASYNC220 - starting takes a millisecond
            [sys.executable, "-c", LIBRARY, TOKEN, driver.server.url],
            env={"PATH": os.environ["PATH"]},
            stderr=subprocess.DEVNULL,
        )
        try:
            speed = await until_confirmed(driver)
            return speed, memory_mb(process.pid)
        finally:
            process.kill()
            process.wait()


async def first_words() -> list[float]:
    """Return the seconds from a run's first token to what a person sees of it."""
    took = []
    with tempfile.TemporaryDirectory() as directory:
        async with stage(make_driver, Path(directory)) as running:
            for number in range(ANSWERS):
                where = running.somewhere(direct=bool(number % 2))
                _, heard = await running.asks("ada", where)
                run = await running.backstage.accept(heard)
                await running.sees(where, lambda seen: len(seen) == 1, "a placeholder")
                await asyncio.sleep(1.0)  # it follows the run by now, and the chat has room
                begun = time.perf_counter()
                await running.backstage.writes(run, "there are two")
                await running.sees_once(where, "there are two")
                took.append(time.perf_counter() - begun)
                await running.backstage.finish(heard, run, "two")
    return sorted(took)


def pid_of(running: Stage) -> int:
    """Return the process id of a stage's program."""
    process = running.program._process
    assert process is not None
    return process.pid


async def main() -> None:
    """Measure and print."""
    ours, our_memory = await channel_speed()
    theirs, their_memory = await library_speed()
    took = await first_words()
    sys.stdout.write(
        f"messages a second, stored on disk and confirmed: {ours:.0f}\n"
        f"messages a second, bare library, nothing stored: {theirs:.0f}\n"
        f"memory in MB: {our_memory:.1f}; bare library: {their_memory:.1f}\n"
        f"first token to first visible change: p50 {1000 * took[len(took) // 2]:.0f} ms, "
        f"worst of {len(took)} {1000 * took[-1]:.0f} ms\n"
    )


if __name__ == "__main__":
    asyncio.run(main())
