"""Channels in numbers, each beside a bare program: `python -m tests.bench.channels [PLATFORM]`.

The bare program uses the same library as its documentation says, at the same stand-in,
and counts or echoes what it hears; nothing outlives it. A channel answers its platform
when the message is on the bus' disk: a synced write for each message is in every number
about messages.
"""

import asyncio
import logging
import sys

from tests.bench.accounts import PLATFORMS
from tests.bench.answers import print_answers
from tests.bench.crowds import print_bus, print_crowd


async def measure(chosen: list[str]) -> None:
    """Print every number of the platforms that are chosen; of all where none is."""
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # programs are killed in mid-sentence
    await print_bus()
    for platform in PLATFORMS:
        if not chosen or platform.name in chosen:
            await print_crowd(platform)
            await print_answers(platform)


if __name__ == "__main__":
    asyncio.run(measure(sys.argv[1:]))
