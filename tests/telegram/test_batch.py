"""Storing what one poll brought: order, and what may be confirmed."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sympozium.contract.errors import TransientError
from sympozium_telegram.batch import Batch
from sympozium_telegram.entities import Me
from sympozium_telegram.updates import chat_number
from tests.telegram.given import ADA, GROUP, ME, message


class Store:
    """Stands where `Inbound` does, and refuses some updates."""

    def __init__(self, refused: set[int] | None = None) -> None:
        self.refused = refused or set()
        self.stored: list[int] = []
        self.held: list[int] = []

    async def take(self, raw: Any, me: Me) -> None:
        await asyncio.sleep(0)
        if raw["update_id"] in self.refused:
            raise TransientError("the bus is away")
        self.stored.append(raw["update_id"])

    def hold(self, raw: Any, me: Me) -> None:
        self.held.append(raw["update_id"])


def update(number: int, chat: int) -> dict[str, Any]:
    return {"update_id": number, "message": message("x", {"id": chat, "type": "private"})}


async def taken(store: Store, updates: list[dict[str, Any]]) -> Batch:
    batch = Batch(updates, store, ME, asyncio.Event())  # type: ignore[arg-type] # takes as Inbound does
    await batch.take()
    return batch


@settings(max_examples=100, deadline=None)
@given(
    chats=st.lists(st.integers(min_value=1, max_value=4), min_size=1, max_size=20),
    refused=st.sets(st.integers(min_value=100, max_value=119)),
)
def test_nothing_is_confirmed_that_is_not_stored_and_chats_keep_their_order(
    chats: list[int], refused: set[int]
) -> None:
    updates = [update(100 + place, chat) for place, chat in enumerate(chats)]
    store = Store(refused)
    batch = asyncio.run(taken(store, updates))
    offset = batch.offset if batch.offset is not None else 100
    assert set(range(100, offset)) <= set(store.stored)
    assert (batch.error is None) == (offset == 100 + len(chats))
    for chat in set(chats):
        own = [n for n in store.stored if chats[n - 100] == chat]
        expected = [100 + place for place, one in enumerate(chats) if one == chat]
        assert own == expected[: len(own)]


async def test_one_chat_that_cannot_be_stored_holds_no_other_up() -> None:
    store = Store({100})
    batch = await taken(store, [update(100, 1), update(101, 2), update(102, 1)])
    assert (store.stored, store.held) == ([101], [102])
    assert batch.offset is None


async def test_updates_without_an_id_are_never_confirmed() -> None:
    store = Store()
    store.take = lambda raw, me: asyncio.sleep(0)  # type: ignore[method-assign] # whatever it is
    batch = await taken(store, [{"nothing": 1}])
    assert batch.offset is None
    assert batch.error is not None


@pytest.mark.parametrize(
    ("raw", "chat"),
    [
        (update(1, 5), 5),
        ({"edited_message": message(chat=GROUP)}, GROUP["id"]),
        ({"callback_query": {"id": "q", "from": ADA, "message": message(chat=GROUP)}}, GROUP["id"]),
        ({"callback_query": {"id": "q"}}, 0),
        ({"message": {"chat": "x"}}, 0),
        ("text", 0),
    ],
)
def test_the_chat_of_an_update_is_read_as_far_as_it_can_be(raw: object, chat: int) -> None:
    assert chat_number(raw) == chat
