"""The two kinds of token of the auth callout: the server's question and our signed answer.

NATS signs with Ed25519 keys in its own text form ("nkeys"); the claims are JSON.
Source: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_callout
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import nacl.exceptions
import nacl.signing
import nkeys

from sympozium.bus.server import ACCOUNT, issuer_public_key
from sympozium.contract.errors import PermanentError
from sympozium_controller.identity.grants import Grants

_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
_NO_LIMIT = -1
_SERVER_PREFIX = "N"


@dataclass(frozen=True)
class AuthRequest:
    """What the server asks: may this connection come in, and with which grants.

    Attributes:
        user_nkey: The key that the server made up for the connection.
        token: What the connection presented. A secret.
    """

    server_id: str
    user_nkey: str
    client_name: str
    token: str = field(repr=False)


def read_request(data: bytes) -> AuthRequest:
    """Read the server's question.

    Raises:
        PermanentError: It is none, or no server signed it.
    """
    claims = _verified_claims(data)
    question = claims.get("nats", {})
    if question.get("type") != "authorization_request":
        raise PermanentError("cannot read an authorization request: it is of another type")
    options = question.get("connect_opts") or {}
    return AuthRequest(
        server_id=question["server_id"]["id"],
        user_nkey=question["user_nkey"],
        client_name=str((question.get("client_info") or {}).get("name", "")),
        token=str(options.get("auth_token") or ""),
    )


class Signer:
    """Signs answers as the account whose key the server was told to trust."""

    def __init__(self, seed: str) -> None:
        try:
            self._key = nkeys.from_seed(bytearray(seed.encode()))
            self._public = issuer_public_key(seed)
        except nkeys.NkeysError:
            raise PermanentError(
                "cannot sign bus grants: SYMPOZIUM_NATS_ISSUER_SEED is no nkey seed"
            ) from None

    def admit(
        self, request: AuthRequest, name: str, grants: Grants, *, now: datetime, until: datetime
    ) -> bytes:
        """Return the answer that lets the connection in, as *name*, until a moment."""
        user = {
            "aud": ACCOUNT,
            "sub": request.user_nkey,
            "name": name,
            "exp": int(until.timestamp()),
            "nats": {
                "type": "user",
                "version": 2,
                "pub": {"allow": list(grants.publish)},
                "sub": {"allow": list(grants.subscribe)},
                "subs": _NO_LIMIT,
                "data": _NO_LIMIT,
                "payload": _NO_LIMIT,
            },
        }
        return self._answer(request, now, {"jwt": self._sign(user, now)})

    def refuse(self, request: AuthRequest, cause: str, *, now: datetime) -> bytes:
        """Return the answer that keeps the connection out. *cause* goes to the server's log."""
        return self._answer(request, now, {"error": cause})

    def _answer(self, request: AuthRequest, now: datetime, answer: dict[str, str]) -> bytes:
        claims = {
            "aud": request.server_id,
            "sub": request.user_nkey,
            "nats": {"type": "authorization_response", "version": 2, **answer},
        }
        return self._sign(claims, now).encode()

    def _sign(self, claims: dict[str, Any], now: datetime) -> str:
        claims = {**claims, "iss": self._public, "iat": int(now.timestamp())}
        claims["jti"] = hashlib.sha256(_json(claims)).hexdigest()
        signed = f"{_encode(_json(_HEADER))}.{_encode(_json(claims))}"
        return f"{signed}.{_encode(self._key.sign(signed.encode()))}"


def _verified_claims(data: bytes) -> dict[str, Any]:
    try:
        signed, _, signature = data.decode("ascii").rpartition(".")
        claims: dict[str, Any] = json.loads(_decode(signed.partition(".")[2]))
        issuer = str(claims["iss"])
        if not issuer.startswith(_SERVER_PREFIX):
            raise PermanentError("cannot read an authorization request: no server issued it")
        key = nacl.signing.VerifyKey(base64.b32decode(issuer + "=" * (-len(issuer) % 8))[1:33])
        key.verify(signed.encode(), _decode(signature))
    except (ValueError, KeyError, TypeError, binascii.Error, nacl.exceptions.CryptoError):
        raise PermanentError("cannot read an authorization request: it is not signed") from None
    return claims


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
