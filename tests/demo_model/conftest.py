"""A running demonstration model and a client for it."""

from collections.abc import AsyncIterator

import openai
import pytest

from sympozium_local.demo_model.server import DemoModel, serve


@pytest.fixture
async def demo() -> AsyncIterator[DemoModel]:
    """A model on a free port."""
    async with serve() as model:
        yield model


@pytest.fixture
async def client(demo: DemoModel) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client, without retries of its own."""
    async with openai.AsyncOpenAI(base_url=demo.url, api_key="none", max_retries=0) as connected:
        yield connected
