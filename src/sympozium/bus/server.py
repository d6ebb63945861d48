"""The configuration of nats-server: one account, nobody anonymous, grants by the controller.

Without an account of its own for the system, and with anonymous access left on,
a server accepts anybody; so both are said here, once, for the embedded server
and for the chart.
"""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import nkeys

from sympozium.contract.subjects import CONTROLLER_RUNS, INBOX, OUTBOX, RUNS, STREAMS, reply_prefix

ACCOUNT = "SYMPOZIUM"
"""The account that every program of the system shares; its grants keep them apart."""

AUTH_TIMEOUT_S = 5
"""How long the server lets the controller take to admit one connection."""

CALLOUT_SUBJECT = "$SYS.REQ.USER.AUTH"
"""Where the server asks who a connection is.

Source: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_callout
"""

CONNECTIONS_SUBJECT = "$SYS.REQ.ACCOUNT.PING.CONNZ"
"""Where every server tells of the connections of the asker's own account.

Source: accPingReqSubj in server/events.go of nats-server
"""

HEALTH_SUBJECT = "$SYS.REQ.SERVER.PING.HEALTHZ"
"""Where every server tells whether it does its work, its streams included.

Source: serverPingReqSubj in server/events.go of nats-server
"""

_KICKS = "$SYS.REQ.SERVER.*.KICK"
_OF_THE_SYSTEM = (_KICKS, HEALTH_SUBJECT)


@dataclass(frozen=True)
class Issuer:
    """An account key pair, whose seed signs what the server accepts as grants."""

    public_key: str
    seed: str = field(repr=False)


@dataclass(frozen=True)
class ServerAccess:
    """Who may do what with the server itself.

    Attributes:
        issuer: Public key of the account key that signs grants.
    """

    issuer: str
    controller_user: str
    controller_password: str = field(repr=False)
    system_password: str = field(default_factory=secrets.token_urlsafe, repr=False)


@dataclass(frozen=True)
class PodServer:
    """What a server in a pod has beyond one that a machine has to itself.

    Attributes:
        name: Its own among the servers; the streams' copies are kept by it.
        max_store_bytes: Room for all streams together. Left to itself a server takes a part
            of what is free when it starts, which shrinks with every message it stores.
        monitor_port: Where it says how it is (`/healthz`), and nothing else is changed.
        routes: Addresses of all servers of the cluster, itself among them; none: it is alone.
        routes_password: What servers present to each other.
    """

    name: str
    max_store_bytes: int
    monitor_port: int = 8222
    routes: tuple[str, ...] = ()
    routes_port: int = 6222
    routes_password: str = field(default="", repr=False)

    @property
    def count(self) -> int:
        """How many servers the bus has."""
        return len(self.routes) or 1


ROUTES_USER = "peer"

MAX_CLOSED_CLIENTS = 100
"""Connections that are over, of which the server still tells, with the grants of each.

It would keep 10,000, and every run is a connection: MB that nobody looks at.
Source: DEFAULT_MAX_CLOSED_CLIENTS in server/const.go of nats-server
"""


def new_issuer() -> Issuer:
    """Make an account key pair."""
    seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_ACCOUNT)
    return Issuer(issuer_public_key(seed.decode()), seed.decode())


def issuer_public_key(seed: str) -> str:
    """Return the public key that belongs to an issuer's *seed*."""
    key: bytes = nkeys.from_seed(bytearray(seed.encode())).public_key
    return key.decode().rstrip("=")


def kick_subject(server_id: str) -> str:
    """Return where one server is told to close a connection.

    Source: clientKickReqSubj in server/events.go of nats-server
    """
    return _KICKS.replace("*", server_id)


