"""An error is an end only where something explains it."""

from msgspec.structs import replace

from sympozium.contract.messages import OutboundKind, VisibleError
from sympozium.contract.names import RunUid
from sympozium.contract.reasons import Reason
from tests.fault.ledger import Breach
from tests.fault.observer import Observer
from tests.fault.test_ledger import FIRST, SECOND, WITHDRAWN, end, stored
from tests.fault.verdict import (
    ANSWERED,
    SAID,
    TAKEN_BACK,
    WISHED,
    fates,
    more_crashed,
    unexplained,
)

ERROR = end(FIRST, kind=OutboundKind.ERROR)


def test_an_error_that_nothing_explains_is_no_end() -> None:
    observer = Observer([stored(FIRST), stored(SECOND, sequence=2)], [ERROR, end(SECOND)])
    said = [FIRST, SECOND]
    (entry,) = unexplained(said, observer, WISHED)
    assert (entry.breach, entry.said) == (Breach.UNEXPLAINED, FIRST)
    assert unexplained(said, observer, {*WISHED, Reason.INTERNAL}) == []


def test_more_crashed_agents_than_were_killed_are_no_end() -> None:
    error = VisibleError(code=Reason.AGENT_CRASHED, message="sorry")
    crashed = replace(ERROR, error=error, run_uid=RunUid("1"))
    observer = Observer([stored(FIRST)], [crashed])
    assert more_crashed([FIRST], observer, killed=1) == []
    (entry,) = more_crashed([FIRST], observer, killed=0)
    assert entry.breach is Breach.UNEXPLAINED


def test_how_everything_ended_is_counted() -> None:
    inbox = [stored(FIRST), stored(SECOND, sequence=2), stored(WITHDRAWN, sequence=3)]
    outbox = [ERROR, end(SECOND), end(WITHDRAWN, kind=OutboundKind.DROPPED)]
    found = fates([FIRST, SECOND, WITHDRAWN], Observer(inbox, outbox))
    assert found == {SAID: 3, Reason.INTERNAL: 1, ANSWERED: 1, TAKEN_BACK: 1}
