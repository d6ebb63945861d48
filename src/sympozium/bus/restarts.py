"""Whether a run that lost its pod may begin anew in another one.

Until it has called a tool, a run has had no effect but tokens, and nobody notices that
it began twice. What a tool did would be done twice; and a run that has ended would
answer twice.
"""

from collections.abc import Callable

from sympozium.bus.ports import Bus
from sympozium.contract.envelope import decode_payload, open_envelope
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import RunUid
from sympozium.contract.run_events import Failure, Progress, Result, RunEvent, pod_of
from sympozium.contract.subjects import RUNS, run_out

DENIED = "denied"
"""State of a call that was not allowed, so that it had no effect."""


async def is_past_restart(
    bus: Bus, namespace: str, uid: RunUid, is_meant: Callable[[str], bool]
) -> bool:
    """Return whether a pod whose uid *is_meant* has called a tool or ended the run, on the bus.

    Raises:
        BusUnavailableError: No answer in time.
    """
    subject, since = run_out(namespace, uid), 1
    called: set[str] = set()
    while (line := await bus.next(RUNS, subject, since=since)) is not None:
        event = _event(line.data, is_meant)
        if isinstance(event, Result | Failure):
            return True
        if isinstance(event, Progress):
            (called.discard if event.state == DENIED else called.add)(event.call_id)
        since = line.sequence + 1
    return bool(called)


def _event(data: bytes, is_meant: Callable[[str], bool]) -> RunEvent | None:
    try:
        envelope = open_envelope(data)
        if not is_meant(pod_of(envelope.id)):
            return None
        return decode_payload(envelope, RunEvent)  # type: ignore[arg-type] # msgspec takes a union
    except PermanentError:  # a stranger's line
        return None
