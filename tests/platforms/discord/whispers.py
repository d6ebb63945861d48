"""Interactions: three seconds to answer, fifteen minutes to say something to one person."""

import asyncio
import json
import time
from dataclasses import dataclass, field

from aiohttp import web

from tests.platforms.discord.faults import Faults, RefusedError
from tests.platforms.discord.ids import new_id
from tests.platforms.discord.rules import check_message
from tests.platforms.discord.world import Json, Whisper, World

ANSWER_WITHIN_S = 3.0
DEFERRED_MESSAGE, DEFERRED_UPDATE = 5, 6
EPHEMERAL = 1 << 6


@dataclass
class Asked:
    """An interaction that a person made."""

    id: str
    token: str
    person: str
    room: str
    at: float = field(default_factory=time.monotonic)
    answer: int = 0
    is_over: bool = False


class Whispers:
    """The calls about interactions."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults
        self.asked: dict[str, Asked] = {}
        self.callbacks_are_open = asyncio.Event()
        self.callbacks_are_open.set()

    def ask(self, person: str, room: str) -> Asked:
        """Note that a person has done something that the bot must answer."""
        asked = Asked(new_id(), f"token-{new_id()}-secret", person, room)
        self.asked[asked.token] = asked
        return asked

    async def callback(self, request: web.Request) -> web.Response:
        """Take the first answer."""
        asked = self.asked.get(request.match_info["token"])
        if asked is None or asked.id != request.match_info["id"]:
            raise RefusedError(404, 10062, "Unknown interaction")
        if time.monotonic() - asked.at > ANSWER_WITHIN_S:
            raise RefusedError(404, 10062, "Unknown interaction")
        if asked.answer:
            raise RefusedError(400, 40060, "Interaction has already been acknowledged")
        await self.callbacks_are_open.wait()
        body = await request.json()
        assert body["type"] in {DEFERRED_MESSAGE, DEFERRED_UPDATE}, body
        asked.answer = body["type"]
        if asked.answer == DEFERRED_MESSAGE:
            assert body["data"]["flags"] == EPHEMERAL
            self._world.whispers[asked.id] = Whisper(asked.person, asked.room, is_loading=True)
            self._world.changed()
        return web.Response(status=204)

    async def edit(self, request: web.Request) -> web.Response:
        """Put an answer in the place of "thinking"."""
        asked, body = self._found(request), await request.json()

        async def do() -> web.Response:
            check_message(body, has_files=False, room=asked.room)
            whisper = self._world.whispers[asked.id]
            whisper.is_loading = False
            whisper.message = {"id": asked.id, "attachments": []} | body
            self._world.changed()
            return _json(whisper.message)

        return await self._faults.meet(request, asked.room, body.get("content") or "", do)

    async def delete(self, request: web.Request) -> web.Response:
        """Take "thinking" or an answer away."""
        asked = self._found(request)
        del self._world.whispers[asked.id]
        self._world.changed()
        return web.Response(status=204)

    def _found(self, request: web.Request) -> Asked:
        asked = self.asked.get(request.match_info["token"])
        is_known = asked is not None and not asked.is_over and asked.id in self._world.whispers
        if asked is None or not is_known:
            raise RefusedError(401, 50027, "Invalid Webhook Token")
        assert request.match_info["application"] == self._world.application
        return asked


def _json(body: Json) -> web.Response:
    data = json.dumps(body).encode()
    return web.Response(body=data, headers={"Content-Type": "application/json"})
