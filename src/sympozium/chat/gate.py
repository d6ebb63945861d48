"""Whether a message is for the bot, as far as the message itself can say.

What is not for the bot is not stored anywhere. In a thread the message alone cannot
say it: whether the bot takes part there is known to the router, which is asked by
storing the message as not addressed for certain.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum


class Hearing(Enum):
    """What becomes of a message."""

    IGNORED = "ignored"
    ADDRESSED = "addressed"
    PERHAPS = "perhaps"
    """In a thread without a mention: `InboundMessage.addressed` is False."""


@dataclass(frozen=True)
class Triggers:
    """Which messages are for the bot; see `contract.channel.Triggers`."""

    every_message: bool = False
    follow_threads: bool = True
    bots: Collection[str] = ()


@dataclass(frozen=True)
class Heard:
    """What is seen of a message.

    Attributes:
        bot_id: Id of the bot that wrote it; empty for a person.
        is_own: The bot itself wrote it.
        is_mention: It names the bot.
        is_reply_to_us: It answers a message of the bot.
    """

    is_own: bool = False
    bot_id: str = ""
    is_direct: bool = False
    is_mention: bool = False
    is_reply_to_us: bool = False
    is_command: bool = False
    is_in_thread: bool = False


def hear(heard: Heard, triggers: Triggers) -> Hearing:
    """Return whether a message is for the bot.

    A bot is heard only where it is named among the triggers and mentions us: two bots
    that follow each other's threads would never end.
    """
    if heard.is_own:
        return Hearing.IGNORED
    named = heard.is_mention or heard.is_command
    if heard.bot_id:
        is_heard = heard.bot_id in triggers.bots and (named or triggers.every_message)
        return Hearing.ADDRESSED if is_heard else Hearing.IGNORED
    if heard.is_direct or named or heard.is_reply_to_us or triggers.every_message:
        return Hearing.ADDRESSED
    if heard.is_in_thread and triggers.follow_threads:
        return Hearing.PERHAPS
    return Hearing.IGNORED
