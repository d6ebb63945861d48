"""Writing the router's part of a Channel's status beside what the controller writes there.

The list of conditions is one field for the API server, so it is read, changed and
written back under its resource version, and anew when somebody else was quicker.
"""

from collections.abc import Callable

from sympozium.contract.conditions import Condition
from sympozium.contract.errors import TransientError
from sympozium.contract.ready import with_ready
from sympozium.contract.resources import CHANNELS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import ConflictError

MAX_CONFLICTS = 8
"""How often a write that somebody else was quicker with is made again at once."""

Change = Callable[[Object], Object | None]
"""Returns the fields of the status that are to be written, given it; None: nothing new."""


async def change_status(kube: Kube, namespace: str, name: str, change: Change) -> None:
    """Write what *change* makes of a Channel's status, unless that is nothing new.

    Raises:
        NotFoundError: There is no such Channel.
        TransientError: The API server is away, or others write all the time.
    """
    for _ in range(MAX_CONFLICTS):
        channel = await kube.get(CHANNELS, namespace, name)
        fields = change(channel.get("status") or {})
        if fields is None:
            return
        version = {"resourceVersion": channel["metadata"]["resourceVersion"]}
        patch = {"metadata": version, "status": fields}
        try:
            await kube.patch(CHANNELS, namespace, name, patch, subresource="status")
        except ConflictError:
            continue
        return
    raise TransientError(f"cannot write the status of Channel {name!r}: others write it too")


def with_condition(status: Object, condition: Condition) -> Object | None:
    """Return *status*' conditions with *condition* among them; None: it says nothing new.

    The time of the last transition is that of the last change of its `status` field. What
    the conditions come to, `Ready`, is among them.
    """
    others, found = [], None
    for known in status.get("conditions") or []:
        if known.get("type") == condition.type:
            found = known
        else:
            others.append(known)
    written = {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": condition.last_transition_time,
    }
    if found is not None and found.get("status") == condition.status:
        written["lastTransitionTime"] = found.get("lastTransitionTime", "")
        if all((found.get(field) or "") == value for field, value in written.items()):
            return None
    return {"conditions": with_ready([*others, written], now=condition.last_transition_time)}
