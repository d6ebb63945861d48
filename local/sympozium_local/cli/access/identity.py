"""As whom requests are made: what a kubeconfig's user, or its plugin, presents."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import Object

if TYPE_CHECKING:
    from sympozium_local.cli.access.exec_plugin import ExecCredential

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class KeyPair:
    """A client certificate and its key, in PEM."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)


class Identity:
    """One user of a kubeconfig."""

    def __init__(self, user: Object, cluster: Object) -> None:
        if provider := (user.get("auth-provider") or {}).get("name"):
            raise PermanentError(
                f"cannot use the kubeconfig's auth-provider {provider!r}: kubectl has not known "
                "auth-provider since 1.26, and this command line does not either; set up the "
                "exec plugin of your cluster's provider"
            )
        self._user = user
        self._cluster = cluster
        self._credential: ExecCredential | None = None

    def key_pair(self) -> KeyPair | None:
        """Return the client certificate to present, or None.

        Raises:
            PermanentError: A file or the plugin does not give it.
        """
        certificate = _bytes_of(self._user, "client-certificate")
        key = _bytes_of(self._user, "client-key")
        if certificate and key:
            return KeyPair(certificate, key)
        credential = self._from_plugin()
        if credential and credential.certificate:
            return KeyPair(credential.certificate.encode(), credential.key.encode())
        return None

    def headers(self) -> Headers:
        """Return the headers that say who asks; a token's file is read again each time.

        Raises:
            PermanentError: A file or the plugin does not give the token.
        """
        return [*self._authorization(), *self._in_the_name_of()]

    def renew(self) -> bool:
        """Forget what a plugin answered; return whether asking it again may help."""
        had_one, self._credential = self._credential is not None, None
        return had_one

    def _authorization(self) -> Headers:
        token = str(self._user.get("token") or "")
        if file := self._user.get("tokenFile"):
            token = _read(Path(file), "token").decode().strip()
        credential = None if token else self._from_plugin()
        token = token or (credential.token if credential else "")
        if token:
            return [("Authorization", f"Bearer {token}")]
        if self._user.get("username"):
            pair = f"{self._user['username']}:{self._user.get('password', '')}"
            return [("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")]
        return []

    def _in_the_name_of(self) -> Headers:
        user, headers = self._user, []
        if user.get("as"):
            headers.append(("Impersonate-User", str(user["as"])))
        if user.get("as-uid"):
            headers.append(("Impersonate-Uid", str(user["as-uid"])))
        headers += [("Impersonate-Group", str(one)) for one in user.get("as-groups") or ()]
        for key, values in (user.get("as-user-extra") or {}).items():
            headers += [(f"Impersonate-Extra-{key}", str(value)) for value in values]
        return headers

    def _from_plugin(self) -> "ExecCredential | None":
        plugin = self._user.get("exec")
        if not plugin:
            return None
        from sympozium_local.cli.access.exec_plugin import run_plugin

        if self._credential is None or not self._credential.is_good:
            self._credential = run_plugin(plugin, self._cluster)
        return self._credential


def _bytes_of(user: Object, key: str) -> bytes:
    if data := user.get(f"{key}-data"):
        return base64.b64decode(data)
    return _read(Path(user[key]), key) if user.get(key) else b""


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PermanentError(
            f"cannot read the kubeconfig's {what} '{path}': {error.strerror}; "
            "make the file readable, or log in to the cluster again"
        ) from None
