"""The password of the session store, and its address with it.

| variable | meaning |
|---|---|
| `SYMPOZIUM_STORE_HOST` | `host:port` of the PostgreSQL that the chart runs |
"""

from sympozium.kube.client import connect
from sympozium.kube.endpoint import in_cluster
from sympozium.runtime.settings import Reader
from sympozium_controller.setup.secrets_made import Keys, fill, new_password

SECRET = "sympozium-store"  # noqa: S105 - the name of a Secret
USER = "sympozium"
DATABASE = "sympozium"


async def set_up() -> None:
    """Fill the Secret."""
    reader = Reader()
    namespace = reader.text("SYMPOZIUM_SYSTEM_NAMESPACE")
    host = reader.text("SYMPOZIUM_STORE_HOST")
    reader.finish()
    async with connect(in_cluster()) as kube:
        await fill(kube, namespace, SECRET, lambda known: make_keys(known, host))


def make_keys(known: Keys, host: str) -> Keys:
    """Return password and URL; a password that is *known* is kept."""
    password = known.get("password") or new_password()
    url = f"postgresql+asyncpg://{USER}:{password}@{host}/{DATABASE}"
    return {**known, "password": password, "url": url}
