"""What a channel must know after it was killed, kept as notes at the router's desk.

Where the session stands, and how far it was heard. It is written after the events are
stored, at most once a second: a note that is behind only makes Discord repeat what
the bus already has.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from sympozium.chat.desk import Desk
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.runtime.loops import pause
from sympozium_discord.gateway import Session
from sympozium_discord.snowflake import is_id

log = logging.getLogger(__name__)

KEEP_EVERY_S = 1.0
KEEP_QUIET_EVERY_S = 60.0
"""How often is written where only events came that are not for us."""

LAST_WRITE_TIMEOUT_S = 2.0
MAX_WRITERS = 200
"""Authors of messages that are remembered: whose deletion, in which no author is named, counts."""

MAX_DIRECT = 2000
GATEWAY_NOTE = "gateway"
DIRECT_NOTES = "direct:"


class _Note(msgspec.Struct, kw_only=True, omit_defaults=True):
    session: str = ""
    sequence: int = 0
    url: str = ""
    user_id: str = ""
    application_id: str = ""
    heard_at: float = 0.0
    missed_since: float = 0.0
    writers: list[tuple[str, str]] = []


@dataclass
class Memory:
    """How far this channel has come. One owner, the inbound path, changes it.

    Attributes:
        user_id: The bot's own id; empty before the first READY.
        session: What to resume; None: nothing.
        heard_at: When everything that Discord had for us had been dealt with, by Unix time.
        missed_since: From when on messages may be missing, by Unix time; 0: none are.
        direct: Direct chats by id, with their newest message.
    """

    desk: Desk
    user_id: str = ""
    application_id: str = ""
    session: Session | None = None
    heard_at: float = 0.0
    missed_since: float = 0.0
    direct: OrderedDict[str, str] = field(default_factory=OrderedDict)
    _writers: OrderedDict[str, str] = field(default_factory=OrderedDict)
    _new_direct: dict[str, str] = field(default_factory=dict)
    _is_changed: bool = False
    _is_urgent: bool = False
    _kept_at: float = 0.0

    async def load(self) -> None:
        """Read the notes back; raises as `Desk.read`."""
        kept = (await self.desk.read([GATEWAY_NOTE])).get(GATEWAY_NOTE, "")
        note = _read(kept)
        self.user_id, self.application_id = note.user_id, note.application_id
        self.heard_at, self.missed_since = note.heard_at, note.missed_since
        self._writers = OrderedDict(note.writers)
        if note.session:
            self.session = Session(note.session, note.sequence, note.url)
        direct = await self.desk.read_all(DIRECT_NOTES)
        by_age = sorted(
            ((key, newest) for key, newest in direct.items() if is_id(newest)),
            key=lambda item: int(item[1]),
        )
        self.direct = OrderedDict(
            (key.removeprefix(DIRECT_NOTES), newest) for key, newest in by_age[-MAX_DIRECT:]
        )

    def begin(self, session: Session) -> None:
        """Note a new session: what came since the last one was heard may be missing."""
        if self.heard_at and not self.missed_since:
            self.missed_since = self.heard_at
        self.session = session
        self._is_changed = self._is_urgent = True

    def heard(self, sequence: int, *, is_all: bool) -> None:
        """Note that everything up to an event was dealt with; *is_all*: and nothing is in hand."""
        if is_all:
            self.heard_at = time.time()
        self._is_changed = True
        if sequence and self.session is not None:
            session = self.session
            self.session = Session(session.id, max(sequence, session.sequence), session.url)

    def forget_session(self) -> None:
        """The session cannot be resumed."""
        self.session = None
        self._is_changed = self._is_urgent = True

    def caught_up(self, since: float) -> None:
        """Note that what was missing since *since* was fetched."""
        if self.missed_since == since:
            self.missed_since = 0.0
            self._is_changed = self._is_urgent = True

    def stored(self, message_id: str, user_id: str, direct_chat: str) -> None:
        """Note a message that is on the bus, and its direct chat if it has one."""
        self._writers[message_id] = user_id
        while len(self._writers) > MAX_WRITERS:
            self._writers.popitem(last=False)
        if direct_chat:
            self.direct[direct_chat] = self._new_direct[direct_chat] = message_id
            self.direct.move_to_end(direct_chat)
            while len(self.direct) > MAX_DIRECT:
                self.direct.popitem(last=False)
        self._is_changed = self._is_urgent = True

    def writer_of(self, message_id: str) -> str:
        """Return who wrote a message that was stored lately; empty: it was not, or long ago."""
        return self._writers.get(message_id, "")

    async def keep_loop(self, stop: asyncio.Event) -> None:
        """Write what has changed, until *stop* is set, and then once more."""
        while not stop.is_set():
            await pause(KEEP_EVERY_S, stop)
            if not stop.is_set() and self._is_due():
                await self.keep()

    async def keep(self) -> None:
        """Write what has changed; what cannot be written now is written later."""
        if not self._is_changed:
            return
        self._is_changed = self._is_urgent = False
        self._kept_at = time.monotonic()
        direct, self._new_direct = self._new_direct, {}
        notes = {GATEWAY_NOTE: self._as_note()}
        notes |= {DIRECT_NOTES + chat: newest for chat, newest in direct.items()}
        try:
            async with asyncio.timeout(LAST_WRITE_TIMEOUT_S):
                await self.desk.keep(notes)
        except (TransientError, PermanentError, TimeoutError) as error:
            log.debug("position not kept", extra={"action": "retry", "cause": str(error)})
            self._new_direct = direct | self._new_direct
            self._is_changed = True

    def _is_due(self) -> bool:
        quiet_s = time.monotonic() - self._kept_at
        return self._is_changed and (self._is_urgent or quiet_s >= KEEP_QUIET_EVERY_S)

    def _as_note(self) -> str:
        session = self.session or Session("", 0, "")
        note = _Note(
            session=session.id,
            sequence=session.sequence,
            url=session.url,
            user_id=self.user_id,
            application_id=self.application_id,
            heard_at=round(self.heard_at, 3),
            missed_since=self.missed_since,
            writers=list(self._writers.items()),
        )
        return msgspec.json.encode(note).decode()


def _read(kept: str) -> _Note:
    try:
        return msgspec.json.decode(kept, type=_Note) if kept else _Note()
    except msgspec.MsgspecError:
        log.warning("position cannot be read", extra={"action": "discard"})
        return _Note()
