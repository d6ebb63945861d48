"""Tokens reviewed by the API server, remembered by hash while they are valid.

The bus must admit a program that it knows while the API server is away for a
moment, and must not ask it again for each of a program's reconnects.
"""

import asyncio
import base64
import binascii
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import BUS_AUDIENCE, TOKEN_REVIEWS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import InvalidError, UnavailableError

MAX_REMEMBERED = 10_000
"""Reviews kept at once; the oldest goes first."""

MAX_AGE = timedelta(minutes=10)
"""A review is asked for anew after this while the API server answers: tokens get revoked."""

FORGET_EVERY = timedelta(minutes=1)
"""Each run brings a token, and most tokens end long before there are too many."""

REVIEW_TIMEOUT_S = 1.5
"""The server and the connecting client wait about 2 s; an answer in time beats a late one."""

_ACCOUNT_PREFIX = "system:serviceaccount:"
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"


class TokenRefusedError(PermanentError):
    """The API server does not vouch for the token, or not for this audience."""


@dataclass(frozen=True)
class Bearer:
    """Whose token it is, as the API server says.

    Attributes:
        pod_name: The pod that the token is bound to; empty where it is bound to none.
        expires: When the token is worth nothing any more.
    """

    namespace: str
    service_account: str
    pod_name: str
    pod_uid: str
    expires: datetime


class Reviews:
    """Asks the API server whose a token is."""

    def __init__(self, kube: Kube, clock: Callable[[], datetime] | None = None) -> None:
        self._kube = kube
        self.now = clock or kube.now
        self._known: OrderedDict[bytes, tuple[Bearer, datetime]] = OrderedDict()
        self._forgot = self.now()

    @property
    def remembered(self) -> int:
        """How many tokens are remembered."""
        return len(self._known)

    async def bearer(self, token: str) -> Bearer:
        """Return whose *token* is.

        While the API server is away, what it said before holds until the token expires.

        Raises:
            TokenRefusedError: Nobody's, expired, or meant for somebody else.
            UnavailableError: The API server does not say, and has not said before.
        """
        digest, now = hashlib.sha256(token.encode()).digest(), self.now()
        known, reviewed = self._known.get(digest, (None, now))
        if known is not None and known.expires > now and now - reviewed < MAX_AGE:
            return known
        try:
            async with asyncio.timeout(REVIEW_TIMEOUT_S):
                bearer = await self._review(token)
        except (UnavailableError, TimeoutError) as error:
            if known is not None and known.expires > now:
                return known
            raise UnavailableError("cannot review a bus token: the API server is away") from error
        except TokenRefusedError:
            self._known.pop(digest, None)
            raise
        self._remember(digest, bearer, now)
        return bearer

    async def _review(self, token: str) -> Bearer:
        question: Object = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "metadata": {},
            "spec": {"token": token, "audiences": [BUS_AUDIENCE]},
        }
        try:
            status = (await self._kube.create(TOKEN_REVIEWS, question)).get("status") or {}
        except InvalidError as error:
            raise TokenRefusedError("cannot admit to the bus: it is no token") from error
        if not status.get("authenticated") or BUS_AUDIENCE not in status.get("audiences", []):
            raise TokenRefusedError("cannot admit to the bus: the API server refuses the token")
        user = status.get("user") or {}
        namespace, _, account = (
            user.get("username", "").removeprefix(_ACCOUNT_PREFIX).partition(":")
        )
        if not user.get("username", "").startswith(_ACCOUNT_PREFIX) or not account:
            raise TokenRefusedError("cannot admit to the bus: it is no ServiceAccount's token")
        extra = user.get("extra") or {}
        return Bearer(
            namespace=namespace,
            service_account=account,
            pod_name=next(iter(extra.get(_POD_NAME) or []), ""),
            pod_uid=next(iter(extra.get(_POD_UID) or []), ""),
            expires=_expiry(token),
        )

    def _remember(self, digest: bytes, bearer: Bearer, now: datetime) -> None:
        self._known[digest] = (bearer, now)
        self._known.move_to_end(digest)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        if now - self._forgot >= FORGET_EVERY:
            self._forgot = now
            for expired in [key for key, (known, _) in self._known.items() if known.expires <= now]:
                del self._known[expired]


def _expiry(token: str) -> datetime:
    """Return when a token ends by its own word, which the API server has just confirmed."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, binascii.Error):
        raise TokenRefusedError(
            "cannot admit to the bus: the token has no expiry; use a projected token"
        ) from None
