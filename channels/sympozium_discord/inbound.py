"""From Discord's events to INBOX: an event is dealt with when its message is on the bus' disk."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

import msgspec

from sympozium.bus.ports import BusDeniedError
from sympozium.chat.errors import AccountRefusedError
from sympozium.chat.gate import Hearing, Triggers
from sympozium.chat.holding import hold, seen_to_wait, stored
from sympozium.chat.intake import Intake
from sympozium.chat.outbox.reactions import Marks
from sympozium.chat.program import Office
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import InboundMessage
from sympozium_discord.attachments import Attachments
from sympozium_discord.components import Choices
from sympozium_discord.echoes import Echoes
from sympozium_discord.gateway import Dispatch
from sympozium_discord.interactions import (
    OpenInteractions,
    asked_for,
    defer,
    read_interaction,
)
from sympozium_discord.library import Route
from sympozium_discord.memory import Memory
from sympozium_discord.messages import (
    Us,
    hearing_of,
    read_deletion,
    read_edit,
    read_message,
)
from sympozium_discord.our_roles import OurRoles
from sympozium_discord.places import Places
from sympozium_discord.refusals import DiscordRefusedError
from sympozium_discord.rest import Rest
from sympozium_discord.threads import Threads
from sympozium_discord.wire import (
    COMMAND_GIVEN,
    Channel,
    Deleted,
    Interaction,
    Member,
    Message,
    read,
)

log = logging.getLogger(__name__)

PASSING = (TransientError, AccountRefusedError, BusDeniedError)
"""What is no fault of an event: it can be dealt with when the bus, or a person, has mended it."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0

Handle = Callable[[object], Awaitable[None]]


