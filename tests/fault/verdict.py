"""Whether every promise to people was kept, and what became of all that they said."""

from collections import Counter
from collections.abc import Collection

from sympozium.contract.messages import OutboundKind
from sympozium.contract.reasons import Reason
from tests.fault.ledger import Breach, Entry, Said, check
from tests.fault.loads import Crowd
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
    found = [Entry(Breach.STUCK, said, "was never accepted") for said in crowd.unaccepted]
    found += check(crowd.said, crowd.observer, crowd.accepted)
    found += [
        Entry(Breach.UNEXPLAINED, said, code)
        for said in crowd.said
        for code in _errors(crowd, said)
        if code not in explained
    ]
    return [*found, *await wrongly_seen(crowd), *await run_twice(crowd)]


def fates(crowd: Crowd) -> Counter[str]:
    """Count what was said, and how it ended: by the kinds of ends, and by the codes of errors."""
    counted: Counter[str] = Counter({SAID: len(crowd.said)})
    for said in crowd.said:
        for end in crowd.observer.ends_of(said.token):
            counted[end.error.code if end.error else _FATES[end.kind]] += 1
    return counted


def _errors(crowd: Crowd, said: Said) -> list[str]:
    ends = crowd.observer.ends_of(said.token)
    return [end.error.code for end in ends if end.error is not None]
