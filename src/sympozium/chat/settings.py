"""What every channel of a chat platform is told from outside."""

from dataclasses import dataclass
from pathlib import Path

from sympozium.bus.nats import Address, token_in
from sympozium.chat.gate import Triggers
from sympozium.contract.names import is_subject_token
from sympozium.contract.subjects import reply_prefix
from sympozium.runtime.settings import LOG_LEVELS, Reader


@dataclass(frozen=True)
class ChannelSettings:
    """The settings that do not depend on the platform.

    Attributes:
        api_url: Base address of the platform's API; empty: the platform's own.
        pod_name: The pod that this is; who was killed in it left its claims to us. "": none.
        health_port: Where `/livez`, `/readyz` and `/metrics` are served; 0: nowhere.
    """

    namespace: str
    channel: str
    bus: Address
    triggers: Triggers
    api_url: str = ""
    pod_name: str = ""
    health_port: int = 0
    log_level: str = "INFO"


def read_channel_settings(reader: Reader) -> ChannelSettings:
    """Read what all chat channels share; problems are collected by *reader*.

    | variable | meaning |
    |---|---|
    | `SYMPOZIUM_CHANNEL_NAMESPACE`, `SYMPOZIUM_CHANNEL_NAME` | which Channel this is; required |
    | `SYMPOZIUM_NATS_URL`, `SYMPOZIUM_NATS_TOKEN_FILE` | the bus; the file, where it asks for one |
    | `SYMPOZIUM_API_URL` | base address of the platform's API; default: the platform's own |
    | `SYMPOZIUM_POD_NAME` | the pod that this is: a program that is started again in the same |
    | | pod goes on at once with what its predecessor alone might do |
    | `SYMPOZIUM_HEALTH_PORT` | port of `/livez` and `/readyz`; default 0: none |
    | `SYMPOZIUM_LOG_LEVEL` | `DEBUG INFO WARNING ERROR`; default `INFO` |
    | `SYMPOZIUM_TRIGGER` | `mention` (default) or `all`: which messages in channels are heard |
    | `SYMPOZIUM_FOLLOW_THREADS` | `yes` (default) or `no` |
    | `SYMPOZIUM_BOTS` | ids of bots that are heard, comma-separated |
    """
    namespace = _token(reader, "SYMPOZIUM_CHANNEL_NAMESPACE")
    channel = _token(reader, "SYMPOZIUM_CHANNEL_NAME")
    url = reader.text("SYMPOZIUM_NATS_URL")
    token_file = reader.text("SYMPOZIUM_NATS_TOKEN_FILE", "")
    bots = reader.text("SYMPOZIUM_BOTS", "")
    return ChannelSettings(
        namespace=namespace,
        channel=channel,
        bus=channel_address(namespace, channel, url, token_file),
        api_url=reader.text("SYMPOZIUM_API_URL", "").rstrip("/"),
        pod_name=reader.text("SYMPOZIUM_POD_NAME", ""),
        health_port=reader.number("SYMPOZIUM_HEALTH_PORT", 0, low=0, high=65535),
        log_level=reader.choice("SYMPOZIUM_LOG_LEVEL", "INFO", LOG_LEVELS),
        triggers=Triggers(
            every_message=reader.choice("SYMPOZIUM_TRIGGER", "mention", ("mention", "all"))
            == "all",
            follow_threads=reader.choice("SYMPOZIUM_FOLLOW_THREADS", "yes", ("yes", "no")) == "yes",
            bots=frozenset(name.strip() for name in bots.split(",") if name.strip()),
        ),
    )


def channel_address(namespace: str, channel: str, url: str, token_file: str) -> Address:
    """Return where the bus is, and who one channel is there; an empty *token_file*: nobody."""
    return Address(
        url,
        f"channel-{namespace}-{channel}",
        reply_prefix("channel", namespace, channel) if namespace and channel else "_INBOX",
        token=token_in(Path(token_file) if token_file else None),
    )


def _token(reader: Reader, name: str) -> str:
    """Return a variable that may stand in a subject, or "" with the problem collected."""
    text = reader.text(name)
    accepted = "letters, digits, '-' and '_'"
    return reader.parsed(name, "", _subject_token, accepted) if text else ""


def _subject_token(text: str) -> str:
    if not is_subject_token(text):
        raise ValueError(text)
    return text
