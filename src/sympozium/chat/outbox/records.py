"""What a channel must know of a message after it was killed: one note, kept by the router.

The note says which post is the placeholder, and how much of the end was shown. With
it a redelivered end goes on where its predecessor stopped. A second note exists
while a run is at work, so that a channel that starts shows its progress again.
"""

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from sympozium.chat.desk import Desk
from sympozium.chat.platform import PostId, Target
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid

log = logging.getLogger(__name__)

MAX_REMEMBERED = 4096
"""Messages of which the note is in memory too; of others it is read."""

_POST, _FOLLOW = "post:", "follow:"

Note = TypeVar("Note")


class Record(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """How far the showing of one message's answer has come.

    Attributes:
        post: The placeholder, which becomes the first piece; empty: there is none.
        pieces: How many pieces of the end were shown.
        begun: A post that is to become the piece `pieces`, or empty.
        files: How many files of the end were dealt with.
        is_in_chat: The thread is gone; the end is shown in the chat.
        is_ended: All of it was shown.
        is_queued: The placeholder says that nobody could begin anything yet.
        maybe: A post was tried and its answer was lost. Known in memory only.
    """

    post: PostId = PostId("")
    pieces: int = 0
    begun: PostId = PostId("")
    files: int = 0
    is_in_chat: bool = False
    is_ended: bool = False
    is_queued: bool = False
    maybe: bool = False

    @property
    def is_at_work(self) -> bool:
        """Whether progress may be shown: where the end has begun, it would be written over."""
        return not (self.is_ended or self.pieces or self.files)


class Followed(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A run at work, as far as it must be known to follow it.

    Attributes:
        sequence: Of the delivery that said that it was accepted.
    """

    conversation: ConversationId
    reply_to: str
    run_name: RunName
    run_uid: RunUid
    sequence: int = 0
    agent: str = ""


@dataclass(frozen=True)
class Unfinished:
    """A run that was at work when this program began."""

    message_id: MessageId
    followed: Followed

    @property
    def target(self) -> Target:
        """Where it is shown."""
        return Target(self.followed.conversation, self.message_id, self.followed.reply_to)


class Records:
    """The notes of one channel. Every method that asks the router raises as `Desk`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._records: OrderedDict[MessageId, Record] = OrderedDict()

    def known(self, message_id: MessageId) -> Record | None:
        """Return a message's record, where this program has it in memory."""
        return self._records.get(message_id)

    async def of(self, message_id: MessageId) -> Record:
        """Return a message's record: the same object for everybody; a new one where none is."""
        if message_id not in self._records:
            notes = await self._desk.read([_POST + message_id])
            note = notes.get(_POST + message_id, "")
            record = _decoded(note, Record) if note else None
            self._records.setdefault(message_id, record or Record())
            self._forget_oldest()
        self._records.move_to_end(message_id)
        return self._records[message_id]

    def begin(self, message_id: MessageId) -> Record:
        """Return the record of a message of which certainly nothing was shown before."""
        record = self._records.setdefault(message_id, Record())
        self._forget_oldest()
        return record

    async def keep(self, message_id: MessageId, followed: Followed | None = None) -> None:
        """Keep a message's record as it is now; with *followed*, also that its run is at work."""
        notes = {_POST + message_id: self._text_of(message_id)}
        if followed is not None:
            notes[_FOLLOW + message_id] = encode(followed).decode()
        await self._desk.keep(notes)

    async def keep_end(self, message_id: MessageId) -> None:
        """Keep that a message's end was shown, whole; its run is followed no more.

        It is known only once it is kept: who is asked again, because it could not be, must
        keep it then, or a successor would take the answer for the progress of a run.
        """
        record = self._records[message_id]
        ended = msgspec.structs.replace(record, is_ended=True, maybe=False)
        text = encode(ended).decode()
        await self._desk.keep({_POST + message_id: text, _FOLLOW + message_id: ""})
        record.is_ended = True

    async def unfinished(self) -> list[Unfinished]:
        """Return the runs that were at work when somebody last looked."""
        notes = await self._desk.read_all(_FOLLOW)
        found = []
        for key, note in notes.items():
            followed = _decoded(note, Followed)
            if followed is not None:
                found.append(Unfinished(MessageId(key.removeprefix(_FOLLOW)), followed))
        return sorted(found, key=lambda one: one.followed.sequence)

    async def forget_run(self, message_id: MessageId) -> None:
        """Follow a run no more, although its end was not seen."""
        await self._desk.keep({_FOLLOW + message_id: ""})

    def _text_of(self, message_id: MessageId) -> str:
        record = self._records[message_id]
        kept = msgspec.structs.replace(record, maybe=False)
        return encode(kept).decode()

    def _forget_oldest(self) -> None:
        while len(self._records) > MAX_REMEMBERED:
            self._records.popitem(last=False)


def _decoded(note: str, kind: type[Note]) -> Note | None:
    """Return what a note says; None where a version that is not ours wrote it otherwise."""
    try:
        return decode(note.encode(), kind)
    except PermanentError as error:
        log.warning("note cannot be read", extra={"action": "drop", "cause": str(error)})
        return None
