"""Whether a request is Slack's: signed with the app's secret, lately, and for the first time."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from time import time

from sympozium.contract.errors import PermanentError

WINDOW_S = 300
"""How far a request's time may be from ours.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

MAX_REMEMBERED = 100_000


class Signatures:
    """Checks requests with one signing secret.

    Raises:
        PermanentError: At construction: the secret is empty, so anybody could sign with it.
    """

    def __init__(self, secret: str, *, clock: Callable[[], float] = time) -> None:
        if not secret:
            raise PermanentError(
                "cannot check what Slack sends: SLACK_SIGNING_SECRET is empty; set it in the Secret"
            )
        self._secret = secret.encode()
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    def accepts(self, body: bytes, timestamp: str, signature: str) -> bool:
        """Return whether a request is Slack's and is here for the first time."""
        now = self._clock()
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        if abs(now - int(timestamp)) > WINDOW_S or not signature.isascii():
            return False
        signed = hmac.new(self._secret, b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
        if not hmac.compare_digest(f"v0={signed.hexdigest()}", signature):
            return False
        self._forget_old(now)
        if signature in self._seen:
            return False
        self._seen[signature] = now
        return True

    def forget(self, signature: str) -> None:
        """Let the same request come again: it was not taken."""
        self._seen.pop(signature, None)

    def _forget_old(self, now: float) -> None:
        while self._seen:
            signature, seen_at = next(iter(self._seen.items()))
            if now - seen_at <= 2 * WINDOW_S and len(self._seen) < MAX_REMEMBERED:
                return
            del self._seen[signature]
