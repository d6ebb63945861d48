"""Who is heard: access to the channel, threads that are followed, and what strangers are told."""

import logging
from datetime import timedelta

from sympozium.chat.access import may_speak
from sympozium.contract.channel import ChannelSpec
from sympozium.contract.errors import PermanentError
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.times import parse_duration
from sympozium.store.ports import End, Message, SessionStore
from sympozium_router.clock import Clock
from sympozium_router.inbox.follow import Following, Thread, follow
from sympozium_router.inbox.pairing import new_code, pair
from sympozium_router.outbox.ends import dropped_end, failed_end
from sympozium_router.runs.refusals import RefusedError
from sympozium_router.world.cluster import Cluster

log = logging.getLogger(__name__)

TELL_AGAIN_AFTER = timedelta(days=1)
"""A stranger is told once that they may not speak, and not again before."""

LOOK_BACK = 50
"""Messages of a thread by which it is decided whether it is followed."""

_FOLLOW_FOR = timedelta(hours=24)


class Admission:
    """Decides whether a new message is heard.

    Every method raises `TransientError` while a part of the system is away.
    """

    def __init__(self, store: SessionStore, cluster: Cluster, clock: Clock) -> None:
        self._store = store
        self._cluster = cluster
        self._clock = clock

    async def admit(self, row: Message) -> ChannelSpec | End | None:
        """Return the channel's rules if *row* is heard, its end if it is refused.

        None: it is not for the bot, and nothing is stored of it.
        """
        is_addressed = row.inbound.addressed
        try:
            spec = await self._cluster.channel_spec(row.namespace, row.channel)
        except RefusedError as error:
            return self._refused(row, error.reason) if is_addressed else None
        if spec is None:
            return self._refused(row, Reason.AGENT_NOT_FOUND) if is_addressed else None
        if not is_addressed and not await self._is_followed(row, spec):
            return None
        if may_speak(row.inbound.sender, row.inbound.place, spec.access):
            return spec
        return await self._turned_away(row, spec) if is_addressed else None

    async def _is_followed(self, row: Message, spec: ChannelSpec) -> bool:
        """Return whether a message that does not name the bot is meant for it."""
        if not spec.triggers.follow_threads:
            return False
        talk = await self._store.talk(row.conversation)
        messages = await self._store.transcript(
            row.conversation, limit=LOOK_BACK, before=row.sequence
        )
        thread = Thread(messages, talk.left_at)
        following = follow(row.inbound, thread, for_=_follow_for(spec))
        if following is Following.LEAVE:
            await self._store.leave(row.conversation, row.sequence, now=self._clock())
            log.info("thread left", extra={"action": "leave", "sequence": row.sequence})
        return following is Following.FOLLOW

    async def _turned_away(self, row: Message, spec: ChannelSpec) -> End:
        """Return the end of a message of somebody who may not speak: told once, then dropped."""
        sender = row.inbound.sender
        now = self._clock()
        who = f"{sender.workspace}/{sender.user_id}"
        if sender.user_id and not await self._store.may_tell(
            row.key, who, now=now, again_after=TELL_AGAIN_AFTER
        ):
            return dropped_end(now)
        code = await self._code(row) if spec.access.pairing and sender.user_id else ""
        return self._refused(row, Reason.ACCESS_DENIED, code=code)

    async def _code(self, row: Message) -> str:
        """Return the sender's pairing code, which the Channel's status holds by then."""
        fresh, now, code = new_code(), self._clock(), ""

        def change(status: Object) -> Object | None:
            nonlocal code
            paired = pair(status, row.inbound.sender, fresh, now=now)
            code = paired.code
            return None if paired.pairings is None else {"pairings": paired.pairings}

        try:
            await self._cluster.change_channel_status(row.namespace, row.channel, change)
        except PermanentError as error:  # they are told all the same, without a code
            extra = {"action": "refuse", "channel": row.channel, "cause": str(error)}
            log.warning("cannot keep a pairing code", extra=extra)
            return ""
        return code

    def _refused(self, row: Message, reason: Reason, *, code: str = "") -> End:
        return failed_end(row, reason, now=self._clock(), code=code)


def _follow_for(spec: ChannelSpec) -> timedelta:
    try:
        return parse_duration(spec.triggers.follow_for)
    except PermanentError:
        return _FOLLOW_FOR
