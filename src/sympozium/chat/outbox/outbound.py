"""From OUTBOX to what a person sees: "working on it", the growing answer, the end.

A delivery is acknowledged after the platform confirmed, and not before. What the
platform cannot do now is tried again here, in its place in the conversation; what
it never will goes to the dead letters.
"""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta
from functools import partial

from sympozium.bus.cancelled import ended
from sympozium.bus.ports import Delivery
from sympozium.bus.reclaim import reclaim
from sympozium.bus.suspects import FatalMessageError, Suspects
from sympozium.chat.commands import RETRY
from sympozium.chat.errors import AccountRefusedError, ChatClosedError
from sympozium.chat.metrics import Counted
from sympozium.chat.office import Office
from sympozium.chat.outbox import wording
from sympozium.chat.outbox.ending import Correction, Ending, Occasion
from sympozium.chat.outbox.following import Following, Surroundings
from sympozium.chat.outbox.lanes import Item, Lanes
from sympozium.chat.outbox.opening import post_placeholder
from sympozium.chat.outbox.order import Order
from sympozium.chat.outbox.queueing import Queueing
from sympozium.chat.outbox.reactions import Outcome
from sympozium.chat.outbox.records import Followed, Records
from sympozium.chat.outbox.restart import Restart
from sympozium.chat.outbox.standing import Standing
from sympozium.chat.outbox.voice import Cosmetic, Voice
from sympozium.chat.platform import Mark, Platform, Target
from sympozium.contract.envelope import decode_payload, open_envelope
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_ATTEMPTS, STREAM_MAX_AGE
from sympozium.contract.messages import (
    Choice,
    Command,
    OutboundKind,
    OutboundMessage,
    VisibleError,
)
from sympozium.contract.names import short_hash
from sympozium.contract.reasons import Reason
from sympozium.contract.subjects import outbox_consumer, queued
from sympozium.runtime.loops import Loop
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point

log = logging.getLogger(__name__)

PATIENCE = STREAM_MAX_AGE - timedelta(days=1)
"""How long after its message an answer is still tried to be shown. Later the bus forgets it."""

CLEARED_WITHIN = timedelta(seconds=30)
"""How long it is tried to take an old placeholder away before its answer is shown."""

GRACE_S = 2.5
"""How long what was begun may take when the program stops."""

ANSWER_REFUSED = "AnswerRefused"
"""Reason in the Channel's condition until something is shown again."""

FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 15.0

_MARKS = {
    OutboundKind.FINAL: Mark.DONE,
    OutboundKind.ERROR: Mark.FAILED,
    OutboundKind.JOINED: Mark.DONE,
    OutboundKind.DROPPED: Mark.NONE,
}


