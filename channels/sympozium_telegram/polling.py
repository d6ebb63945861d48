"""Long polling: store, and only then ask for what comes after it, which confirms what came before.

The library's own updater confirms with the next call what is only in its memory, and
spins on an update that it cannot read. This loop confirms what is stored or set aside.
"""

import asyncio
import logging
from typing import Any

from sympozium.chat.errors import AccountRefusedError, PlatformBusyError
from sympozium.chat.health import Health
from sympozium.contract.errors import PermanentError, SympoziumError, TransientError
from sympozium_telegram.account import Account
from sympozium_telegram.batch import Batch
from sympozium_telegram.bot_api import MAX_ANSWER_BYTES, BotApi
from sympozium_telegram.inbound import Inbound
from sympozium_telegram.lease import Lease, LeaseLostError
from sympozium_telegram.refusals import AnswerTooLongError, ConflictError
from sympozium_telegram.updates import ALLOWED_UPDATES, first_number

log = logging.getLogger(__name__)

POLL_S = 25
"""How long Telegram holds a call that has nothing to say."""

POLL_MARGIN_S = 10.0
MAX_UPDATES = 100
TOO_LONG = f"cannot read an update: it is longer than {MAX_ANSWER_BYTES} bytes"
CLAIM_EVERY_S = 0.5
CONFIRM_TIMEOUT_S = 1.0
FINISH_S = 1.5
"""How long the update in hand may take after the stop; it comes again to whoever polls next."""

FIRST_PAUSE_S = 0.25
MAX_PAUSE_S = 15.0
REFUSED_PAUSE_S = 30.0
"""A token that was refused is tried again so seldom: somebody must act first."""


class Poller:
    """The one poller of a bot."""

    def __init__(
        self, api: BotApi, account: Account, inbound: Inbound, lease: Lease, health: Health
    ) -> None:
        self._api = api
        self._account = account
        self._inbound = inbound
        self._lease = lease
        self._health = health
        self._offset: int | None = None
        self._pause_s = FIRST_PAUSE_S
        self._has_update = False
        self._is_answered = False  # else a poll is not held: its answer is the sign of life

    async def poll_loop(self, stop: asyncio.Event) -> None:
        """Poll while the claim to do so is ours, until *stop* is set."""
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(self._claim_and_poll(stop))
            await stop.wait()
            if self._has_update:
                asyncio.get_running_loop().call_later(FINISH_S, polling.cancel)
            else:
                polling.cancel()

    async def _claim_and_poll(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if await self._lease.take():
                    await self._lease.while_held(lambda: self._poll_until(stop))
                else:
                    cause = "another program of this channel polls"
                    self._health.inbound_is_down(cause, reason="Standby")
                    await asyncio.sleep(CLAIM_EVERY_S)
            except LeaseLostError as error:
                log.warning("claim lost", extra={"action": "stop_polling", "cause": str(error)})
            except TransientError as error:
                self._health.inbound_is_down(f"the router is away: {error}", reason="RouterAway")
                await asyncio.sleep(CLAIM_EVERY_S)

    async def _poll_until(self, stop: asyncio.Event) -> None:
        """Poll until *stop* is set; then confirm what is stored, so that it does not come again."""
        try:
            while not stop.is_set():
                await self._poll_once(stop)
        finally:
            if stop.is_set() and self._offset is not None:
                await self._confirm()

    async def _poll_once(self, stop: asyncio.Event) -> None:
        try:
            await self._account.introduce()
            updates = await self._ask()
            self._health.inbound_is_up()
            await self._take_all(updates, stop)
            await self._inbound.finish()
        except ConflictError as error:
            self._health.inbound_is_down(str(error), reason="Conflict")
            await self._back_off()
            await self._look_for_webhook()
        except AccountRefusedError as error:
            self._health.inbound_is_down(str(error), reason=error.reason)
            log.error("account refused", extra={"action": "wait", "cause": str(error)})
            await asyncio.sleep(REFUSED_PAUSE_S)
        except PlatformBusyError as error:
            await asyncio.sleep(error.retry_after_s)
        except SympoziumError as error:
            log.warning("cannot take messages in", extra={"action": "retry", "cause": str(error)})
            self._health.inbound_is_down(str(error))
            await self._back_off()
        else:
            self._pause_s = FIRST_PAUSE_S

    async def _ask(self) -> list[Any]:
        """Return what waits; what is longer than is read is asked for one by one."""
        try:
            return await self._updates(MAX_UPDATES)
        except AnswerTooLongError as error:
            log.warning("cannot read updates", extra={"action": "retry", "cause": str(error)})
        try:
            return await self._updates(1)
        except AnswerTooLongError as error:
            await self._pass_over(error)
            return []

    async def _pass_over(self, error: AnswerTooLongError) -> None:
        """Set an update aside that is too long: none after it comes before it is confirmed.

        Raises:
            AnswerTooLongError: Which one it is cannot be read either.
        """
        number = first_number(error.beginning)
        if number is None:
            raise error
        await self._inbound.set_aside(error.beginning, TOO_LONG)
        self._offset = max(self._offset or 0, number + 1)

    async def _updates(self, limit: int) -> list[Any]:
        params = {
            "offset": self._offset,
            "timeout": POLL_S if self._is_answered else 0,
            "limit": limit,
            "allowed_updates": list(ALLOWED_UPDATES),
        }
        self._is_answered = False
        updates = await self._api.call("getUpdates", params, timeout_s=POLL_S + POLL_MARGIN_S)
        if not isinstance(updates, list):
            raise TransientError("cannot read the answer to getUpdates: it is no list")
        self._is_answered = True
        return updates

    async def _take_all(self, updates: list[Any], stop: asyncio.Event) -> None:
        """Store a batch; the offset moves behind all that is stored or set aside."""
        batch = Batch(updates, self._inbound, await self._account.introduce(), stop)
        self._has_update = True
        try:
            await batch.take()
        finally:
            self._has_update = False
        if batch.offset is not None:
            self._offset = max(self._offset or 0, batch.offset)
        if batch.error is not None:
            raise batch.error

    async def _look_for_webhook(self) -> None:
        """Delete a webhook that keeps updates from us; another poller is waited out."""
        try:
            await self._account.drop_webhook()
        except (TransientError, PermanentError) as error:
            log.info("webhook not looked for", extra={"action": "retry", "cause": str(error)})

    async def _confirm(self) -> None:
        params = {"offset": self._offset, "timeout": 0, "limit": 1}
        try:
            await self._api.call("getUpdates", params, timeout_s=CONFIRM_TIMEOUT_S)
        except SympoziumError as error:
            log.info("updates not confirmed", extra={"action": "drop", "cause": str(error)})

    async def _back_off(self) -> None:
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)
