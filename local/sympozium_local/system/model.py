"""Which model the assistant uses: the user's endpoint, or the demonstration model."""

import hashlib
import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sympozium_local.system.errors import StartError

DEFAULT_MODEL = "gpt-5-mini"
DEMO_MODEL = "demo"
DEFAULT_IDLE_TIMEOUT_S = 30
OPENAI_URL = "https://api.openai.com/v1"
EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class ModelSettings:
    """The endpoint, the model's name there, and the key.

    Attributes:
        base_url: With its `/v1`; empty: OpenAI's own.
        warning: What the user should know about these settings; else "".
        idle_timeout_s: How long the endpoint may be silent before it has timed out.
    """

    name: str
    base_url: str
    key: str = field(default="", repr=False)
    warning: str = ""
    idle_timeout_s: int = DEFAULT_IDLE_TIMEOUT_S

    @property
    def is_demo(self) -> bool:
        """Whether the demonstration model answers."""
        return not self.key

    @property
    def fingerprint(self) -> str:
        """A text that differs when any of the settings does, and tells none of them."""
        text = "\0".join((self.name, self.base_url, self.key))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def egress(self) -> list[dict[str, object]]:
        """Return the NetworkPolicy rules without which a run could not reach the endpoint.

        A private address is named by itself, since runs reach no other one. Behind a name
        it is the address that the name has now.
        """
        parts = urlsplit(self.base_url or OPENAI_URL)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        cidrs = _blocks(parts.hostname or "", port) if self.base_url else [EVERYWHERE]
        to = [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]
        return [{"to": to, "ports": [{"protocol": "TCP", "port": port}]}]


def _blocks(host: str, port: int) -> list[str]:
    if host in {"127.0.0.1", "localhost", "::1"}:
        return ["127.0.0.1/32"]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:  # nobody knows it yet; a run says so if that stays
        found = []
    addresses = {ipaddress.ip_address(entry[4][0]) for entry in found}
    private = (one for one in addresses if one.is_private and not one.is_loopback)
    return sorted(f"{one}/{one.max_prefixlen}" for one in private) or [EVERYWHERE]


def read_model(demo_port: int, environ: Mapping[str, str] | None = None) -> ModelSettings:
    """Return what `OPENAI_API_KEY`, `OPENAI_BASE_URL` and `SYMPOZIUM_MODEL` say.

    `SYMPOZIUM_MODEL_IDLE_TIMEOUT_S` says after how long a silence the model has timed out.

    Raises:
        StartError: The endpoint's address, or the timeout, cannot be used here.
    """
    environ = os.environ if environ is None else environ
    key = environ.get("OPENAI_API_KEY", "").strip()
    base_url = environ.get("OPENAI_BASE_URL", "").strip().rstrip("/")
    idle_s = _idle_timeout_s(environ.get("SYMPOZIUM_MODEL_IDLE_TIMEOUT_S", ""))
    if not key:
        warning = (
            "OPENAI_BASE_URL is set, but OPENAI_API_KEY is not, so the demonstration model "
            "answers; set OPENAI_API_KEY, to any text if your endpoint asks for none"
        )
        url = f"http://127.0.0.1:{demo_port}/v1"
        return ModelSettings(
            DEMO_MODEL, url, warning=warning if base_url else "", idle_timeout_s=idle_s
        )
    _check(base_url)
    name = environ.get("SYMPOZIUM_MODEL", "").strip() or DEFAULT_MODEL
    base_url = base_url.replace("//localhost", "//127.0.0.1", 1)
    return ModelSettings(name, base_url, key, idle_timeout_s=idle_s)


def _idle_timeout_s(text: str) -> int:
    if not text:
        return DEFAULT_IDLE_TIMEOUT_S
    if not text.isdigit() or not 1 <= int(text) <= 3600:
        raise StartError(
            f"cannot start: SYMPOZIUM_MODEL_IDLE_TIMEOUT_S is {text!r}; "
            "set it to a number of seconds from 1 to 3600"
        )
    return int(text)


def _check(base_url: str) -> None:
    if not base_url:
        return
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise StartError(
            f"cannot use OPENAI_BASE_URL {base_url!r}: it is no http or https address; "
            "set it to one like https://api.openai.com/v1"
        )
