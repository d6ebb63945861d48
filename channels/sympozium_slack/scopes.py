"""What the app must be allowed to do, and what it must be told of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """A right of the bot.

    Attributes:
        why: What does not work without it.
        is_needed: Without it nothing works; else something less.
    """

    name: str
    why: str
    is_needed: bool = False


SCOPES = (
    Scope("chat:write", "answers cannot be sent", is_needed=True),
    Scope("app_mentions:read", "mentions in channels are not heard", is_needed=True),
    Scope("im:history", "direct messages are not heard", is_needed=True),
    Scope("channels:history", "threads in public channels are not followed or read after a gap"),
    Scope("groups:history", "the same in private channels"),
    Scope("mpim:history", "the same in group conversations"),
    Scope("im:write", "the form 'Ask an agent' cannot be answered"),
    Scope("commands", "there is no slash command"),
    Scope("reactions:write", "messages are not marked as seen, at work and done"),
    Scope("files:read", "files that people send are not read"),
    Scope("files:write", "files and very long answers cannot be sent"),
    Scope("assistant:write", "the assistant's view shows no status and no beginnings"),
    Scope("chat:write.customize", "answers do not carry the agent's name"),
    Scope("channels:read", "it is not known which public channels the bot is in"),
    Scope("groups:read", "the same of a private channel"),
    Scope("im:read", "a first direct message that came in a gap is not found"),
    Scope("mpim:read", "the same in group conversations"),
)

EVENTS = (
    "app_mention",
    "assistant_thread_context_changed",
    "assistant_thread_started",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
)
