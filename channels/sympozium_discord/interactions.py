"""Commands, buttons and menus: what they ask for, and telling Discord that they were received.

An interaction must be answered within three seconds. It is stored first, and then
answered with "later"; for 15 minutes its token lets the answer be shown to the one
who asked and to nobody else. The token stays in this process: after a restart such an
answer is an ordinary message.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from sympozium.chat.commands import read_command
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import Command, InboundKind, InboundMessage, Sender
from sympozium.contract.names import MessageId
from sympozium_discord.components import Choices
from sympozium_discord.library import Route
from sympozium_discord.places import Spot, spot_of
from sympozium_discord.reply_to import ReplyTo
from sympozium_discord.rest import Rest
from sympozium_discord.snowflake import time_of
from sympozium_discord.wire import COMMAND_GIVEN, COMPONENT_USED, Channel, Interaction

TOKEN_LASTS_S = 14 * 60.0
"""A little less than what Discord grants.

Source: https://docs.discord.com/developers/interactions/receiving-and-responding
"""

MAX_OPEN = 1000
EXPECTED_WITHIN_S = 5.0
"""How long an answer waits to learn whether it can be given in private."""

DEFERRED_MESSAGE = 5
DEFERRED_UPDATE = 6
EPHEMERAL = 1 << 6


@dataclass(frozen=True)
class Open:
    """An interaction that can still be answered as such.

    Attributes:
        waits: "Thinking" is shown to the person, and must be replaced or taken away.
    """

    application_id: str
    token: str = field(repr=False)
    until: float
    waits: bool


class OpenInteractions:
    """The interactions that can still be answered as such."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: OrderedDict[str, Open] = OrderedDict()
        self._expected: OrderedDict[str, asyncio.Event] = OrderedDict()

    def expect(self, id_: str) -> None:
        """Note one that is about to be stored: its answer may come before Discord's leave."""
        self._expected.setdefault(id_, asyncio.Event())
        while len(self._expected) > MAX_OPEN:
            self._expected.popitem(last=False)[1].set()

    def give_up(self, id_: str) -> None:
        """Note that one cannot be answered as such."""
        if (expected := self._expected.pop(id_, None)) is not None:
            expected.set()

    async def find(self, id_: str) -> Open | None:
        """Return one if it can be answered as such, as soon as that is known."""
        expected = self._expected.get(id_)
        if expected is not None:
            try:
                async with asyncio.timeout(EXPECTED_WITHIN_S):
                    await expected.wait()
            except TimeoutError:
                return None
        return self.get(id_)

    def add(self, interaction: Interaction, *, waits: bool) -> None:
        """Note one that Discord let us answer later."""
        self._put(interaction, waits)
        self.give_up(interaction.id)

    def _put(self, interaction: Interaction, waits: bool) -> None:
        until = self._clock() + TOKEN_LASTS_S
        self._open[interaction.id] = Open(
            interaction.application_id, interaction.token, until, waits
        )
        while len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)

    def get(self, id_: str) -> Open | None:
        """Return one if it can still be answered."""
        found = self._open.get(id_)
        if found is not None and self._clock() >= found.until:
            del self._open[id_]
            return None
        return found

    def settled(self, id_: str) -> None:
        """Note that "thinking" is not shown any more."""
        if found := self._open.get(id_):
            self._open[id_] = Open(found.application_id, found.token, found.until, waits=False)


def read_interaction(interaction: Interaction, command: Command) -> InboundMessage:
    """Return what an interaction asks for."""
    user = interaction.user or (interaction.member.user if interaction.member else None)
    if user is None:
        raise PermanentError("cannot read an interaction: it names nobody who did it")
    spot = _spot(interaction)
    reply_to = ReplyTo(spot.thread or spot.chat, interaction.id, is_interaction=True)
    return InboundMessage(
        message_id=MessageId(f"discord:{interaction.id}"),
        conversation=spot.conversation_here,
        sender=Sender(
            platform="discord",
            user_id=user.id,
            workspace=spot.guild,
            display_name=(interaction.member.nick if interaction.member else None)
            or user.shown_name,
            groups=list(interaction.member.roles) if interaction.member else [],
        ),
        text="",
        time=time_of(interaction.id),
        kind=InboundKind.COMMAND,
        command=command,
        place=spot.place,
        reply_to=str(reply_to),
    )


async def asked_for(interaction: Interaction, choices: Choices) -> Command | None:
    """Return the command that an interaction means, or None: it is none of ours.

    Raises:
        PermanentError: A button of which nobody knows any more what it asks for.
    """
    said = interaction.data
    if interaction.type == COMMAND_GIVEN:
        given = (option.get("value") for option in said.options)
        arguments = " ".join(str(value) for value in given if value is not None)
        return read_command(f"{said.name} {arguments}", prefix="", any_word=True)
    if interaction.type == COMPONENT_USED:
        return await choices.read(said.values[0] if said.values else said.custom_id)
    return None


async def defer(rest: Rest, interaction: Interaction) -> None:
    """Tell Discord that an interaction was received; raises as `Rest.call`."""
    is_command = interaction.type == COMMAND_GIVEN
    body = (
        {"type": DEFERRED_MESSAGE, "data": {"flags": EPHEMERAL}}
        if is_command
        else {"type": DEFERRED_UPDATE}
    )
    route = Route(
        "POST",
        "/interactions/{webhook_id}/{webhook_token}/callback",
        webhook_id=interaction.id,
        webhook_token=interaction.token,
    )
    await rest.call(route, body)


def _spot(interaction: Interaction) -> Spot:
    channel = interaction.channel or Channel(id=interaction.channel_id, type=0)
    return spot_of(interaction.guild_id, channel)
