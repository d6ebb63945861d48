"""Keys and passwords of the embedded bus, made at the first start and kept."""

import json
import secrets
from dataclasses import dataclass, field

from sympozium_local.system.home import Home, read_json, write_private

CONTROLLER_USER = "controller"


@dataclass(frozen=True)
class BusAccess:
    """What the server and the controller share."""

    issuer_seed: str = field(repr=False)
    controller_password: str = field(repr=False)
    system_password: str = field(repr=False)


def bus_access(home: Home) -> BusAccess:
    """Return the keys and passwords of this home, new ones at its first start."""
    from sympozium.bus.server import new_issuer

    known = read_json(home.bus_access)
    if not known:
        known = {
            "issuer_seed": new_issuer().seed,
            "controller_password": secrets.token_urlsafe(24),
            "system_password": secrets.token_urlsafe(24),
        }
        write_private(home.bus_access, json.dumps(known))
    return BusAccess(**known)


def write_server_config(home: Home, access: BusAccess, port: int) -> None:
    """Write the configuration that nats-server is started with."""
    from sympozium.bus.server import ServerAccess, issuer_public_key, server_config

    server = ServerAccess(
        issuer_public_key(access.issuer_seed),
        CONTROLLER_USER,
        access.controller_password,
        access.system_password,
    )
    config = server_config(server, port=port, data_dir=home.nats / "data")
    write_private(home.nats / "nats.conf", config)
