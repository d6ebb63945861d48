"""What the router is told by its environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sympozium.bus.nats import token_in
from sympozium.kube.endpoint import Endpoint, in_cluster
from sympozium.runtime.settings import LOG_LEVELS, Reader
from sympozium.store.database import MAX_CONNECTIONS

DEFAULT_STORE_URL = "sqlite+aiosqlite:////var/lib/sympozium/router.db"
DEFAULT_HEALTH_PORT = 8081


@dataclass(frozen=True)
class Settings:
    """All settings, checked.

    Attributes:
        nats_token_file: None: connect without a credential, which only a bus without
            access control admits.
        health_host: Address on which `/livez` and `/readyz` are served; empty: on all.
        kube: Another API server than that of the pod's cluster.
        store_connections: How many of them are open to a server at once, at the most.
        keep: How long a finished message stays in the transcript.
    """

    nats_url: str
    nats_token_file: Path | None
    store_url: str
    store_connections: int
    health_port: int
    health_host: str
    log_level: str
    keep: timedelta
    kube: Endpoint | None

    @property
    def nats_token(self) -> Callable[[], str] | None:
        """What reads the credential for the bus, anew at every connection."""
        return token_in(self.nats_token_file)

    def endpoint(self) -> Endpoint:
        """Return the API server to use.

        Raises:
            PermanentError: None was named and this is no pod.
        """
        return self.kube or in_cluster()


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: Naming every variable that is missing or wrong.
    """
    reader = Reader(environ)
    token_file = reader.text("SYMPOZIUM_NATS_TOKEN_FILE", "")
    settings = Settings(
        nats_url=reader.text("SYMPOZIUM_NATS_URL"),
        nats_token_file=Path(token_file) if token_file else None,
        store_url=reader.text("SYMPOZIUM_STORE_URL", DEFAULT_STORE_URL),
        store_connections=reader.number(
            "SYMPOZIUM_STORE_CONNECTIONS", MAX_CONNECTIONS, low=2, high=100
        ),
        health_port=reader.number("SYMPOZIUM_HEALTH_PORT", DEFAULT_HEALTH_PORT, low=0, high=65535),
        health_host=reader.text("SYMPOZIUM_HEALTH_HOST", ""),
        log_level=reader.choice("SYMPOZIUM_LOG_LEVEL", "INFO", LOG_LEVELS),
        keep=timedelta(days=reader.number("SYMPOZIUM_KEEP_DAYS", 90, low=2, high=3650)),
        kube=_endpoint(reader),
    )
    reader.finish()
    return settings


def _endpoint(reader: Reader) -> Endpoint | None:
    url = reader.text("SYMPOZIUM_KUBE_URL", "")
    if not url:
        return None
    ca, token = reader.text("SYMPOZIUM_KUBE_CA", ""), reader.text("SYMPOZIUM_KUBE_TOKEN", "")
    return Endpoint(url.rstrip("/"), Path(ca) if ca else None, Path(token) if token else None)
