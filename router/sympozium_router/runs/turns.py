"""Which message gets a run, and when: pure decisions by the channel's mode.

They are made within the store's transaction, from the messages of one conversation
that have no end, in their order. A message is in one of these places:

* it has the name of a run: the run exists, or is to be created at once;
* it was offered to the run of another message, which may take it in while it works;
* it is carried by another message, whose run is asked both;
* none of them: it waits for its turn, which comes when everything before it has ended.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sympozium.contract.names import MessageId, run_name
from sympozium.store.ports import Cut, Message, Verdict
from sympozium_router.runs.task import fit_together

_NOBODY = MessageId("")


def placed(message: Message, open_: Sequence[Message], mode: str) -> Verdict:
    """Return how a new message is stored beside the *open_* ones before it."""
    if not open_ or mode == "queue":
        return Verdict(with_run(message))
    if mode == "interrupt":
        return Verdict(with_run(message), changed=cut(open_, Cut.INTERRUPTED))
    at_work = _sole_run(open_) if mode == "steer" else None
    if at_work is not None and at_work.agent == message.agent:
        return Verdict(replace(message, offered_to=at_work.id))
    return Verdict(message)


def next_turn(open_: Sequence[Message], seen: Message, *, collects: bool) -> list[Message]:
    """Return, as they are to be, the first message that waits and those that go with it.

    Nothing, where the first of all open messages does not wait, or is not *seen* in the
    place of which the caller knows that nothing came: another router was there meanwhile,
    and it may be answered already by what it went with since.
    """
    if not open_ or open_[0].run_name or open_[0].cut:
        return []
    first, *others = open_
    if (first.id, _place(first)) != (seen.id, _place(seen)):
        return []
    going = [first]
    for other in others if collects else []:
        waits = not (other.run_name or other.cut or any(_place(other)))
        if not waits or other.agent != first.agent or not fit_together([*going, other]):
            break
        going.append(other)
    carried = [replace(other, carried_by=first.id) for other in going[1:]]
    return [with_run(first), *carried]


def cut(messages: Sequence[Message], why: Cut) -> list[Message]:
    """Return those of *messages* that are not cut yet, as cut."""
    return [replace(message, cut=why) for message in messages if not message.cut]


def asked_by(leader: MessageId, open_: Sequence[Message]) -> list[Message]:
    """Return the messages that the run of *leader* is asked, which nobody has withdrawn."""
    return [
        message
        for message in open_
        if message.id == leader or (message.carried_by == leader and not message.cut)
    ]


def begun(messages: Sequence[Message], now: datetime) -> list[Message]:
    """Return *messages* as read by their run; the first time stays."""
    return [message if message.begun_at else replace(message, begun_at=now) for message in messages]


def with_run(message: Message) -> Message:
    """Return *message* with a run of its own."""
    name = run_name(message.channel, message.id)
    return replace(message, run_name=name, offered_to=_NOBODY, carried_by=_NOBODY)


def _place(message: Message) -> tuple[MessageId, MessageId]:
    """Return the messages with whose runs *message* may go."""
    return message.offered_to, message.carried_by


def _sole_run(open_: Sequence[Message]) -> Message | None:
    """Return the message at work, if every other open one goes with it or is offered to it."""
    first = open_[0]
    others = (message.offered_to or message.carried_by for message in open_[1:])
    is_sole = first.run_name and not first.cut and all(other == first.id for other in others)
    return first if is_sole else None
