"""Staying connected to the gateway: resume, begin anew, wait where a person must act."""

import asyncio
import logging
import random
from dataclasses import dataclass

import aiohttp
import msgspec

from sympozium.bus.cancelled import ended
from sympozium.chat.health import Health
from sympozium.contract.errors import TransientError
from sympozium_discord.addresses import Addresses
from sympozium_discord.gap import Gap
from sympozium_discord.gateway import (
    READY_TIMEOUT_S,
    ConnectionLostError,
    Dispatch,
    Gateway,
    GatewayRefusedError,
    Session,
    UnreadableFrameError,
    connected,
)
from sympozium_discord.inbound import Inbound
from sympozium_discord.lanes import Lanes
from sympozium_discord.memory import Memory
from sympozium_discord.wire import User, read

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0
NEW_SESSION_PAUSE_S = 1.0
"""Discord asks for 1 to 5 seconds before a session is begun in place of a refused one."""

LONGEST_NEW_SESSION_PAUSE_S = 120.0
"""There are a thousand sessions a day, and one that is refused again and again uses them up."""

REFUSED_PAUSE_S = 60.0
LONGEST_REFUSED_PAUSE_S = 900.0
"""A refused token must not use up the day's thousand sessions."""

FINISH_TIMEOUT_S = 1.5

REFUSALS = {
    4004: (
        "TokenRefused",
        "Discord does not accept the bot's token; make a new one and put it into the Secret",
    ),
    4010: ("ShardRefused", "Discord does not accept how the bot's connections are divided"),
    4011: (
        "ShardingRequired",
        "the bot is in too many servers for one connection; use several bots",
    ),
    4012: ("VersionRefused", "Discord no longer speaks this version of its gateway; upgrade"),
    4013: ("IntentsRefused", "Discord does not know an intent that was asked for; upgrade"),
    4014: (
        "IntentNotAllowed",
        "the bot may not read messages; turn on the Message Content Intent on the app's Bot page",
    ),
}
"""Close codes after which coming back as we are is of no use.

Source: https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway
"""


class _Ready(msgspec.Struct, frozen=True):
    session_id: str
    resume_gateway_url: str
    user: User
    application: User


@dataclass(frozen=True)
class Wire:
    """Where the gateway is, and how to say who one is."""

    http: aiohttp.ClientSession
    addresses: Addresses
    token: str


class Connection:
    """Keeps one connection to the gateway, and hands on what it brings."""

    def __init__(
        self, wire: Wire, memory: Memory, inbound: Inbound, gap: Gap, health: Health
    ) -> None:
        self._wire = wire
        self._memory = memory
        self._inbound = inbound
        self._gap = gap
        self._health = health
        self._was_ready = False
        self._gateway: Gateway | None = None

    async def inbound_loop(self, stop: asyncio.Event) -> None:
        """Take in events until *stop* is set, and then finish the one in hand."""
        async with asyncio.TaskGroup() as group:
            lanes = Lanes(self._inbound.deal_with, self._inbound.hold, group, self._moved)
            staying = group.create_task(self._stay(lanes))
            await stop.wait()
            await ended(staying)
            if not await lanes.finish(within_s=FINISH_TIMEOUT_S):
                log.info("an event is left", extra={"action": "retry"})  # it comes again

    async def _stay(self, lanes: Lanes) -> None:
        self._lanes = lanes
        await self._load()
        if self._memory.session is not None:
            lanes.begin_session(self._memory.session.sequence)
        pause_s = FIRST_PAUSE_S
        while True:
            self._was_ready = False
            try:
                await self._connect()
            except ConnectionLostError as error:
                wait_s = self._lost(error, pause_s)
            except GatewayRefusedError as error:
                wait_s = self._refused(error, pause_s)
            pause_s = FIRST_PAUSE_S if self._was_ready else min(2 * pause_s, 64 * REFUSED_PAUSE_S)
            await asyncio.sleep(wait_s)

    async def _load(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await self._memory.load()
            except TransientError as error:
                log.info("position not read", extra={"action": "retry", "cause": str(error)})
                self._health.inbound_is_down("the router does not answer", reason="Connecting")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _connect(self) -> None:
        session = self._memory.session
        addresses = self._wire.addresses
        address = addresses.resume(session.url) if session else addresses.gateway
        async with connected(self._wire.http, address, self._wire.token, session) as gateway:
            self._gateway = gateway
            try:
                async with asyncio.timeout(READY_TIMEOUT_S) as waiting:
                    while True:
                        await self._next(gateway)
                        if self._was_ready:
                            waiting.reschedule(None)
            except TimeoutError:
                raise ConnectionLostError("the gateway does not begin a session") from None
            finally:
                self._gateway = None

    async def _next(self, gateway: Gateway) -> None:
        try:
            events = await gateway.next()
        except UnreadableFrameError as error:
            await self._inbound.set_aside(error.frame, error)
            return
        for event in events:
            await self._deal_with(event)
        if self._was_ready:
            self._moved()
            self._health.inbound_is_up()

    def _moved(self) -> None:
        """Note how far the session was dealt with: heartbeats and notes may say so."""
        position, is_listening = self._lanes.position, self._gateway is not None
        is_all = is_listening and self._was_ready and self._lanes.is_idle
        self._memory.heard(position, is_all=is_all)
        if self._gateway is not None:
            self._gateway.dealt_with(position)

    async def _deal_with(self, event: Dispatch) -> None:
        if event.name == "READY":
            self._begun(event)
        elif event.name == "RESUMED":
            self._was_ready = True
            self._gap.look()  # one that was not finished
            log.info("session resumed", extra={"action": "connect"})
        elif self._inbound.cares_for(event):
            await self._lanes.put(event)
            return
        else:
            await self._inbound.learn(event)
        self._lanes.pass_over(event.sequence)

    def _begun(self, event: Dispatch) -> None:
        try:
            ready: _Ready = read(event.data, _Ready)
        except ValueError as error:
            raise ConnectionLostError(
                f"cannot begin a session: {error}", can_resume=False
            ) from None
        self._memory.user_id, self._memory.application_id = ready.user.id, ready.application.id
        self._memory.begin(Session(ready.session_id, event.sequence, ready.resume_gateway_url))
        self._lanes.begin_session(event.sequence)
        self._was_ready = True
        self._gap.look()
        log.info("session begun", extra={"action": "connect"})

    def _lost(self, error: ConnectionLostError, pause_s: float) -> float:
        log.info("connection lost", extra={"action": "retry", "cause": str(error)})
        self._health.inbound_is_down(str(error))
        if not error.can_resume:
            self._memory.forget_session()
            wait_s = NEW_SESSION_PAUSE_S * random.uniform(1.0, 2.0)  # noqa: S311 - spreads load
            return max(wait_s, min(pause_s, LONGEST_NEW_SESSION_PAUSE_S))
        return min(pause_s, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)  # noqa: S311

    def _refused(self, error: GatewayRefusedError, pause_s: float) -> float:
        if error.code not in REFUSALS:
            return self._lost(ConnectionLostError(str(error)), pause_s)
        reason, cause = REFUSALS[error.code]
        log.error("account refused", extra={"action": "give_up", "cause": cause})
        self._health.inbound_is_down(cause, reason=reason)
        self._memory.forget_session()
        return min(REFUSED_PAUSE_S * pause_s / FIRST_PAUSE_S, LONGEST_REFUSED_PAUSE_S)
