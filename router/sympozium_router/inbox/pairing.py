"""Codes with which an operator lets somebody in: pure, but for the dice.

They are kept in the Channel's status, where an operator sees who asked. Somebody
who asks again gets the code that they have, and what has expired goes with the
next change.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sympozium.contract.messages import Sender
from sympozium.contract.resources import Object
from sympozium.contract.times import kube_time, parse_kube_time
from sympozium_router.outbox.wording import quoted

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Nothing that is taken for something else: no I, L, O, 0 or 1."""

CODE_CHARS = 6
VALID_FOR = timedelta(days=1)
MAX_OPEN = 20
"""Codes of one channel that are valid at once; who asks beyond that gets none."""


@dataclass(frozen=True)
class Paired:
    """What came of asking for a code.

    Attributes:
        code: Empty: there are too many open ones.
        pairings: What the status is to say; None: what it says already.
    """

    code: str
    pairings: list[Object] | None


def new_code() -> str:
    """Return a code that nobody can guess within its time."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))


def pair(status: Object, sender: Sender, code: str, *, now: datetime) -> Paired:
    """Return the code of *sender*: the one they have, or else *code* if there is room."""
    known: list[Object] = status.get("pairings") or []
    open_ = still_open(known, now=now)
    own = next((one["code"] for one in open_ if one["userId"] == sender.user_id), "")
    if own:
        return Paired(own, None)
    if len(open_) >= MAX_OPEN:
        return Paired("", None if len(open_) == len(known) else open_)
    mine = {
        "code": code,
        "userId": sender.user_id,
        "displayName": quoted(sender.display_name),
        "expiresAt": kube_time(now + VALID_FOR),
    }
    return Paired(code, [*open_, mine])


def still_open(pairings: list[Object], *, now: datetime) -> list[Object]:
    """Return those that have not expired; what cannot be read has."""
    return [one for one in pairings if _expires_at(one, now) > now]


def _expires_at(pairing: Object, now: datetime) -> datetime:
    try:
        return parse_kube_time(pairing["expiresAt"])
    except (KeyError, TypeError, ValueError):
        return now
