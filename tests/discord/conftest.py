"""A channel that runs, for one test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.discord.running import Running, running


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Running]:
    """A channel between a stand-in Discord and a bus."""
    async with running(tmp_path) as run:
        yield run
