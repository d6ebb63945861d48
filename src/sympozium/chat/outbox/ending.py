"""The end of a message, shown once: the placeholder becomes the answer, and the rest follows.

How far it has come is noted step by step. Whoever is killed in the middle is
followed by someone who reads the note and goes on; a post whose note was not
kept is found by its key, or was only a placeholder.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    PostGoneError,
)
from sympozium.chat.files import Files
from sympozium.chat.outbox import wording
from sympozium.chat.outbox.plan import Plan, plan_end, said
from sympozium.chat.outbox.progress import placeholder
from sympozium.chat.outbox.records import Record, Records
from sympozium.chat.outbox.showing import Showing, key_of
from sympozium.chat.outbox.voice import Voice
from sympozium.chat.platform import Attachment, PostId, Shown, Target
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import FileRef, OutboundMessage
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point

log = logging.getLogger(__name__)

LATE_S = 5.0
"""A preview whose answer was lost may reach the platform so much later than the end."""


Correction = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Occasion:
    """What is known of the moment at which an end is shown.

    Attributes:
        until: When to give up on a platform that is away.
        again: Part of it may have been shown by someone who was killed.
        late_preview: A preview may still be on its way to the platform.
    """

    until: datetime
    again: bool = False
    late_preview: bool = False


class Ending:
    """Shows the ends of messages."""

    def __init__(self, voice: Voice, records: Records, files: Files) -> None:
        self._voice = voice
        self._records = records
        self._files = files

    async def show(
        self, target: Target, message: OutboundMessage, occasion: Occasion
    ) -> Correction | None:
        """Show an answer or an error, from where the record says that it stands.

        Returns:
            What is to be done a little later, where a preview may yet replace the answer.

        Raises:
            PermanentError: It will never be shown, as far as it was not.
            TransientError: The router or the bus is away; do it again.
        """
        record = await self._records.of(target.message_id)
        if record.is_ended:
            return None
        showing = self._showing(target, record, occasion)
        plan = plan_end(message, self._voice.capabilities)
        reach(Point.CHANNEL_BEFORE_END)
        await self._show_pieces(showing, plan)
        await self._send_files(showing, plan, wording.reference(message))
        reach(Point.CHANNEL_BEFORE_END_NOTE)
        await self._records.keep_end(target.message_id)
        if not (occasion.late_preview and record.post):
            return None

        async def correct_later() -> None:
            await asyncio.sleep(LATE_S)
            await self._correct(showing, plan.pieces[0], record.post)

        return correct_later

    async def withdraw(self, target: Target, occasion: Occasion) -> None:
        """Take the placeholder away: nothing is shown for this message. Raises as `show`."""
        record = await self._records.of(target.message_id)
        if record.is_ended:
            return
        showing = self._showing(target, record, occasion)
        if record.post:
            await showing.remove(record.post)
            record.post = PostId("")
        await self._records.keep_end(target.message_id)

    def _showing(self, target: Target, record: Record, occasion: Occasion) -> Showing:
        target = replace(target, in_chat=record.is_in_chat)
        return Showing(self._voice, target, record, occasion.until, again=occasion.again)

    async def _show_pieces(self, showing: Showing, plan: Plan) -> None:
        record, count = showing.record, len(plan.pieces)
        for number in range(record.pieces, count):
            await self._show_piece(showing, number, plan.pieces[number])
            reach(Point.CHANNEL_AFTER_PIECE)
            record.pieces, record.begun = number + 1, PostId("")
            if number + 1 < count or plan.files:
                await self._records.keep(showing.target.message_id)
                reach(Point.CHANNEL_AFTER_PIECE_NOTE)

    async def _show_piece(self, showing: Showing, number: int, shown: Shown) -> None:
        record, key = showing.record, key_of(showing.target.message_id, number)
        if shown.is_private:
            await self._show_privately(showing, shown, key)
            return
        if not self._there(record, number) and self._needs_beginning():
            await self._begin(showing, number, shown, key)
        while there := self._there(record, number):
            try:
                await showing.edit(there, shown)
            except PostGoneError:
                self._set_there(record, number, PostId(""))
                key = key_of(showing.target.message_id, number, anew=True)
            else:
                return
        posted = await showing.post(shown, key)
        self._set_there(record, number, posted.id)
        if not posted.is_certain and self._voice.capabilities.can_edit:
            await self._correct(showing, shown, posted.id)

    async def _show_privately(self, showing: Showing, shown: Shown, key: str) -> None:
        """Post for one person; a placeholder that everybody sees goes."""
        await showing.post(shown, key)
        if showing.record.post:
            await showing.remove(showing.record.post)
            showing.record.post = PostId("")

    async def _begin(self, showing: Showing, number: int, shown: Shown, key: str) -> None:
        """Post and note what may be seen twice, so that the words are not."""
        waiting = Shown(piece=placeholder(self._voice.capabilities), author=shown.author)
        posted = await showing.post(waiting, key)
        self._set_there(showing.record, number, posted.id)
        await self._records.keep(showing.target.message_id)

    async def _correct(self, showing: Showing, shown: Shown, post: PostId) -> None:
        """Have a post that may say something older say what it is to say."""
        try:
            await showing.edit(post, shown)
        except PermanentError as error:
            log.info("answer not corrected", extra={"action": "drop", "cause": str(error)})

    async def _send_files(self, showing: Showing, plan: Plan, reference: str) -> None:
        record = showing.record
        for number in range(record.files, len(plan.files)):
            await self._send_file(showing, number, plan.files[number], reference)
            record.files = number + 1
            if record.files < len(plan.files):
                await self._records.keep(showing.target.message_id)

    async def _send_file(
        self, showing: Showing, number: int, file: Attachment | FileRef, reference: str
    ) -> None:
        """Send a file, or say that it could not be: the answer's text is shown all the same."""
        key = f"{showing.target.message_id}/file/{number}"
        try:
            await showing.upload(await self._read(file), key)
        except (ChatClosedError, AccountRefusedError):
            raise
        except PermanentError as error:
            log.warning("file not sent", extra={"action": "drop", "cause": str(error)})
            sentence = wording.file_not_sent(file.name, reference)
            await showing.post(said(sentence, self._voice.capabilities), f"{key}/missing")

    async def _read(self, file: Attachment | FileRef) -> Attachment:
        if isinstance(file, Attachment):
            return file
        return Attachment(file.name, file.media_type, await self._files.read(file))

    def _needs_beginning(self) -> bool:
        return self._voice.capabilities.can_edit and not self._voice.capabilities.finds_posts

    def _there(self, record: Record, number: int) -> PostId:
        return record.post if number == 0 else record.begun

    def _set_there(self, record: Record, number: int, post: PostId) -> None:
        if number == 0:
            record.post = post
        else:
            record.begun = post