class Outbound:
    """Shows what the router says in one channel."""

    def __init__(self, office: Office, platform: Platform) -> None:
        self._office = office
        self._metrics = office.health.metrics
        self._standing = Standing(office.desk, office.health)
        self._voice = Voice(platform, office.desk, self._standing, self._metrics)
        self._records = Records(office.desk)
        self._order = Order(self._records)
        self._ending = Ending(self._voice, self._records, office.files)
        self._suspects = Suspects(office.desk)
        self._corrections: set[asyncio.Task[None]] = set()

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What has to run for it."""
        keep_loop = self._voice.penalties.keep_loop
        return self.outbox_loop, self.marks_loop, self._standing.say_loop, keep_loop

    async def outbox_loop(self, stop: asyncio.Event) -> None:
        """Settle deliveries until *stop* is set: in order within each conversation."""
        settings = self._office.settings
        around = Surroundings(
            self._office.bus,
            settings.namespace,
            self._voice,
            self._records,
            self._office.marks,
            self._order,
        )
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._restart = Restart(self._records)
            self._following = Following(around, group)
            self._lanes = Lanes(self._settle, self._restart.hold_for, group)
            self._queueing = Queueing(around, group, self._following.is_busy)
            waits = queued(settings.namespace, settings.channel)
            hearing = group.create_task(self._queueing.listen(waits))
            reading = group.create_task(self._read())
            await stop.wait()
            await ended(reading, hearing)
            await self._lanes.stop(GRACE_S)
            await self._queueing.stop()
            await self._following.stop()
            await ended(*self._corrections)

    async def marks_loop(self, stop: asyncio.Event) -> None:
        """Show the reactions that are wanted, until *stop* is set."""
        if self._voice.capabilities.can_mark:
            await self._office.marks.show_loop(self._show_mark, stop)
        else:
            await stop.wait()

    async def _show_mark(self, target: Target, mark: Mark) -> Outcome:
        platform = self._voice.platform
        return await self._voice.offer(target, Cosmetic.MARK, lambda: platform.mark(target, mark))

    async def _read(self) -> None:
        await self._voice.penalties.restore()
        unfinished = await self._restart.unfinished()
        for one in unfinished:
            self._order.accepted(one.target, one.followed.sequence)
        for one in unfinished:
            await self._follow_again(one.target, one.followed)
        settings = self._office.settings
        consumer = outbox_consumer(settings.namespace, settings.channel)
        await reclaim(self._office.bus.client, consumer)
        async with self._office.bus.consume(consumer) as deliveries:
            async for delivery in deliveries:
                await self._take(delivery)

    async def _follow_again(self, target: Target, followed: Followed) -> None:
        try:
            record = await self._records.of(target.message_id)
        except (TransientError, PermanentError) as error:
            log.debug("run is not followed", extra={"action": "drop", "cause": str(error)})
        else:
            record.maybe = not record.post  # its placeholder may be there, and not be noted
            self._following.follow(target, followed, record)

    async def _take(self, delivery: Delivery) -> None:
        if self._lanes.is_settled(delivery.sequence):
            await self._told(delivery)
            return
        try:
            envelope = open_envelope(delivery.data)
            message = decode_payload(envelope, OutboundMessage)
        except PermanentError as error:
            await self._discard(delivery, str(error))
        else:
            self._lanes.add(Item(delivery, message, envelope.time))

    async def _settle(self, item: Item) -> None:
        """Show an item, however long it takes, and tell the bus what became of it."""
        delay_s = FIRST_RETRY_S
        while True:
            try:
                await self._show_carefully(item)
            except PermanentError as error:
                return await self._set_aside(item, error)
            except TransientError as error:
                cause = {"action": "retry", "cause": str(error)}
                log.debug("message not shown yet", extra=cause)
            except Exception as error:  # the one blind except: others' messages go on
                log.exception("showing bug", extra={"action": "retry", "attempt": item.failures})
                item.failures += 1
                if item.failures >= MAX_ATTEMPTS:
                    return await self._set_aside(item, _bug(error))
            else:
                return await self._told(item.delivery)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_RETRY_S)

    async def _show_carefully(self, item: Item) -> None:
        """Show an item, unless channels died of it one after another."""
        await self._queueing.over(item.message.conversation, item.message.message_id)
        if item.delivery.attempt > 1:
            await self._suspects.handle(item.delivery.sequence, partial(self._show, item))
        else:
            await self._show(item)

    async def _show(self, item: Item) -> None:
        match item.message.kind:
            case OutboundKind.ACCEPTED:
                await self._accept(item)
            case OutboundKind.FINAL | OutboundKind.ERROR:
                target = _target(item.message)
                occasion = await self._occasion(item)
                if item.message.again_for:
                    await self._clear(item.message)
                self._later(await self._ending.show(target, item.message, occasion))
                self._ended(item)
            case OutboundKind.JOINED | OutboundKind.DROPPED:
                await self._ending.withdraw(_target(item.message), await self._occasion(item))
                self._ended(item)

    async def _clear(self, message: OutboundMessage) -> None:
        """Take away the placeholder that still stands where an end was refused."""
        first = Target(message.conversation, message.again_for, message.reply_to)
        await self._following.end(first.message_id)
        until = datetime.now(UTC) + CLEARED_WITHIN
        with contextlib.suppress(PermanentError):  # then it stays, and the answer is shown below
            await self._ending.withdraw(first, Occasion(until=until))

    def _later(self, correction: Correction | None) -> None:
        if correction is not None:
            task = self._group.create_task(_quietly(correction))
            self._corrections.add(task)
            task.add_done_callback(self._corrections.discard)

    async def _accept(self, item: Item) -> None:
        message, target = item.message, _target(item.message)
        self._restart.accepted(item)
        record = await self._records.of(message.message_id)
        if record.is_ended:
            return
        self._order.accepted(target, item.delivery.sequence)
        followed = Followed(
            conversation=message.conversation,
            reply_to=message.reply_to,
            run_name=message.run_name,
            run_uid=message.run_uid,
            sequence=item.delivery.sequence,
            agent=message.agent,
        )
        if message.waiting_for == 0:
            self._office.marks.reach(target, Mark.RUNNING)
            is_repeated = item.delivery.attempt > 1
            if self._order.may_stand(target):
                await post_placeholder(self._voice, target, record, followed, again=is_repeated)
        await self._records.keep(message.message_id, followed)
        reach(Point.CHANNEL_AFTER_FOLLOW)
        self._following.follow(target, followed, record)

    async def _occasion(self, item: Item) -> Occasion:
        """End the showing of progress, and return what the end has to reckon with.

        What a predecessor posted and could not note is looked for, where it may be so:
        in what comes again, and in what a predecessor accepted.
        """
        message_id = item.message.message_id
        is_unknown = self._records.known(message_id) is None and not self._restart.is_over
        return Occasion(
            until=item.time + PATIENCE,
            again=item.delivery.attempt > 1 or is_unknown or item.failures > 0,
            late_preview=await self._following.end(message_id),
        )

    def _ended(self, item: Item) -> None:
        message = item.message
        mark = Mark.NONE if message.is_notice else _MARKS[message.kind]
        self._office.marks.reach(_target(message), mark)
        self._is_over(item)
        self._metrics.add(Counted.ENDS_SHOWN)
        log.info(
            "end shown",
            extra={
                "action": "show",
                "kind": message.kind.value,
                "run": message.run_name,
                "reference": short_hash(message.again_for or message.message_id),
                "sequence": item.delivery.sequence,
                "attempt": item.delivery.attempt,
            },
        )

    def _is_over(self, item: Item) -> None:
        """Have nothing wait for the end of a message any more."""
        self._restart.ended(item)
        self._order.ended(_target(item.message))

    async def _set_aside(self, item: Item, error: PermanentError) -> None:
        """Keep an item for a person to look at, and say so where that is possible."""
        if item.message.kind is not OutboundKind.ACCEPTED:
            self._metrics.add(Counted.ENDS_DISCARDED)
            self._is_over(item)
            self._office.marks.reach(_target(item.message), Mark.FAILED)
            if isinstance(error, ChatClosedError | AccountRefusedError):
                await self._forget_run(item)
            else:
                await self._say_that_it_failed(item)
        attempts = error.attempts if isinstance(error, FatalMessageError) else item.failures
        await self._discard(item.delivery, str(error), attempts)
        is_reported = isinstance(error, AccountRefusedError)
        if item.message.kind is not OutboundKind.ACCEPTED and not is_reported:
            reason = error.reason if isinstance(error, ChatClosedError) else ANSWER_REFUSED
            self._standing.refused(reason, str(error))

    async def _forget_run(self, item: Item) -> None:
        message_id = item.message.message_id
        await self._following.end(message_id)
        with contextlib.suppress(TransientError, PermanentError):  # then for a day at the most
            await self._records.forget_run(message_id)

    async def _say_that_it_failed(self, item: Item) -> None:
        message = item.message
        reference = short_hash(message.again_for or message.message_id)
        named = wording.not_shown(wording.reference(message))
        again = Choice(label=wording.SEND_AGAIN, command=Command(name=RETRY, arguments=reference))
        instead = OutboundMessage(
            kind=OutboundKind.ERROR,
            message_id=message.message_id,
            conversation=message.conversation,
            reply_to=message.reply_to,
            error=VisibleError(code=Reason.INTERNAL, message=named),
            choices=[again],
        )
        try:
            await self._ending.show(_target(message), instead, await self._occasion(item))
        except (PermanentError, TransientError) as error:
            log.warning("answer lost to its reader", extra={"action": "drop", "cause": str(error)})
        except Exception:  # the bug that brought us here, again
            log.exception("answer lost to its reader", extra={"action": "drop"})

    async def _discard(self, delivery: Delivery, reason: str, attempts: int = 1) -> None:
        delay_s = FIRST_RETRY_S
        while True:
            try:
                await delivery.discard(reason=reason, attempts=attempts)
            except TransientError:
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, LONGEST_RETRY_S)
            else:
                break
        self._metrics.add(Counted.DEAD_LETTERS)
        log.warning(
            "delivery set aside",
            extra={"action": "discard", "subject": delivery.subject, "reason": reason},
        )

    async def _told(self, delivery: Delivery) -> None:
        try:
            reach(Point.CHANNEL_BEFORE_ACK)
            await delivery.ack()
            reach(Point.CHANNEL_AFTER_ACK)
        except TransientError as error:  # it comes again, and is known to be settled
            log.debug("delivery unsettled", extra={"action": "retry", "cause": str(error)})


def _target(message: OutboundMessage) -> Target:
    return Target(message.conversation, message.message_id, message.reply_to)


async def _quietly(correction: Correction) -> None:
    try:
        await correction()
    except Exception:  # the answer was shown; others' are yet to be
        log.exception("answer not corrected", extra={"action": "drop"})


def _bug(error: Exception) -> PermanentError:
    kind = type(error).__name__
    return PermanentError(f"cannot show a message: {MAX_ATTEMPTS} times {kind}; see the log")
