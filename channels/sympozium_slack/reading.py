"""From an event about a message to what is stored of it: pure reading, nothing is asked or sent."""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from sympozium.chat.commands import read_command
from sympozium.chat.gate import Heard, Hearing, Triggers, hear
from sympozium.chat.intake import fitted
from sympozium.chat.mentions import strip_mention
from sympozium.contract.messages import Command, InboundKind, InboundMessage, Place, Sender
from sympozium.contract.names import ConversationId, is_message_id
from sympozium_slack.events import (
    Changed,
    Deleted,
    File,
    MessageEvent,
    Post,
    Typed,
    UnreadableError,
    read,
)
from sympozium_slack.ids import (
    Origin,
    conversation_id,
    deletion_id,
    edit_id,
    is_direct,
    message_id,
)
from sympozium_slack.words import (
    forms_of,
    mentioned,
    mentions_group,
    plain,
    quotation,
    whole,
)

_SAID = {"", "file_share", "thread_broadcast", "bot_message", "me_message"}
"""Subtypes of messages in which somebody says something; the others tell of joins, topics, ..."""

COMMAND_PREFIX = "!"


@dataclass(frozen=True)
class Me:
    """The bot account itself, as `auth.test` tells.

    Attributes:
        user: Its user id, by which it is mentioned.
        bot: Its bot id, by which its own messages are known.
    """

    team: str
    user: str
    bot: str


@dataclass(frozen=True)
class Reading:
    """What an event says.

    Attributes:
        files: What is to be fetched and stored before the message is.
        wants_root: The thread hangs on a message that the bot may not have seen.
    """

    message: InboundMessage
    files: tuple[File, ...] = ()
    wants_root: bool = False


def read_message(event: bytes | msgspec.Raw, me: Me, triggers: Triggers) -> Reading | None:
    """Return what a `message` or `app_mention` event says to the bot; None: nothing.

    Raises:
        UnreadableError: It has not the form of such an event.
    """
    subtype = read(event, Typed).subtype or ""
    if subtype == "message_changed":
        return _read_change(read(event, Changed), me, triggers)
    if subtype == "message_deleted":
        deleted = read(event, Deleted)
        return _read_deletion(
            deleted.channel, deleted.deleted_ts, deleted.previous_message, me, triggers
        )
    if subtype not in _SAID:
        return None
    where = read(event, MessageEvent)
    return read_post(read(event, Post), where.channel, me, triggers)


def read_post(post: Post, channel: str, me: Me, triggers: Triggers) -> Reading | None:
    """Return what a post in a channel says to the bot; None: nothing.

    The same post gives the same reading, be it in an event or in the channel's history.

    Raises:
        UnreadableError: Its time or its channel is none.
    """
    if (post.subtype or "") not in _SAID:
        return None
    hearing = _hearing(post, channel, me, triggers)
    if hearing is Hearing.IGNORED:
        return None
    text = post.text or ""
    is_mention = me.user in mentioned(text)
    said = _said(text, me)
    message = InboundMessage(
        message_id=message_id(me.team, channel, post.ts),
        conversation=_conversation(post, channel, me),
        sender=_sender(post, me),
        text=fitted(said),
        time=time_of(post.ts),
        place=_place(post, channel),
        addressed=hearing is Hearing.ADDRESSED,
        mentions_others=bool(mentioned(text) - {me.user}) or mentions_group(text),
        reply_to=_origin(post, channel, me).written(),
        quoted=quotation(post),
    )
    if not (is_message_id(message.message_id) and is_message_id(message.conversation)):
        raise UnreadableError("cannot read a message of Slack's: its channel or ts is no id")
    command = _command(post, channel, me)
    is_call = is_mention and not (said or post.files or _is_reply(post) or message.quoted)
    if is_call:  # "@bot" and nothing else
        command = Command(name="help")
    if command is not None:
        return Reading(
            msgspec.structs.replace(message, kind=InboundKind.COMMAND, command=command, quoted="")
        )
    return Reading(
        message,
        files=tuple(post.files or ()),
        wants_root=is_mention and _is_reply(post) and not is_direct(channel),
    )


def time_of(ts: str) -> datetime:
    """Return when something was, from a timestamp of Slack's.

    Raises:
        UnreadableError: It is none.
    """
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except (ValueError, OverflowError, OSError):
        raise UnreadableError("cannot read a message of Slack's: its ts is no time") from None


