"""What an operator asks a router: to see the dead letters, to put one through again, to drop one.

An operator is whoever the cluster lets have a token of the ServiceAccount
`OPERATOR_SERVICE_ACCOUNT`. They may ask this and nothing else of the bus.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

OPERATOR_SERVICE_ACCOUNT = "sympozium-operator"
"""In the system's namespace. Nothing runs as it, and it has no right at the API server."""

DEAD_LETTERS = "operator.dead"
"""Subject of requests about dead letters: core NATS, answered by one router."""

REPLIES = ("operator",)
"""Identity of operators for `subjects.reply_prefix`."""


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    pass


class Action(StrEnum):
    """What is to be done."""

    LIST = "list"
    SHOW = "show"
    RETRY = "retry"
    DROP = "drop"


class DeadRequest(_Wire, frozen=True, kw_only=True):
    """Asks for dead letters, or for something to be done with one.

    Attributes:
        id: Which one; not in a LIST.
        since: In a LIST: of this id and later.
        stream: In a LIST, as *namespace* and *name*: only those of it; empty: of all.
    """

    action: Action
    id: int = 0
    since: int = 1
    stream: str = ""
    namespace: str = ""
    name: str = ""


class DeadEntry(_Wire, frozen=True, kw_only=True):
    """One dead letter.

    Attributes:
        id: Its place among the dead letters; it never changes.
        name: Of the channel, or uid of the run.
        sequence: Its place in *stream*; 0: it was never stored there.
        attempts: How often it was tried.
        time: When it was given up.
        reference: What ends the sentence that people read of it, or the run's name there;
            empty where it is no message.
    """

    id: int
    stream: str
    namespace: str
    name: str
    sequence: int
    reason: str
    attempts: int
    time: datetime
    size_bytes: int = 0
    reference: str = ""


class DeadAnswer(_Wire, frozen=True, kw_only=True):
    """What was asked for, or why not.

    Attributes:
        letters: Oldest first.
        more_since: Ask again since this id; 0: there are no more.
        text: In a SHOW: what is kept of the message, as far as it is text, without secrets.
        done: In a RETRY or a DROP: what was done, as a sentence.
        error: Empty where it was done.
        retry: Ask again: something is away now.
    """

    letters: list[DeadEntry] = []
    more_since: int = 0
    text: str = ""
    done: str = ""
    error: str = ""
    retry: bool = False