def server_config(
    access: ServerAccess,
    *,
    port: int,
    data_dir: Path,
    host: str = "127.0.0.1",
    pod: PodServer | None = None,
) -> str:
    """Return a complete nats.conf.

    Every acknowledged message is on disk (`sync_interval: always`). Only the
    controller has a password; every other connection is admitted, with its own
    grants, by the controller's answer to the auth callout, or not at all. Of what the
    system's account can do, ours may have a connection closed and ask how a server is.
    """
    text = json.dumps  # a JSON string is a string of this language, too
    grants = _controller_permissions()
    exports = [{"service": subject, "accounts": [ACCOUNT]} for subject in _OF_THE_SYSTEM]
    imports = [{"service": {"account": "SYS", "subject": subject}} for subject in _OF_THE_SYSTEM]
    return f"""\
listen: {text(f"{host}:{port}")}
server_name: {text(pod.name if pod else "sympozium")}
max_closed_clients: {MAX_CLOSED_CLIENTS}
{_in_a_pod(pod, host) if pod else ""}\
jetstream {{
  store_dir: {text(str(data_dir))}
  sync_interval: always
{f"  max_file_store: {pod.max_store_bytes}" if pod else ""}
}}
system_account: SYS
accounts {{
  SYS {{
    users: [{{ user: system, password: {text(access.system_password)} }}]
    exports: {text(exports)}
  }}
  {ACCOUNT} {{
    jetstream: enabled
    imports: {text(imports)}
    users: [
      {{
        user: {text(access.controller_user)}
        password: {text(access.controller_password)}
        permissions: {text(grants)}
      }}
    ]
  }}
}}
authorization {{
  timeout: {AUTH_TIMEOUT_S}
  auth_callout {{
    issuer: {access.issuer}
    account: {ACCOUNT}
    auth_users: [ {text(access.controller_user)} ]
  }}
}}
"""


def _in_a_pod(pod: PodServer, host: str) -> str:
    text = json.dumps
    monitor = f"http: {text(f'{host}:{pod.monitor_port}')}\n"
    if not pod.routes:
        return monitor
    peer = f"{ROUTES_USER}:{pod.routes_password}"
    routes = [f"nats://{peer}@{route}" for route in pod.routes]
    return f"""\
{monitor}cluster {{
  name: sympozium
  listen: {text(f"{host}:{pod.routes_port}")}
  authorization {{ user: {text(ROUTES_USER)}, password: {text(pod.routes_password)} }}
  routes: {text(routes)}
}}
"""


def _controller_permissions() -> dict[str, object]:
    """What the controller may: administer streams, read RUNS, ask a router, admit others.

    And see who is connected, have a connection closed, ask how a server is, and keep what
    a channel that was deleted has not shown.
    """
    administration = [f"$JS.API.STREAM.{verb}.{s.name}" for s in STREAMS for verb in _STREAM_VERBS]
    administration += [f"$JS.API.CONSUMER.{v}.{s.name}.>" for s in STREAMS for v in _CONSUMER_VERBS]
    administration += [f"$JS.API.CONSUMER.NAMES.{stream}" for stream in (INBOX, OUTBOX)]
    administration += [f"$JS.API.STREAM.PURGE.{stream}" for stream in (INBOX, OUTBOX)]
    runs = [
        f"$JS.API.CONSUMER.MSG.NEXT.{RUNS}.{CONTROLLER_RUNS}",
        f"$JS.API.DIRECT.GET.{RUNS}",
        f"$JS.API.DIRECT.GET.{RUNS}.>",
        f"$JS.ACK.{RUNS}.{CONTROLLER_RUNS}.>",
        f"dead.{RUNS}.*.*",
        "runs.marks.*.*",
    ]
    left_over = [
        f"$JS.API.CONSUMER.MSG.NEXT.{OUTBOX}.*",
        f"$JS.ACK.{OUTBOX}.>",
        f"dead.{OUTBOX}.*.*",
    ]
    return {
        "publish": [
            *administration,
            *runs,
            *left_over,
            "waiting.*",
            "live.*.*",
            CONNECTIONS_SUBJECT,
            *_OF_THE_SYSTEM,
        ],
        "subscribe": [
            f"{reply_prefix('controller')}.>",
            f"{reply_prefix('waiting')}.>",
            CALLOUT_SUBJECT,
        ],
        "allow_responses": {"max": 1, "expires": f"{AUTH_TIMEOUT_S}s"},
    }


_STREAM_VERBS = ("CREATE", "UPDATE", "INFO")
_CONSUMER_VERBS = ("CREATE", "DURABLE.CREATE", "DELETE", "INFO")
