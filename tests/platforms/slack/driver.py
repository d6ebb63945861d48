"""One bot account at the stand-in Slack, seen with a person's eyes."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.platform import Mark
from sympozium.testing.channels.driver import (
    Counts,
    Driver,
    Fault,
    Handed,
    Seen,
    Spot,
    Traits,
    Where,
)
from sympozium.testing.nats_server import free_port
from sympozium_slack.capabilities import CAPABILITIES
from sympozium_slack.marks import EMOJI
from tests.platforms.slack.delivery import Parcel, callback
from tests.platforms.slack.server import Planned, SlackServer, slack_server
from tests.platforms.slack.sight import find_element, seen
from tests.platforms.slack.workspace import (
    APP_TOKEN,
    BOT_TOKEN,
    BOT_USER,
    SIGNING_SECRET,
    TEAM,
    Channel,
    Message,
    Wire,
)

COMMAND = "/sympozium"
TRAITS = Traits(
    spots=frozenset(Spot),
    has_threads=True,
    can_edit=True,
    can_delete=True,
    has_files=True,
    has_commands=True,
)


class SlackDriver:
    """Keeps `sympozium.testing.channels.driver.Driver`. Messages are named `<channel>:<ts>`."""

    def __init__(self, server: SlackServer, env: dict[str, str]) -> None:
        self.server = server
        self._env = env
        self._events: dict[str, list[Wire]] = {}

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def traits(self) -> Traits:
        return TRAITS

    @property
    def env(self) -> dict[str, str]:
        return self._env

    @property
    def module(self) -> str:
        return "sympozium_slack"

    @property
    def counts(self) -> Counts:
        return self.server.counts

    def user_id(self, person: str) -> str:
        return self.server.workspace.user_id(person)

    def chat_id(self, where: Where) -> str:
        prefix = "D" if where.spot is Spot.DIRECT else "C"
        return prefix + hashlib.sha256(where.name.encode()).hexdigest()[:10].upper()

    async def says(
        self,
        person: str,
        where: Where,
        text: str,
        *,
        mention: bool = False,
        files: Sequence[Handed] = (),
    ) -> str:
        channel = self._channel(where)
        written = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        message = Message(
            ts=self.server.workspace.now_ts(),
            user=self.user_id(person),
            text=f"<@{BOT_USER}> {written}" if mention else written,
            thread_ts=_ts(where.thread),
            files=[self._hand(file) for file in files],
        )
        self.server.workspace.add(channel, message)
        self.tell(channel, message)
        return f"{channel.id}:{message.ts}"

    def tell(self, channel: Channel, message: Message) -> str:
        """Tell the bot of a message; one that names it comes as two events."""
        event = self.event(channel, message)
        events = [event]
        if f"<@{BOT_USER}" in message.text and not channel.is_direct:
            events.append(event | {"type": "app_mention"})
        identity = f"{channel.id}:{message.ts}"
        self._events[identity] = events
        self._send(identity, events)
        return identity

    def event(self, channel: Channel, message: Message) -> Wire:
        """Return the event of a new message."""
        more: Wire = {
            "channel": channel.id,
            "channel_type": "im" if channel.is_direct else "channel",
            "event_ts": message.ts,
        }
        if message.files:
            more["subtype"] = "file_share"
        return message.wire() | more

    async def edits(self, message: str, text: str) -> None:
        channel, posted = self._found(message)
        before = posted.wire()
        mention = f"<@{BOT_USER}> " if posted.text.startswith(f"<@{BOT_USER}>") else ""
        posted.text, posted.edited = f"{mention}{text}", self.server.workspace.now_ts()
        self._tell_of(channel, "message_changed", message=posted.wire(), previous_message=before)

    async def deletes(self, message: str) -> None:
        channel, posted = self._found(message)
        del channel.messages[posted.ts]
        self._tell_of(
            channel, "message_deleted", deleted_ts=posted.ts, previous_message=posted.wire()
        )

    async def commands(self, person: str, where: Where, name: str, arguments: str = "") -> None:
        if where.thread:
            await self.says(person, where, f"!{name} {arguments}".strip())
            return
        await self.slash(person, where, f"{name} {arguments}".strip())

    async def slash(self, person: str, where: Where, text: str) -> Parcel:
        """Give the slash command with a text."""
        trigger = self.server.workspace.next_id("trigger.")
        payload: Wire = {
            "command": COMMAND,
            "text": text,
            "user_id": self.user_id(person),
            "user_name": person,
            "team_id": TEAM,
            "channel_id": self._channel(where).id,
            "channel_name": "here",
            "trigger_id": trigger,
            "response_url": f"https://hooks.slack.com/commands/{trigger}",
        }
        return self.server.delivery.send(Parcel(trigger, "slash_commands", payload, times=1))

    async def presses(self, person: str, post: str, label: str) -> None:
        channel, message = self._found(post)
        element, option = find_element(message, label)
        action = {"type": element["type"], "action_id": element["action_id"], "block_id": "b"}
        picked: Wire = {"selected_option": option} if option else {"value": element["value"]}
        await self.interacts(
            person,
            {
                "type": "block_actions",
                "channel": {"id": channel.id, "name": "here"},
                "container": {
                    "type": "message",
                    "message_ts": message.ts,
                    "channel_id": channel.id,
                    "is_ephemeral": bool(message.only_for),
                },
                "message": message.wire(),
                "actions": [action | picked],
            },
        )

    async def interacts(self, person: str, payload: Wire) -> Parcel:
        """Send something of the kind `interactive`."""
        trigger = self.server.workspace.next_id("trigger.")
        user = {"id": self.user_id(person), "username": person, "name": person, "team_id": TEAM}
        given = {"user": user, "team": {"id": TEAM}, "trigger_id": trigger, **payload}
        return self.server.delivery.send(Parcel(trigger, "interactive", given, times=1))

    async def repeats(self, message: str, *, times: int) -> None:
        for _ in range(times):
            self._send(message, self._events[message])

    async def sends_nonsense(self) -> None:
        event = {"type": "message", "channel": 5, "ts": ["never"]}
        self._send("nonsense", [event])

    async def cuts_connections(self) -> None:
        await self.server.delivery.cut()

    def seen(self, where: Where) -> list[Seen]:
        channel = self._channel(where)
        messages = sorted(channel.messages.values(), key=lambda message: float(message.ts))
        return [seen(self.server.workspace, channel, one) for one in messages if one.bot_id]

    def mark(self, message: str) -> Mark:
        _, posted = self._found(message)
        names = {emoji: mark for mark, emoji in EMOJI.items()}
        marks = [names[name] for name, _ in posted.reactions]
        return marks[0] if len(marks) == 1 else Mark.NONE

    async def changed(self) -> None:
        await self.server.workspace.changed()

    def fail(self, fault: Fault, *, times: int = 1, retry_after_s: float = 1.0) -> None:
        self.server.fail(Planned(fault, times, retry_after_s))

    def _channel(self, where: Where) -> Channel:
        return self.server.workspace.channel(self.chat_id(where))

    def _found(self, message: str) -> tuple[Channel, Message]:
        id_, _, ts = message.partition(":")
        channel = self.server.workspace.channel(id_)
        return channel, channel.messages[ts]

    def _hand(self, file: Handed) -> Wire:
        id_ = self.server.workspace.next_id("F")
        self.server.workspace.bytes[id_] = file.data
        url = f"https://files.slack.com/files-pri/{id_}"
        self.server.workspace.files[id_] = {
            "id": id_,
            "name": file.name,
            "title": file.name,
            "mimetype": file.media_type,
            "size": len(file.data),
            "mode": "hosted",
            "url_private": url,
            "url_private_download": url,
        }
        return self.server.workspace.files[id_]

    def _tell_of(self, channel: Channel, subtype: str, **more: object) -> None:
        event: Wire = {
            "type": "message",
            "subtype": subtype,
            "channel": channel.id,
            "channel_type": "im" if channel.is_direct else "channel",
            "ts": self.server.workspace.now_ts(),
            "hidden": True,
            **more,
        }
        self._send(self.server.workspace.next_id("change."), [event])

    def _send(self, identity: str, events: list[Wire]) -> None:
        for event in events:
            event_id = self.server.workspace.next_id("Ev")
            self.server.delivery.send(Parcel(identity, "events_api", callback(event, event_id)))


def _ts(message: str) -> str:
    return message.partition(":")[2]


@asynccontextmanager
async def make_driver() -> AsyncIterator[Driver]:
    """Start the stand-in with Socket Mode, and end it."""
    async with slack_server() as server:
        env = {
            "SYMPOZIUM_API_URL": server.url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
        }
        yield SlackDriver(server, env)


@asynccontextmanager
async def make_http_driver() -> AsyncIterator[Driver]:
    """Start the stand-in with the Events API over HTTP, and end it."""
    port = free_port()
    async with slack_server(callback_url=f"http://127.0.0.1:{port}/slack/events") as server:
        env = {
            "SYMPOZIUM_API_URL": server.url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SYMPOZIUM_SLACK_TRANSPORT": "http",
            "SYMPOZIUM_SLACK_PORT": str(port),
        }
        yield SlackDriver(server, env)
