"""Edits and deletions of messages that an agent has not begun with.

Whether it has is decided in one place: the run reads its task from the message's row,
and notes that in the same transaction. What came before that note is in the task, and
what came after it changes nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from sympozium.store.ports import Conversation, Cut, Message, SessionStore
from sympozium_router.runs.runs import Runs
from sympozium_router.runs.turns import cut

log = logging.getLogger(__name__)


class Amendments:
    """Changes and withdraws messages. Doing it again changes nothing.

    Every method raises `TransientError` while a part of the system is away.
    """

    def __init__(
        self, store: SessionStore, runs: Runs, changed: Callable[[Conversation], None]
    ) -> None:
        self._store = store
        self._runs = runs
        self._changed = changed

    async def edit(self, request: Message) -> None:
        """Have the target of *request* say what that says, if its run has not read it yet."""
        target = await self._target(request)
        if target is None or target.inbound.sender.user_id != request.inbound.sender.user_id:
            return
        text = request.inbound.text

        def revise(open_: Sequence[Message]) -> list[Message]:
            return [
                replace(one, inbound=msgspec.structs.replace(one.inbound, text=text))
                for one in open_
                if one.id == target.id and not one.begun_at and not one.cut
            ]

        changed = await self._store.revise(target.conversation, revise)
        if changed or target.inbound.text == text:  # or it was, and what follows was not
            await self._rewrite(target)
        if changed:
            log.info("message edited", extra={"action": "edit", "sequence": target.sequence})

    async def withdraw(self, request: Message) -> None:
        """Have the target of *request* end without a word, if it has not ended yet."""
        target = await self._target(request)
        if target is None:
            return

        def revise(open_: Sequence[Message]) -> list[Message]:
            return cut([one for one in open_ if one.id == target.id], Cut.WITHDRAWN)

        if await self._store.revise(target.conversation, revise):
            log.info("message withdrawn", extra={"action": "cancel", "sequence": target.sequence})
        if target.carried_by and not target.begun_at:
            await self._rewrite(target)
        self._changed(target.conversation)

    async def _target(self, request: Message) -> Message | None:
        """Return the message that *request* is about, unless it is unknown or has ended."""
        key = request.key._replace(message_id=request.inbound.target)
        target = await self._store.known(key)
        return target if target is not None and target.end is None else None

    async def _rewrite(self, message: Message) -> None:
        """Have the run that is asked *message* be asked what the store says, if it waits still."""
        key = message.key._replace(message_id=message.carried_by or message.id)
        asked = await self._store.known(key)
        if asked is not None and asked.end is None:
            await self._runs.rewrite(asked)
