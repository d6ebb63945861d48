"""A channel under test, seen from both sides: people at its platform, and the bus behind it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.platform import Mark

Until = Callable[[], Awaitable[None]]


class Spot(StrEnum):
    """A kind of place at the platform."""

    DIRECT = "direct"
    """A private chat of the person with the bot."""
    CHANNEL = "channel"
    """A channel, group or server where the bot must be named."""


@dataclass(frozen=True)
class Where:
    """A place that a person can write in.

    Attributes:
        name: Any; a place of a name that nobody used before is made, with everybody in it.
            A direct chat is between the person who writes and the bot, whatever its name,
            where a platform has one for each person.
        thread: A message of the person that the thread hangs on, as `Driver.says` returned
            it; empty: not in a thread. Where a platform has no threads, its groups stand in.
    """

    spot: Spot
    name: str = "a"
    thread: str = ""


@dataclass(frozen=True)
class Handed:
    """A file that a person adds to a message."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Seen:
    """One message of the bot, as a person sees it now.

    Attributes:
        text: The words as they are read: markup applied, nothing escaped; code blocks keep
            their lines.
        has_markup: Whether something in it is bold, a link, code and so on.
        buttons: Labels of the buttons or menu entries under it, in order.
        files: Names of the files in it.
        in_thread_of: The person's message whose thread it is in; empty: in the chat itself.
        only_for: The person who alone sees it; empty: everyone.
        pings: People or groups that it notifies; must always be empty.
    """

    id: str
    text: str
    has_markup: bool = False
    buttons: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    author: str = ""
    in_thread_of: str = ""
    only_for: str = ""
    pings: tuple[str, ...] = ()


class Fault(StrEnum):
    """What the platform does to calls of the bot that show something."""

    BUSY = "busy"
    """It answers 429 with the time to wait; calling on during that time is counted."""
    BROKEN = "broken"
    """It answers 5xx and does nothing."""
    RESET = "reset"
    """It resets the connection and does nothing."""
    LOST_ANSWER = "lost-answer"
    """It does what was asked and resets the connection before it answers."""
    GONE = "gone"
    """It says for good that the bot may not write there."""
    REVOKED = "revoked"
    """It says for good that the token is not valid."""
    MARKUP = "markup"
    """It refuses the markup of a text; plain text is accepted."""


@dataclass
class Counts:
    """What the platform counted."""

    calls: int = 0
    calls_in_penalty: int = 0
    accepted: list[str] = field(default_factory=list)
    """Identities of the events that the bot confirmed to have received, in order."""


@dataclass(frozen=True)
class Traits:
    """What people can do at a platform.

    Attributes:
        spots: The kinds of places that there are.
        has_threads: A conversation in a channel has a thread of its own.
        can_edit: People can change what they wrote, and the platform says so.
        can_delete: People can delete what they wrote, and the platform says so.
        has_files: People can send files.
        has_commands: There is a platform's own way to give a command.
    """

    spots: frozenset[Spot]
    has_threads: bool
    can_edit: bool
    can_delete: bool
    has_files: bool
    has_commands: bool


class Driver(Protocol):
    """One bot account at a stand-in platform. People are called by any names one likes."""

    @property
    def capabilities(self) -> Capabilities:
        """As the channel itself describes its platform."""

    @property
    def traits(self) -> Traits:
        """What people can do there."""

    @property
    def env(self) -> dict[str, str]:
        """Environment of the channel's program: tokens and addresses, without the bus."""

    @property
    def module(self) -> str:
        """What `python -m` starts: the channel's program."""

    def user_id(self, person: str) -> str:
        """Return the platform's id of a person, as access lists have it."""

    def chat_id(self, where: Where) -> str:
        """Return the platform's id of a chat."""

    async def says(
        self,
        person: str,
        where: Where,
        text: str,
        *,
        mention: bool = False,
        files: Sequence[Handed] = (),
    ) -> str:
        """Write a message as a person, naming the bot first with *mention*; return its id."""

    async def edits(self, message: str, text: str) -> None:
        """Change a message of a person."""

    async def deletes(self, message: str) -> None:
        """Delete a message of a person."""

    async def commands(self, person: str, where: Where, name: str, arguments: str = "") -> None:
        """Give a command in the platform's own way: slash command, bot command, interaction."""

    async def presses(self, person: str, post: str, label: str) -> None:
        """Press a button, or pick the entry of a menu, under a message of the bot."""

    async def repeats(self, message: str, *, times: int) -> None:
        """Deliver the event of a message again, as the platform may do."""

    async def sends_nonsense(self) -> None:
        """Deliver an event that no one can read."""

    async def cuts_connections(self) -> None:
        """Break every connection with the bot; it may come back at once."""

    def seen(self, where: Where) -> list[Seen]:
        """Return the bot's messages in a place (with its threads), oldest first."""

    def mark(self, message: str) -> Mark:
        """Return what the bot's reaction on a person's message says."""

    async def changed(self) -> None:
        """Return when something visible has changed since it was last asked."""

    def fail(self, fault: Fault, *, times: int = 1, retry_after_s: float = 1.0) -> None:
        """Have the next *times* calls that show something fail so."""

    @property
    def counts(self) -> Counts:
        """What was counted since the start."""


MakeDriver = Callable[[], AbstractAsyncContextManager[Driver]]
"""Starts a stand-in platform on free ports of 127.0.0.1, and ends it."""
