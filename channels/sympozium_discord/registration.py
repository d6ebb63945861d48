"""The bot's commands in Discord's menu: written once, and again only when they differ."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from sympozium.chat.commands import COMMANDS, CommandInfo
from sympozium.contract.errors import PermanentError, TransientError
from sympozium_discord.library import Route
from sympozium_discord.memory import Memory
from sympozium_discord.rest import Rest

log = logging.getLogger(__name__)

PATH = "/applications/{application_id}/commands"
LOOK_EVERY_S = 0.5
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 600.0

TEXT_OPTION = 3
IN_SERVERS, IN_DIRECT_CHATS = 0, 1


def definitions(commands: Sequence[CommandInfo] = COMMANDS) -> list[dict[str, Any]]:
    """Return *commands* as Discord's menu has them."""
    return [
        {
            "name": command.name,
            "type": 1,
            "description": command.description[:100],
            "options": _options(command),
            "contexts": [IN_SERVERS, IN_DIRECT_CHATS],
        }
        for command in commands
    ]


def differ(wanted: list[dict[str, Any]], there: list[dict[str, Any]]) -> bool:
    """Return whether the menu has to be written."""
    return {_compared(one) for one in wanted} != {_compared(one) for one in there}


class Registration:
    """Puts the commands into the menu."""

    def __init__(self, rest: Rest, memory: Memory) -> None:
        self._rest = rest
        self._memory = memory

    async def register_loop(self, stop: asyncio.Event) -> None:
        """Register the commands once, and return when *stop* is set."""
        async with asyncio.TaskGroup() as group:
            registering = group.create_task(self._register())
            await stop.wait()
            registering.cancel()

    async def _register(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            while not self._memory.application_id:  # noqa: ASYNC110 - told by the gateway, once
                await asyncio.sleep(LOOK_EVERY_S)
            try:
                return await self._write()
            except (TransientError, PermanentError) as error:
                log.warning("commands not set", extra={"action": "retry", "cause": str(error)})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _write(self) -> None:
        application = self._memory.application_id
        there = await self._rest.call(Route("GET", PATH, application_id=application))
        wanted = definitions()
        listed = there if isinstance(there, list) else []
        if differ(wanted, [one for one in listed if isinstance(one, dict)]):
            await self._rest.call(Route("PUT", PATH, application_id=application), wanted)
            log.info("commands set", extra={"action": "register", "count": len(wanted)})


def _options(command: CommandInfo) -> list[dict[str, Any]]:
    if not command.argument:
        return []
    option = {"type": TEXT_OPTION, "name": command.argument, "description": command.argument}
    return [option | {"required": False}]


def _compared(definition: dict[str, Any]) -> str:
    options = [
        (one.get("type"), one.get("name"), one.get("description"), bool(one.get("required")))
        for one in definition.get("options") or []
    ]
    contexts = sorted(definition.get("contexts") or [])
    return repr((definition.get("name"), definition.get("description"), options, contexts))
