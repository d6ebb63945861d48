"""What the tests of the Slack channel are given: events as Slack sends them, and short names."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sympozium.chat.gate import Triggers
from sympozium.chat.markup import Dialect, Piece, render
from sympozium.chat.platform import Shown, Target
from sympozium.contract.messages import Choice, Command
from sympozium.contract.names import ConversationId, MessageId
from sympozium_slack.addresses import Addresses
from sympozium_slack.api import Api, open_session
from sympozium_slack.capabilities import CAPABILITIES
from sympozium_slack.ids import Origin
from sympozium_slack.outbound import SlackPlatform
from sympozium_slack.reading import Me, Reading, read_message
from sympozium_slack.response_urls import ResponseUrls
from tests.platforms.slack.server import SlackServer, slack_server
from tests.platforms.slack.workspace import BOT_ID, BOT_TOKEN, BOT_USER, TEAM, Channel, Message

ME = Me(team=TEAM, user=BOT_USER, bot=BOT_ID)
ADA = "U0ADA"
CHANNEL = "C0GENERAL"
DIRECT = "D0ADA"
TS = "1721609600.000100"
THREAD = "1721609500.000100"
STOP = Choice(label="Stop", command=Command(name="stop", arguments="helper-abc"))


def post(**fields: Any) -> dict[str, Any]:
    """Return a message event in a channel, from Ada, with other fields changed."""
    event = {"type": "message", "channel": CHANNEL, "user": ADA, "ts": TS, "text": "", "team": TEAM}
    return event | fields


def mention(text: str = "hello", **fields: Any) -> dict[str, Any]:
    """Return a message event that names the bot."""
    return post(text=f"<@{BOT_USER}> {text}", **fields)


def reading(event: dict[str, Any], triggers: Triggers | None = None) -> Reading | None:
    """Return what an event is read as."""
    return read_message(json.dumps(event).encode(), ME, triggers or Triggers())


def heard(event: dict[str, Any], triggers: Triggers | None = None) -> Reading:
    """Return what an event that is heard is read as."""
    found = reading(event, triggers)
    assert found is not None
    return found


def shown(markdown: str, **more: Any) -> Shown:
    """Return an answer as the common code has it."""
    (piece,) = render(markdown, Dialect.SLACK, CAPABILITIES.limit)
    return Shown(piece=piece, **more)


PLACEHOLDER = Shown(piece=Piece(text="\u2026", plain="\u2026"), choices=(STOP,))


@dataclass
class Desk:
    """The adapter in front of the stand-in, with a question in a thread of a channel."""

    server: SlackServer
    api: Api
    platform: SlackPlatform
    response_urls: ResponseUrls
    channel: Channel
    question: Message

    @property
    def origin(self) -> Origin:
        """Where the question was asked."""
        return Origin(self.channel.id, self.question.ts, self.question.ts, ADA, TEAM)

    @property
    def target(self) -> Target:
        """What is answered."""
        return target(self.origin)

    @property
    def own(self) -> list[Message]:
        """What the bot said in the channel, oldest first."""
        return [message for message in self.channel.messages.values() if message.bot_id]


def target(origin: Origin) -> Target:
    """Return what is shown in answer to a message at *origin*."""
    return Target(ConversationId("c"), MessageId(f"slack:{origin.channel}"), origin.written())


@asynccontextmanager
async def desk(channel_id: str = CHANNEL) -> AsyncIterator[Desk]:
    """Yield the adapter in front of a stand-in of its own."""
    async with slack_server() as server, open_session() as session:
        workspace = server.workspace
        channel = workspace.channel(channel_id)
        question = Message(ts=workspace.now_ts(), user=ADA, text="which pods run here?")
        workspace.add(channel, question)
        api = Api(session, Addresses(server.url), BOT_TOKEN)
        urls = ResponseUrls()
        yield Desk(server, api, SlackPlatform(api, urls), urls, channel, question)
