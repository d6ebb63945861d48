"""Where an API server is, and as whom to speak to it."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from sympozium.contract.errors import PermanentError

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Endpoint:
    """An API server and a bearer token for it.

    Attributes:
        token_file: Read again at every request, because a projected token rotates.
    """

    url: str
    ca_file: Path | None = None
    token_file: Path | None = None

    def ssl_context(self) -> ssl.SSLContext | bool:
        """Return how to verify the server; True is the system's trust store."""
        if self.ca_file is None:
            return True
        return ssl.create_default_context(cafile=str(self.ca_file))

    def headers(self) -> dict[str, str]:
        """Return the headers that say who asks."""
        if self.token_file is None:
            return {}
        return {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}


def in_cluster() -> Endpoint:
    """Return the endpoint that every pod is given by its kubelet.

    Raises:
        PermanentError: This is no pod, or its ServiceAccount token is not mounted.
    """
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    port = os.environ.get("KUBERNETES_SERVICE_PORT")
    token_file = _SERVICE_ACCOUNT / "token"
    if not host or not port or not token_file.exists():
        raise PermanentError(
            "cannot find the Kubernetes API: KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT or "
            f"{token_file} is missing; run this program in a pod with a ServiceAccount token"
        )
    host = f"[{host}]" if ":" in host else host
    return Endpoint(f"https://{host}:{port}", _SERVICE_ACCOUNT / "ca.crt", token_file)
