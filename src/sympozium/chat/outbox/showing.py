"""Showing one message's answer: posting, editing, and what to do where the platform says no."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sympozium.chat.errors import (
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
    ThreadGoneError,
)
from sympozium.chat.outbox.budget import Urgency
from sympozium.chat.outbox.records import Record
from sympozium.chat.outbox.voice import Voice
from sympozium.chat.platform import Attachment, PostId, Shown, Target
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import MessageId

T = TypeVar("T")


@dataclass(frozen=True)
class Posted:
    """Something that can be seen now.

    Attributes:
        is_certain: It says what it was to say. Else it was posted earlier, perhaps as
            a placeholder, and has to be edited.
    """

    id: PostId
    is_certain: bool


@dataclass
class Showing:
    """How one message's answer gets to the platform.

    Attributes:
        until: When to give up on a platform that is away.
        again: What is posted may have been posted before this program began.
        urgency: Before whom it goes.

    Markup that is refused is shown plain. Where the thread is gone it goes on in the
    chat, once, and the record says so.

    Every method raises `PermanentError` where a person must act.
    """

    voice: Voice
    target: Target
    record: Record
    until: datetime
    again: bool = False
    urgency: Urgency = Urgency.END

    async def post(self, shown: Shown, key: str) -> Posted:
        """Post something, or find what was posted under the same key."""

        async def post(target: Target, shown: Shown, again: bool) -> Posted:
            return await self._post_once(target, shown, key, again)

        try:
            return await self._insisted(shown, post)
        except ThreadGoneError:
            self._go_to_the_chat()
            return await self._insisted(shown, post)

    async def edit(self, post: PostId, shown: Shown) -> None:
        """Make a post say something else.

        Raises:
            PostGoneError: It is not there any more; something new can be posted.
        """

        async def edit(target: Target, shown: Shown, _again: bool) -> None:
            await self.voice.platform.edit(target, post, shown)

        try:
            await self._insisted(shown, edit)
        except ThreadGoneError as error:
            self._go_to_the_chat()
            raise PostGoneError(str(error)) from error

    async def remove(self, post: PostId) -> None:
        """Take a post away. Where it cannot be, it is left."""

        async def remove(_again: bool) -> None:
            await self.voice.platform.remove(self.target, post)

        try:
            await self._insist(remove)
        except (PostGoneError, ThreadGoneError):
            return

    async def upload(self, file: Attachment, key: str) -> None:
        """Send a file."""

        async def upload(again: bool) -> None:
            await self.voice.platform.upload(self.target, file, key=key, again=again)

        try:
            await self._insist(upload)
        except ThreadGoneError:
            self._go_to_the_chat()
            await self._insist(upload)

    async def _post_once(self, target: Target, shown: Shown, key: str, again: bool) -> Posted:
        """Make one attempt; the record knows while its outcome is not known."""
        platform = self.voice.platform
        self.record.maybe = True
        try:
            post = await platform.post(target, shown, key=key, again=again)
        except (PlatformBusyError, PermanentError):
            self.record.maybe = again
            raise
        self.record.maybe = False
        return Posted(post, is_certain=not again)

    async def _insisted(
        self, shown: Shown, call: Callable[[Target, Shown, bool], Awaitable[T]]
    ) -> T:
        try:
            return await self._insist(lambda again: call(self.target, shown, again))
        except MarkupRefusedError:
            plain = replace(shown, is_plain=True)
            return await self._insist(lambda again: call(self.target, plain, again))

    async def _insist(self, attempt: Callable[[bool], Awaitable[T]]) -> T:
        again = self.again or self.record.maybe
        return await self.voice.insist(
            self.target, attempt, until=self.until, again=again, urgency=self.urgency
        )

    def _go_to_the_chat(self) -> None:
        """Take the chat for the thread, once; whoever is told again that it is gone gives up."""
        if self.target.in_chat:
            raise PermanentError("cannot show a message: its thread is gone, and so is its chat")
        self.target = replace(self.target, in_chat=True)
        self.record.is_in_chat = True
        self.record.post = self.record.begun = PostId("")


def key_of(message_id: MessageId, piece: int, *, anew: bool = False) -> str:
    """Identify a piece of a message's end; the first has the placeholder's identity.

    Args:
        message_id: The message.
        piece: From 0.
        anew: It stands in for a post that cannot be edited any more.
    """
    return f"{message_id}/end/{piece}" + ("/anew" if anew else "")
