"""The bot account at its start: who it is, which commands its menu has, how updates come."""

import logging
from typing import Any

from sympozium.chat.commands import COMMANDS
from sympozium.contract.errors import PermanentError, TransientError
from sympozium_telegram.bot_api import BotApi
from sympozium_telegram.entities import Me
from sympozium_telegram.settings import Settings, hidden_path
from sympozium_telegram.updates import ALLOWED_UPDATES

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 20
"""Calls of the webhook that Telegram may have open at a time; those of one chat come in turn."""


class Account:
    """One bot account, as the platform knows it."""

    def __init__(self, api: BotApi, settings: Settings) -> None:
        self._api = api
        self._settings = settings
        self._has_menu = False
        self.me: Me | None = None

    async def introduce(self) -> Me:
        """Ask who the bot is, once, and see that its menu of commands is as it should be.

        Raises:
            AccountRefusedError: The token is not valid.
            TransientError: Telegram cannot be asked now.
        """
        if self.me is None:
            found = await self._api.call_object("getMe")
            self.me = Me(self._settings.bot_id, str(found.get("username", "")))
        if not self._has_menu:
            await self._set_menu()
        return self.me

    async def drop_webhook(self) -> None:
        """Have updates wait for a poll: a webhook that is set would keep them.

        Those that wait already are kept. Raises as `introduce`.
        """
        info = await self.webhook()
        if info.get("url"):
            log.warning("a webhook was set and is deleted", extra={"action": "delete_webhook"})
            await self._api.call("deleteWebhook", {"drop_pending_updates": False})

    async def set_webhook(self) -> dict[str, Any]:
        """Have updates brought to us, unless they are already; return what Telegram says of it.

        Raises:
            PermanentError: Telegram does not accept the address.
            TransientError: As `introduce`.
        """
        info = await self.webhook()
        wanted = self.webhook_address
        events = set(info.get("allowed_updates") or ())
        if info.get("url") == wanted and events == set(ALLOWED_UPDATES):
            return info
        params = {
            "url": wanted,
            "secret_token": self._settings.webhook_secret,
            "allowed_updates": list(ALLOWED_UPDATES),
            "max_connections": MAX_CONNECTIONS,
            "drop_pending_updates": False,
        }
        await self._api.call("setWebhook", params)
        log.info("webhook set", extra={"action": "set_webhook"})
        return await self.webhook()

    async def webhook(self) -> dict[str, Any]:
        """Return what `getWebhookInfo` says; raises as `introduce`."""
        return await self._api.call_object("getWebhookInfo")

    @property
    def webhook_address(self) -> str:
        """Where Telegram is to bring updates."""
        return f"{self._settings.webhook_url}/{hidden_path(self._settings.webhook_secret)}"

    async def _set_menu(self) -> None:
        """Set the menu where it differs: a menu set at each start runs into the limits."""
        wanted = [{"command": one.name, "description": one.description} for one in COMMANDS]
        try:
            if await self._api.call("getMyCommands") != wanted:
                await self._api.call("setMyCommands", {"commands": wanted})
                log.info("menu set", extra={"action": "set_menu"})
        except (PermanentError, TransientError) as error:
            log.info("menu not set", extra={"action": "drop", "cause": str(error)})
        self._has_menu = True
