"""The statements on messages, built once: building one costs more than running it."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sympozium.store.schema import UNFINISHED, messages

_C = messages.c
LAST_SEQUENCE = 2**63 - 1
"""Largest value of the column."""

CHANGING = ("letter", "run_name", "offered_to", "carried_by", "cut", "begun_at")
ENDING = ("ended_at", "told", "input_tokens", "output_tokens")

_IS_KEY = sa.and_(
    _C.namespace == sa.bindparam("key_namespace"),
    _C.channel == sa.bindparam("key_channel"),
    _C.message_id == sa.bindparam("key_message_id"),
)
_IN_CONVERSATION = sa.and_(
    _C.namespace == sa.bindparam("namespace"),
    _C.channel == sa.bindparam("channel"),
    _C.conversation == sa.bindparam("conversation"),
)
_BEFORE = _C.sequence < sa.bindparam("before", type_=sa.BigInteger)
_SINCE = _C.sequence > sa.bindparam("since", type_=sa.BigInteger)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)

INSERT: dict[str, sa.Executable] = {
    "sqlite": sqlite.insert(messages).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(messages).on_conflict_do_nothing(),
}
"""By dialect. It inserts nothing where the key is there."""
ANY = sa.select(sa.literal(1)).select_from(messages).limit(1)
KNOWN = messages.select().where(_IS_KEY)
STARTED = (
    messages.update().where(_IS_KEY, _C.run_uid == "").values(run_uid=sa.bindparam("new_run_uid"))
)
CHANGE = (
    messages.update()
    .where(_IS_KEY, _C.ended_at.is_(None))
    .values({name: sa.bindparam(f"new_{name}") for name in CHANGING})
)
FINISH = (
    messages.update()
    .where(_IS_KEY, _C.ended_at.is_(None))
    .values({name: sa.bindparam(f"new_{name}") for name in ENDING})
)
FINISH_AS_CUT = FINISH.where(_C.cut == sa.bindparam("as_cut", type_=sa.Text))
PUBLISHED = (
    messages.update()
    .where(_IS_KEY, UNFINISHED)
    .values(outbox_sequence=sa.bindparam("new_outbox_sequence"))
)
REOPEN = (
    messages.update()
    .where(_C.outbox_sequence > sa.bindparam("after", type_=sa.BigInteger))
    .values(outbox_sequence=0)
)
"""Without an index, and once at the start of a program."""
IS_UNPUBLISHED = sa.select(sa.literal(1)).where(_IS_KEY, UNFINISHED)
OPEN_TALKS = sa.select(_C.namespace, _C.channel, _C.conversation).where(UNFINISHED).distinct()
OPEN = messages.select().where(_IN_CONVERSATION, UNFINISHED).order_by(_C.sequence).limit(_LIMIT)
ENDLESS = (
    messages.select()
    .where(_IN_CONVERSATION, UNFINISHED, _C.ended_at.is_(None))
    .order_by(_C.sequence)
    .limit(_LIMIT)
    .with_for_update()
)
"""Until the end of the transaction nobody else notes an end of them; for writing only."""
WAITING_BEFORE = sa.select(sa.func.count()).where(
    _IN_CONVERSATION, UNFINISHED, _C.ended_at.is_(None), _BEFORE
)
LAST_END = (
    sa.select(_C.ended_at)
    .where(_IN_CONVERSATION, _BEFORE, _C.ended_at.is_not(None), _C.run_uid != "")
    .order_by(_C.sequence.desc())
    .limit(1)
)
_NAMESPACE = sa.bindparam("namespace", type_=sa.Text)
_OF_NAMESPACE = sa.or_(sa.literal_column("''") == _NAMESPACE, _C.namespace == _NAMESPACE)
"""Every message where the name is empty."""

HANDLED = sa.select(_C.sequence).where(
    _C.sequence.between(sa.bindparam("low"), sa.bindparam("high")),
    _OF_NAMESPACE,
    sa.or_(_C.run_uid != "", _C.ended_at.is_not(None)),
)
TRANSCRIPT = (
    messages.select()
    .where(_IN_CONVERSATION, _BEFORE, _SINCE)
    .order_by(_C.sequence.desc())
    .limit(_LIMIT)
)
RUN_OF = (
    sa.select(sa.literal(1))
    .where(
        _C.run_uid == sa.bindparam("run_uid"),
        _C.namespace == sa.bindparam("namespace"),
        _C.channel == sa.bindparam("channel"),
    )
    .limit(1)
)
USAGE = sa.select(
    sa.func.coalesce(sa.func.sum(_C.input_tokens), 0),
    sa.func.coalesce(sa.func.sum(_C.output_tokens), 0),
).where(_IN_CONVERSATION, _SINCE)

_OLD = (
    sa.select(_C.namespace, _C.channel, _C.message_id)
    .where(
        _C.ended_at < sa.bindparam("ended_before"),
        ~UNFINISHED,
        sa.or_(
            sa.and_(_OF_NAMESPACE, _C.sequence <= sa.bindparam("up_to", type_=sa.BigInteger)),
            _C.ended_at < sa.bindparam("certainly_before"),
        ),
    )
    .limit(_LIMIT)
)
PRUNE = messages.delete().where(sa.tuple_(_C.namespace, _C.channel, _C.message_id).in_(_OLD))
