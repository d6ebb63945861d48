"""What a channel may ask the router for: to keep a note, to hold a claim, to pass on its state.

A channel holds no state that matters and no right at the API server. What it must
know after it was killed (the placeholder that is to become the answer, how far it
has read) the router keeps for it in the session store, under the channel's own
name: the subject of a request says whose it is.
"""

import msgspec


class _Desk(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    pass


class NotesRequest(_Desk, frozen=True, kw_only=True):
    """Keep, read, claim: each part that is there is done, in this order, in one transaction.

    Attributes:
        put: Notes to keep by key, up to `limits.MAX_NOTE_BYTES` each; "" forgets one.
        get: Keys to read.
        prefix: Reads every note whose key begins so; "" reads none.
        claim: Name of a claim to take or to prolong; "" asks for none.
        holder: Who claims; another holder is refused until `for_s` seconds have passed
            since the claim was last prolonged, unless it is named `<place>_<anything>`
            after the same place. 0 gives up what this very holder has.
    """

    put: dict[str, str] = {}
    get: list[str] = []
    prefix: str = ""
    claim: str = ""
    holder: str = ""
    for_s: float = 0.0


class NotesAnswer(_Desk, frozen=True, kw_only=True):
    """What was asked for, or why there is nothing.

    Attributes:
        notes: Those of `get` and `prefix` that are kept; missing ones are left out.
        is_claimed: Whether the claim is the holder's now.
        error: Empty where everything was done; then nothing was.
        retry: Ask again: the store may be back soon.
    """

    notes: dict[str, str] = {}
    is_claimed: bool = False
    error: str = ""
    retry: bool = False


class ReportRequest(_Desk, frozen=True, kw_only=True):
    """How a channel stands with its platform: it becomes the Channel's condition `Connected`.

    Attributes:
        reason: One CamelCase word, such as `TokenRevoked`.
        message: For the operator: what is wrong and what to do; no secret.
    """

    is_connected: bool
    reason: str
    message: str = ""


class ReportAnswer(_Desk, frozen=True, kw_only=True):
    """Whether the condition was written."""

    error: str = ""
    retry: bool = False


class FetchRequest(_Desk, frozen=True, kw_only=True):
    """Asks for one part of a file, from 0."""

    owner: str
    id: str
    part: int


class FetchAnswer(_Desk, frozen=True, kw_only=True):
    """One part of a file, or why not."""

    data: bytes = b""
    error: str = ""
    retry: bool = False
