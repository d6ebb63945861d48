"""What a Discord message says to the bot: pure reading, from the event to an `InboundMessage`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from sympozium.chat.commands import read_command
from sympozium.chat.gate import Heard, Hearing, Triggers, hear
from sympozium.chat.intake import fitted
from sympozium.chat.mentions import strip_mention
from sympozium.contract.messages import Command, InboundKind, InboundMessage, Sender
from sympozium.contract.names import MessageId
from sympozium_discord.places import Spot
from sympozium_discord.snowflake import time_of
from sympozium_discord.wire import MESSAGE_TYPES, Embed, Message, Referenced

MAX_QUOTED_CHARS = 8000
COMMAND_PREFIX = "!"

_MENTION = re.compile(r"<@!?(\d{1,20})>")
_EMOJI = re.compile(r"<a?(:\w{2,32}:)\d{1,20}>")


@dataclass(frozen=True)
class Us:
    """The bot among the others.

    Attributes:
        roles: Ids of the roles that servers made for the bot; naming one is naming it.
    """

    user_id: str
    roles: frozenset[str] = frozenset()

    @property
    def forms(self) -> tuple[str, ...]:
        """How the platform writes a mention of the bot."""
        return (
            f"<@{self.user_id}>",
            f"<@!{self.user_id}>",
            *(f"<@&{role}>" for role in sorted(self.roles)),
        )


def message_id(id_: str) -> MessageId:
    """Return the identity of a message."""
    return MessageId(f"discord:{id_}")


def hearing_of(message: Message, spot: Spot, us: Us, triggers: Triggers) -> Hearing:
    """Return whether a message is for the bot."""
    if message.type not in MESSAGE_TYPES:
        return Hearing.IGNORED
    is_mention = any(form in message.content for form in us.forms)
    referenced = message.referenced_message
    author = referenced.author if referenced is not None else None
    heard = Heard(
        is_own=message.author.id == us.user_id,
        bot_id=_bot_id(message),
        is_direct=spot.is_direct,
        is_mention=is_mention,
        is_reply_to_us=author is not None and author.id == us.user_id,
        is_in_thread=bool(spot.thread),
    )
    return hear(heard, triggers)


def read_message(message: Message, spot: Spot, us: Us, hearing: Hearing) -> InboundMessage:
    """Return what somebody said, without its files."""
    text = strip_mention(message.content, us.forms)
    may_command = spot.is_direct or bool(spot.thread) or text != message.content.strip()
    command = read_command(text, prefix=COMMAND_PREFIX) if may_command else None
    quoted = _quoted(message)
    if not (text or command or message.attachments):
        command, text = (None, "See what is quoted.") if quoted else (Command(name="help"), "")
    return InboundMessage(
        message_id=message_id(message.id),
        conversation=spot.conversation(message.id),
        sender=sender_of(message, spot),
        text=fitted(_readable(text, message)) if command is None else "",
        time=time_of(message.id),
        kind=InboundKind.MESSAGE if command is None else InboundKind.COMMAND,
        command=command,
        place=spot.place,
        addressed=hearing is Hearing.ADDRESSED,
        mentions_others=any(id_ != us.user_id for id_ in _MENTION.findall(message.content)),
        reply_to=str(spot.reply_to(message.id)),
        quoted=fitted(quoted),
    )


def read_edit(message: Message, spot: Spot, us: Us, hearing: Hearing) -> InboundMessage | None:
    """Return what a message says now, or None where nobody has changed it.

    Discord sends the same event when it adds the preview of a link.
    """
    if not message.edited_timestamp:
        return None
    edited = _time(message.edited_timestamp)
    said = read_message(message, spot, us, hearing)
    text = fitted(_readable(strip_mention(message.content, us.forms), message))
    return msgspec.structs.replace(
        said,
        message_id=MessageId(f"{said.message_id}:edit:{message.edited_timestamp}"),
        target=said.message_id,
        kind=InboundKind.EDIT,
        command=None,
        text=text,
        time=edited,
    )


def read_deletion(id_: str, spot: Spot, user_id: str) -> InboundMessage:
    """Return that a message is gone, which *user_id* had written."""
    return InboundMessage(
        message_id=MessageId(f"{message_id(id_)}:del"),
        conversation=spot.conversation(id_),
        sender=Sender(platform="discord", user_id=user_id, workspace=spot.guild),
        text="",
        time=datetime.now(UTC),
        kind=InboundKind.DELETE,
        target=message_id(id_),
        place=spot.place,
        reply_to=str(spot.reply_to(id_)),
    )


def sender_of(message: Message, spot: Spot) -> Sender:
    """Return who wrote a message: Discord says it, and never the text."""
    member = message.member
    name = (member.nick if member is not None else None) or message.author.shown_name
    return Sender(
        platform="discord",
        user_id=message.webhook_id or message.author.id,
        workspace=spot.guild,
        display_name=name,
        groups=list(member.roles) if member is not None else [],
    )


def _bot_id(message: Message) -> str:
    if message.webhook_id:
        return message.webhook_id
    return message.author.id if message.author.bot else ""


def _readable(text: str, message: Message) -> str:
    """Write the people who are named by their names, and emoji by theirs."""
    names = {user.id: user.shown_name for user in message.mentions}
    named = _MENTION.sub(lambda found: "@" + names.get(found[1], found[1]), text)
    return _EMOJI.sub(r"\1", named)


def _quoted(message: Message) -> str:
    """Return what the message stands in reply to, was forwarded, or has as cards."""
    sources = [snapshot.message for snapshot in message.message_snapshots]
    if message.referenced_message is not None:
        sources.append(message.referenced_message)
    texts = [_text_of(source) for source in sources]
    if message.author.bot or message.webhook_id:
        texts += [_card(embed) for embed in message.embeds]
    return "\n\n".join(text for text in texts if text)[:MAX_QUOTED_CHARS]


def _text_of(source: Referenced) -> str:
    return "\n".join(text for text in (source.content, *map(_card, source.embeds)) if text)


def _card(embed: Embed) -> str:
    fields = [f"{field.name}: {field.value}" for field in embed.fields]
    return "\n".join(text for text in (embed.title, embed.description, *fields) if text)


def _time(timestamp: str) -> datetime:
    moment = datetime.fromisoformat(timestamp)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
