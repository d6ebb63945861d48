"""A cancellation that the client library swallows with an answer is heeded all the same."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from nats.aio.client import Client

from sympozium.bus.admin import channel_consumers, delete_consumer, ensure_bus, ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.contract.subjects import outbox_consumer

WEB = outbox_consumer("ns", "web")

Administering = Callable[[Client], Awaitable[Any]]


@pytest.mark.parametrize(
    "administer",
    [channel_consumers, lambda client: ensure_consumer(client, WEB)],
    ids=["list", "ensure"],
)
async def test_what_administers_the_bus_ends_when_it_is_cancelled_with_the_answer(
    bus: NatsBus, monkeypatch: pytest.MonkeyPatch, administer: Administering
) -> None:
    await ensure_bus(bus.client)
    cancel_with_the_answer(bus.client, monkeypatch)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(as_coroutine(administer(bus.client)))
    assert task.cancelled()


async def test_deleting_ends_so_too_where_nothing_is_left_to_delete(
    bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_bus(bus.client)
    cancel_with_the_answer(bus.client, monkeypatch)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(delete_consumer(bus.client, WEB))
    assert task.cancelled()


def cancel_with_the_answer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each request's task be cancelled, and the library return what came all the same."""
    request = client.request

    async def swallowing(*args: Any, **options: Any) -> Any:
        answer = await request(*args, **options)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return answer

    monkeypatch.setattr(client, "request", swallowing)


async def as_coroutine(awaitable: Awaitable[Any]) -> None:
    await awaitable