class Inbound:
    """Deals with events.

    `deal_with` returns when an event is stored, set aside, or not for us; the position
    moves on after that and not before. What cannot be stored now is tried until it is.
    """

    def __init__(self, office: Office, rest: Rest, memory: Memory, threads: Threads) -> None:
        self._intake: Intake = office.intake
        self._triggers: Triggers = office.settings.triggers
        self._marks: Marks = office.marks
        self._rest = rest
        self._memory = memory
        self._threads = threads
        self.places = Places(rest)
        self._our_roles = OurRoles(rest)
        self._attachments = Attachments(rest, office.files)
        self.choices = Choices(office.desk)
        self.interactions = OpenInteractions()
        self.echoes = Echoes()
        self._handlers: dict[str, Handle] = {
            "MESSAGE_CREATE": self._created,
            "MESSAGE_UPDATE": self._updated,
            "MESSAGE_DELETE": self._deleted,
            "MESSAGE_DELETE_BULK": self._deleted,
            "INTERACTION_CREATE": self._interacted,
        }
        self._learners: dict[str, Callable[[object], None]] = {
            "GUILD_CREATE": self._guild,
            "THREAD_CREATE": self._channel,
            "CHANNEL_CREATE": self._channel,
        }

    def cares_for(self, event: Dispatch) -> bool:
        """Return whether an event says what a person did."""
        return event.name in self._handlers

    async def learn(self, event: Dispatch) -> None:
        """Take in what an event says of servers and channels; it is dealt with at once."""
        learn = self._learners.get(event.name)
        if learn is not None:
            try:
                learn(event.data)
            except (PermanentError, ValueError, TypeError, LookupError, AttributeError) as error:
                await self.set_aside(_text_of(event), error)

    async def deal_with(self, event: Dispatch) -> None:
        """Return when *event* is stored, set aside, or found to be not for us."""
        handle = self._handlers[event.name]
        await self._until_done(
            lambda: self._or_set_aside(lambda: handle(event.data), event.name, _text_of(event))
        )

    async def hold(self, event: Dispatch) -> None:
        """Let it be seen of a message that it waits behind another one that is not stored."""
        if event.name != "MESSAGE_CREATE":
            return
        try:
            said = await self._said(read(event.data, Message))
        except (PermanentError, TransientError, ValueError) as error:
            log.debug("event not shown to wait", extra={"action": "drop", "cause": str(error)})
        except Exception:  # the same bug sets it aside when its turn comes
            log.exception("event handler bug", extra={"action": "drop"})
        else:
            if said is not None:
                hold(self._marks, said)

    async def store_missed(self, message: Message) -> None:
        """Take in a message that a history had and no event brought; raises one of `PASSING`."""
        await self._or_set_aside(lambda: self._take(message), "history", message.id)

    async def set_aside(self, event: str, error: Exception) -> None:
        """Keep an event that cannot be read for a person to look at."""
        reason = str(error) if isinstance(error, PermanentError | ValueError) else repr(error)
        data = event.encode(errors="replace")
        await self._until_done(lambda: self._intake.set_aside(data, reason=reason))

    async def _or_set_aside(
        self, act: Callable[[], Awaitable[None]], kind: str, event: str
    ) -> None:
        try:
            await act()
        except PASSING:
            raise
        except Exception as error:
            if not isinstance(error, PermanentError | ValueError):
                told = {"action": "discard", "kind": kind}
                log.error("event handler bug", exc_info=error, extra=told)
            await self.set_aside(event, error)

    async def _until_done(self, act: Callable[[], Awaitable[None]]) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await act()
            except PASSING as error:
                log.warning("event not stored", extra={"action": "retry", "cause": str(error)})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _created(self, data: object) -> None:
        message: Message = read(data, Message)
        if message.author.id == self._memory.user_id:
            self.echoes.heard(str(message.nonce), message.channel_id, message.id)
        await self._take(message)

    async def _take(self, message: Message) -> None:
        said = await self._said(message)
        if said is None:
            return
        with seen_to_wait(self._marks, said):
            if message.attachments:
                said = await self._attachments.added(said, message.attachments)
            self._threads.name(message.id, said.text)
            await self._store(said)
        direct_chat = said.place.chat if said.place.is_direct else ""
        self._memory.stored(message.id, said.sender.user_id, direct_chat)

    async def _said(self, message: Message) -> InboundMessage | None:
        """Return what a message says, without its files; None: it is not for us, or stored."""
        if self._memory.writer_of(message.id) or message.author.id == self._memory.user_id:
            return None
        us = await self._us(message)
        spot = await self.places.spot(message.guild_id, message.channel_id)
        hearing = hearing_of(message, spot, us, self._triggers)
        if hearing is Hearing.IGNORED:
            return None
        if spot.guild and message.member is None and not message.webhook_id:
            message = await self._with_member(message, spot.guild)
        return read_message(message, spot, us, hearing)

    async def _us(self, message: Message) -> Us:
        """Return how the bot may be named in a message."""
        ours, roles = self._memory.user_id, frozenset[str]()
        if message.mention_roles and message.guild_id:
            roles = await self._our_roles.of(message.guild_id, ours)
        return Us(ours, roles)

    async def _with_member(self, message: Message, guild: str) -> Message:
        """Return a message of a history with the roles of its author, which it lacks there."""
        path = "/guilds/{guild_id}/members/{user_id}"
        route = Route("GET", path, guild_id=guild, user_id=message.author.id)
        try:
            member: Member = read(await self._rest.call(route), Member)
        except DiscordRefusedError:  # they left the server since
            return message
        return msgspec.structs.replace(message, member=member)

    async def _updated(self, data: object) -> None:
        if isinstance(data, dict) and "author" not in data:
            return  # a card was added to it
        message: Message = read(data, Message)
        us = await self._us(message)
        spot = await self.places.spot(message.guild_id, message.channel_id)
        hearing = hearing_of(message, spot, us, self._triggers)
        if self._memory.writer_of(message.id) and message.author.id != us.user_id:
            hearing = Hearing.ADDRESSED if hearing is Hearing.IGNORED else hearing
        if hearing is Hearing.IGNORED:
            return
        said = read_edit(message, spot, us, hearing)
        if said is not None:
            await self._store(said)

    async def _deleted(self, data: object) -> None:
        deleted: Deleted = read(data, Deleted)
        for id_ in deleted.ids or [deleted.id]:
            if user_id := self._memory.writer_of(id_):
                spot = await self.places.spot(deleted.guild_id, deleted.channel_id)
                await self._store(read_deletion(id_, spot, user_id))

    async def _interacted(self, data: object) -> None:
        interaction: Interaction = read(data, Interaction)
        command = await asked_for(interaction, self.choices)
        if command is None:
            return
        said = read_interaction(interaction, command)
        self.interactions.expect(interaction.id)
        await self._intake.store(said)
        try:
            await defer(self._rest, interaction)
        except (TransientError, PermanentError) as error:  # it is answered by a message then
            log.info("interaction too late", extra={"action": "drop", "cause": str(error)})
            self.interactions.give_up(interaction.id)
        else:
            is_command = interaction.type == COMMAND_GIVEN
            self.interactions.add(interaction, waits=is_command)

    def _guild(self, data: object) -> None:
        if isinstance(data, dict):
            for channel in [*data.get("channels", []), *data.get("threads", [])]:
                self.places.learn(read(channel, Channel))
            self._our_roles.learn(str(data.get("id")), data.get("roles", []), self._memory.user_id)

    def _channel(self, data: object) -> None:
        self.places.learn(read(data, Channel))

    async def _store(self, message: InboundMessage) -> None:
        await self._intake.store(message)
        stored(self._marks, message)


def _text_of(event: Dispatch) -> str:
    return json.dumps({"t": event.name, "d": _untokened(event.data)})


def _untokened(data: object) -> object:
    """Return *data* without what would let a reader answer in our name."""
    if isinstance(data, dict):
        return {key: one for key, one in data.items() if key != "token"}
    return data
