"""Whether every promise to people was kept, and what became of all that they said."""

from collections import Counter
from collections.abc import Collection

from sympozium.contract.messages import OutboundKind
from sympozium.contract.reasons import Reason
from tests.fault.ledger import Breach, Entry, Said, check
from tests.fault.loads import Crowd
from tests.fault.observer import Observer
from tests.fault.sight import run_twice, wrongly_seen

WISHED = frozenset({Reason.CANCELLED, Reason.INTERRUPTED})
"""Ends without an answer that people asked for."""

DIED = WISHED | {Reason.AGENT_CRASHED}
"""Those of rounds in which agents are killed: one that called a tool does not begin anew."""

HARMED = DIED | {
    Reason.CONTEXT_UNAVAILABLE,
    Reason.EVICTED,
    Reason.MODEL_BAD_ANSWER,
    Reason.MODEL_OVERLOADED,
    Reason.MODEL_TIMEOUT,
    Reason.MODEL_UNREACHABLE,
    Reason.NOT_STARTED,
}
"""Those of a system of which any part may be away, the model too."""

SAID, ANSWERED, TAKEN_BACK = "said", "answered", "taken back"
_FATES = {
    OutboundKind.FINAL: ANSWERED,
    OutboundKind.JOINED: ANSWERED,
    OutboundKind.DROPPED: TAKEN_BACK,
}

STUCK = Said("what was begun", "all")


async def broken(crowd: Crowd, explained: Collection[str]) -> list[Entry]:
    """Return every promise that was not kept, as stored and as seen.

    An error is an end only where something that was done explains it: its code is in *explained*.
    """
    stuck = [Entry(Breach.STUCK, said, "was never accepted") for said in crowd.unaccepted]
    stored = check(crowd.said, crowd.observer, crowd.accepted)
    errors = unexplained(crowd.said, crowd.observer, explained)
    return [*stuck, *stored, *errors, *await wrongly_seen(crowd), *await run_twice(crowd)]


def unexplained(said: list[Said], observer: Observer, explained: Collection[str]) -> list[Entry]:
    """Return every error for which nothing was done."""
    return [
        Entry(Breach.UNEXPLAINED, one, end.error.code)
        for one in said
        for end in observer.ends_of(one.token)
        if end.error is not None and end.error.code not in explained
    ]


def more_crashed(said: list[Said], observer: Observer, killed: int) -> list[Entry]:
    """Return that more runs are told to have lost their agent than agents were *killed*."""
    crashed = {
        end.run_uid
        for one in said
        for end in observer.ends_of(one.token)
        if end.error is not None and end.error.code == Reason.AGENT_CRASHED
    }
    if len(crashed) <= killed:
        return []
    return [Entry(Breach.UNEXPLAINED, STUCK, f"{len(crashed)} agents crashed, {killed} killed")]


def fates(said: list[Said], observer: Observer) -> Counter[str]:
    """Count what was said, and how it ended: by the kinds of ends, and by the codes of errors."""
    counted: Counter[str] = Counter({SAID: len(said)})
    for one in said:
        for end in observer.ends_of(one.token):
            counted[end.error.code if end.error else _FATES[end.kind]] += 1
    return counted
