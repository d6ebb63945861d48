"""The adapter in front of a stand-in, and the program between a stand-in and a bus."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium.testing.channels.stage import Stage, stage
from tests.platforms.slack.driver import make_driver, make_http_driver
from tests.slack.given import Desk, desk


@pytest.fixture
async def at_desk() -> AsyncIterator[Desk]:
    """The adapter, with a question in a channel."""
    async with desk() as made:
        yield made


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Stage]:
    """The program with Socket Mode, for one test."""
    async with stage(make_driver, tmp_path) as running:
        yield running


@pytest.fixture
async def own_http(tmp_path: Path) -> AsyncIterator[Stage]:
    """The program with the Events API over HTTP, for one test."""
    async with stage(make_http_driver, tmp_path) as running:
        yield running