def _read_change(event: Changed, me: Me, triggers: Triggers) -> Reading | None:
    now, before = event.message, event.previous_message
    if now.subtype == "tombstone":
        return _read_deletion(event.channel, now.ts, before, me, triggers)
    if now.edited is None or (before is not None and before.text == now.text):
        return None  # Slack changed it: a link was unfolded, a thread began
    post = _in_thread_of(now, before)
    reading = read_post(post, event.channel, me, triggers)
    if reading is None and before is not None and read_post(before, event.channel, me, triggers):
        # It no longer names the bot; what was asked has changed all the same.
        reading = read_post(
            post, event.channel, me, Triggers(every_message=True, bots=triggers.bots)
        )
    if reading is None:
        return None
    target = message_id(me.team, event.channel, now.ts)
    changed = msgspec.structs.replace(
        reading.message,
        message_id=edit_id(target, now.edited.ts),
        kind=InboundKind.EDIT,
        target=target,
        time=time_of(now.edited.ts),
        command=None,
    )
    return Reading(changed)


def _in_thread_of(post: Post, before: Post | None) -> Post:
    """Return *post* with the thread of what it was before, where it does not say its own."""
    if before is None or post.thread_ts:
        return post
    return msgspec.structs.replace(post, thread_ts=before.thread_ts)


def _read_deletion(
    channel: str, ts: str, before: Post | None, me: Me, triggers: Triggers
) -> Reading | None:
    if before is None:
        return None  # Slack does not say whose it was
    reading = read_post(before, channel, me, triggers)
    if reading is None:
        return None
    target = message_id(me.team, channel, ts)
    deletion = msgspec.structs.replace(
        reading.message,
        message_id=deletion_id(target),
        kind=InboundKind.DELETE,
        target=target,
        text="",
        quoted="",
        command=None,
    )
    return Reading(deletion)


def _hearing(post: Post, channel: str, me: Me, triggers: Triggers) -> Hearing:
    text = post.text or whole(post)
    heard = Heard(
        is_own=post.user == me.user or (bool(post.bot_id) and post.bot_id == me.bot),
        bot_id=_bot_id(post, triggers),
        is_direct=is_direct(channel),
        is_mention=me.user in mentioned(text),
        is_command=_command(post, channel, me) is not None,
        is_in_thread=_is_reply(post),
    )
    if not heard.is_own and not heard.bot_id and not post.user:
        return Hearing.IGNORED  # Slack itself says something
    return hear(heard, triggers)


def _bot_id(post: Post, triggers: Triggers) -> str:
    """Return the id of the bot that wrote *post*: its user id, if it is known by that."""
    if not post.bot_id and post.subtype != "bot_message":
        return ""
    if post.user and post.user in triggers.bots:
        return post.user
    return post.bot_id or post.user or "unknown"


def _command(post: Post, channel: str, me: Me) -> Command | None:
    """Return the command that *post* is, where `!word` may be one: not in the open channel."""
    text = post.text or ""
    may_be = is_direct(channel) or _is_reply(post) or me.user in mentioned(text)
    return read_command(_said(text, me), prefix=COMMAND_PREFIX) if may_be else None


def _said(text: str, me: Me) -> str:
    return plain(strip_mention(text, forms_of(me.user, text)))


def _sender(post: Post, me: Me) -> Sender:
    profile = post.user_profile
    name = (profile.display_name or profile.real_name or "") if profile else ""
    return Sender(
        platform="slack",
        user_id=post.user or post.bot_id or "",
        workspace=post.user_team or post.team or me.team,
        display_name=name,
    )


def _is_reply(post: Post) -> bool:
    return bool(post.thread_ts) and post.thread_ts != post.ts


def _thread(post: Post, channel: str) -> str:
    """Return the thread that answers go into: a message outside of one in a channel begins one."""
    within = (post.thread_ts or "") if _is_reply(post) else ""
    return within or ("" if is_direct(channel) else post.ts)


def _conversation(post: Post, channel: str, me: Me) -> ConversationId:
    return conversation_id(me.team, channel, _thread(post, channel))


def _place(post: Post, channel: str) -> Place:
    thread = (post.thread_ts or "") if _is_reply(post) else ""
    return Place(chat=channel, thread=thread, is_direct=is_direct(channel))


def _origin(post: Post, channel: str, me: Me) -> Origin:
    return Origin(
        channel=channel,
        ts=post.ts,
        thread=_thread(post, channel),
        user=post.user or "",
        team=post.user_team or post.team or me.team,
    )
