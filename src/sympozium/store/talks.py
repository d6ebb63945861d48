"""Steps on conversations and refusals. Each runs within a transaction of its caller's."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from sympozium.store.locks import hold
from sympozium.store.records import Conversation, MessageKey, Talk
from sympozium.store.schema import conversations, messages, refusals

_C = conversations.c
_IS = sa.and_(
    _C.namespace == sa.bindparam("key_namespace"),
    _C.channel == sa.bindparam("key_channel"),
    _C.conversation == sa.bindparam("key_conversation"),
)
TALK = sa.select(_C.agent, _C.model, _C.since, _C.left_at).where(_IS)


def read_talk(connection: sa.Connection, conversation: Conversation) -> Talk:
    """Return what was chosen for a conversation; see `Talks.talk`."""
    row = connection.execute(TALK, _key(conversation)).one_or_none()
    return Talk() if row is None else Talk(*row)


def write_talk(
    connection: sa.Connection, conversation: Conversation, talk: Talk, now: datetime
) -> None:
    """Store what is chosen for a conversation."""
    values = {
        "agent": talk.agent,
        "model": talk.model,
        "since": talk.since,
        "left_at": talk.left_at,
        "changed_at": now,
    }
    update = conversations.update().where(_IS).values(values)
    if not connection.execute(update, _key(conversation)).rowcount:
        connection.execute(conversations.insert().values(**conversation._asdict(), **values))


def may_tell(
    connection: sa.Connection, key: MessageKey, sender: str, now: datetime, again: timedelta
) -> bool:
    """Return whether a refusal is told, and note that it is; see `Talks.may_tell`."""
    hold(connection, "refusal", key.namespace, key.channel, sender)
    here = sa.and_(
        refusals.c.namespace == key.namespace,
        refusals.c.channel == key.channel,
        refusals.c.sender == sender,
    )
    known = connection.execute(refusals.select().where(here)).one_or_none()
    values = {"message_id": key.message_id, "told_at": now}
    if known is None:
        owner = {"namespace": key.namespace, "channel": key.channel, "sender": sender}
        connection.execute(refusals.insert().values(**owner, **values))
        return True
    if known.message_id == key.message_id:
        return True
    if now - known.told_at < again:
        return False
    connection.execute(refusals.update().where(here).values(values))
    return True


def prune(connection: sa.Connection, unused_since: datetime, limit: int) -> int:
    """Delete what nobody needs any more; see `Upkeep.prune_talks`."""
    used = sa.exists().where(
        messages.c.namespace == _C.namespace,
        messages.c.channel == _C.channel,
        messages.c.conversation == _C.conversation,
    )
    key = (_C.namespace, _C.channel, _C.conversation)
    old = sa.select(*key).where(_C.changed_at < unused_since, ~used).limit(limit)
    # Said twice: what somebody writes while this waits for them is looked at once more.
    still = _C.changed_at < unused_since
    deleted = connection.execute(conversations.delete().where(sa.tuple_(*key).in_(old), still))
    connection.execute(refusals.delete().where(refusals.c.told_at < unused_since))
    return deleted.rowcount


def _key(conversation: Conversation) -> dict[str, str]:
    return {f"key_{name}": value for name, value in conversation._asdict().items()}
