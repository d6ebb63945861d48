"""Who asks: static tokens of this machine's own programs, and ServiceAccount tokens.

A ServiceAccount token counts only as long as its account lives, and one bound
to a pod only as long as that pod does: a run's rights die with it.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
import msgspec

from sympozium_local.apiserver.errors import ApiError
from sympozium_local.apiserver.request import User
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import Store

ISSUER = "https://kubernetes.default.svc.cluster.local"
"""Also the audience of tokens for this API."""

AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
MASTERS = "system:masters"
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))

STATIC_USERS: Mapping[str, User] = {
    "admin": User("kubernetes-admin", (MASTERS, AUTHENTICATED)),
    "kubelet": User("system:node:local", ("system:nodes", AUTHENTICATED)),
    "controller-manager": User("system:kube-controller-manager", (AUTHENTICATED,)),
}

_EXTRA = "authentication.kubernetes.io"
_CACHE_SIZE = 2_048


def unauthorized() -> ApiError:
    """The token is none that counts. Why is not said: the asker may be anyone."""
    return ApiError(401, "Unauthorized", "Unauthorized")


class Authenticator:
    """Recognizes bearer tokens, and issues those of ServiceAccounts."""

    def __init__(self, store: Store, static: Mapping[str, str], key: bytes) -> None:
        self._store = store
        self._static = {token: STATIC_USERS[name] for name, token in static.items()}
        self._key = key
        self._claims: dict[str, Object] = {}

    def user(self, authorization: str) -> User:
        """Return who sends this `Authorization` header; without a bearer token, the anonymous user.

        Raises:
            ApiError: 401.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return ANONYMOUS
        found = self.recognize(token.strip(), [ISSUER])
        if found is None:
            raise unauthorized()
        return found[0]

    def recognize(self, token: str, audiences: Sequence[str]) -> tuple[User, list[str]] | None:
        """Return whose *token* it is and for which of *audiences*; None: it does not count."""
        static = self._static.get(token)
        if static is not None:
            return (static, [ISSUER]) if ISSUER in audiences else None
        claims = self._verified(token)
        if claims is None:
            return None
        meant_for = [one for one in audiences if one in claims["aud"]]
        user = self._living(claims)
        return (user, meant_for) if user is not None and meant_for else None

    def why_not(self, token: str, audiences: Sequence[str]) -> str:
        """Return why `recognize` does not, in the words of the real server."""
        claims = self._verified(token)
        if claims is None:
            return "invalid bearer token"
        if not set(audiences) & set(claims["aud"]):
            found, wanted = (
                msgspec.json.encode(list(one)).decode() for one in (claims["aud"], audiences)
            )
            why = f"token audiences {found} is invalid for the target audiences {wanted}"
        elif not self._is_there("serviceaccounts", *_account_of(claims)):
            why = f'serviceaccounts "{_account_of(claims)[1]["name"]}" not found'
        else:
            why = "service account token has been invalidated"
        return f"[invalid bearer token, {why}]"

    def _verified(self, token: str) -> Object | None:
        claims = self._claims.get(token)
        if claims is None:
            required = ["exp", "aud", "iss", "sub"]
            try:
                claims = jwt.decode(
                    token,
                    self._key,
                    algorithms=["HS256"],
                    issuer=ISSUER,
                    options={"require": required, "verify_aud": False},
                )
            except jwt.InvalidTokenError:
                return None
            if len(self._claims) >= _CACHE_SIZE:
                self._claims.pop(next(iter(self._claims)))
            self._claims[token] = claims
        return claims if claims["exp"] > time.time() else None

    def _living(self, claims: Object) -> User | None:
        about = claims["kubernetes.io"]
        namespace, account, pod = about["namespace"], about["serviceaccount"], about.get("pod")
        if not self._is_there("serviceaccounts", namespace, account):
            return None
        extra = {f"{_EXTRA}/credential-id": (f"JTI={claims['jti']}",)}
        if pod is not None:
            if not self._is_there("pods", namespace, pod):
                return None
            extra[f"{_EXTRA}/pod-name"] = (pod["name"],)
            extra[f"{_EXTRA}/pod-uid"] = (pod["uid"],)
        if "node" in about:
            extra[f"{_EXTRA}/node-name"] = (about["node"]["name"],)
        return service_account(namespace, account["name"], account["uid"], extra)

    def _is_there(self, key: str, namespace: str, meant: Object) -> bool:
        row = self._store.get(key, namespace, meant["name"])
        return row is not None and row.uid == meant["uid"]

    def issue(self, account: Object, audiences: Sequence[str], seconds: int, pod: Any) -> str:
        """Return a token for the ServiceAccount object *account*, bound to *pod* if given."""
        namespace, now = account["metadata"]["namespace"], int(time.time())
        about: Object = {"namespace": namespace, "serviceaccount": _reference(account)}
        if pod is not None:
            about["pod"] = _reference(pod)
            if node := pod["spec"].get("nodeName"):
                about["node"] = {"name": node}
        claims = {
            "aud": list(audiences),
            "exp": now + seconds,
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": about,
            "sub": f"system:serviceaccount:{namespace}:{account['metadata']['name']}",
        }
        return jwt.encode(claims, self._key, algorithm="HS256")


def _account_of(claims: Object) -> tuple[str, Object]:
    about = claims["kubernetes.io"]
    return about["namespace"], about["serviceaccount"]


def _reference(obj: Object) -> Object:
    return {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}


def service_account(
    namespace: str, name: str, uid: str = "", extra: Mapping[str, tuple[str, ...]] | None = None
) -> User:
    """Return the user that a ServiceAccount is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups, uid, extra or {})
