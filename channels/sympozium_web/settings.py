"""What the web channel is told from outside."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from sympozium.bus.nats import Address
from sympozium.chat.settings import channel_address
from sympozium.contract.names import is_subject_token
from sympozium.runtime.settings import LOG_LEVELS, Reader, SettingsError

DEFAULT_PORT = 8400
MIN_TOKEN_CHARS = 16


@dataclass(frozen=True)
class Settings:
    """The channel's settings, checked.

    Attributes:
        token: What callers must present as a bearer; empty: none is asked for.
        allowed_hosts: Names in a `Host` header, beside those of the loopback address,
            under which the page may be reached; with a port or for any.
        health_port: Where `/livez` and `/readyz` are served as well; 0: nowhere else.
    """

    namespace: str
    channel: str
    host: str
    port: int
    bus: Address
    token: str = field(default="", repr=False)
    allowed_hosts: tuple[str, ...] = ()
    health_port: int = 0
    log_level: str = "INFO"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from environment variables.

    Raises:
        SettingsError: With every variable that is missing or wrong.
    """
    reader = Reader(environ)
    namespace = reader.text("SYMPOZIUM_CHANNEL_NAMESPACE")
    channel = reader.text("SYMPOZIUM_CHANNEL_NAME")
    host = reader.text("SYMPOZIUM_WEB_HOST", "127.0.0.1")
    port = reader.number("SYMPOZIUM_WEB_PORT", DEFAULT_PORT, low=1, high=65535)
    health_port = reader.number("SYMPOZIUM_HEALTH_PORT", 0, low=0, high=65535)
    token = reader.text("SYMPOZIUM_WEB_TOKEN", "")
    allowed = reader.text("SYMPOZIUM_WEB_ALLOWED_HOSTS", "")
    url = reader.text("SYMPOZIUM_NATS_URL")
    token_file = reader.text("SYMPOZIUM_NATS_TOKEN_FILE", "")
    log_level = reader.choice("SYMPOZIUM_LOG_LEVEL", "INFO", LOG_LEVELS)
    reader.finish()
    _check(namespace, channel, host, token)
    return Settings(
        namespace=namespace,
        channel=channel,
        host=host,
        port=port,
        bus=channel_address(namespace, channel, url, token_file),
        token=token,
        allowed_hosts=tuple(name.strip().lower() for name in allowed.split(",") if name.strip()),
        health_port=health_port,
        log_level=log_level,
    )


def _check(namespace: str, channel: str, host: str, token: str) -> None:
    problems = [
        f"{name} is {value!r}; accepted: letters, digits, '-' and '_'"
        for name, value in (
            ("SYMPOZIUM_CHANNEL_NAMESPACE", namespace),
            ("SYMPOZIUM_CHANNEL_NAME", channel),
        )
        if not is_subject_token(value)
    ]
    if token and (len(token) < MIN_TOKEN_CHARS or not _is_visible_ascii(token)):
        problems.append(
            f"SYMPOZIUM_WEB_TOKEN cannot be used; accepted: {MIN_TOKEN_CHARS} or more visible "
            "ASCII characters"
        )
    if not token and not is_loopback(host):
        problems.append(
            f"SYMPOZIUM_WEB_HOST is {host!r}, which other machines can reach, and "
            "SYMPOZIUM_WEB_TOKEN is not set; set a token, or listen on 127.0.0.1"
        )
    if problems:
        raise SettingsError("cannot start: " + "; ".join(problems))


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine can reach *host*."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_visible_ascii(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)
