"""Where the calls of one bot go: Discord's own hosts, or one other address alone."""

from dataclasses import dataclass

from yarl import URL

from sympozium.contract.errors import PermanentError

API_PATH = "/api/v10"
"""Version of the API that this code speaks.

Source: https://docs.discord.com/developers/reference#api-versioning
"""

PLATFORM = URL("https://discord.com")
GATEWAY = URL("wss://gateway.discord.gg/")
GATEWAY_DOMAIN = ".discord.gg"
FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})


@dataclass(frozen=True)
class Addresses:
    """The addresses of one bot. Made by `addresses_of`.

    Attributes:
        api: Base of every call, with the version.
        gateway: Where a new session begins.
        files: Base of downloads; None: the platform's own hosts.
        is_own_gateway: Every session stays at `gateway`, whatever Discord names for resuming.
    """

    api: str
    gateway: URL
    files: URL | None
    is_own_gateway: bool

    def file(self, url: str) -> URL:
        """Return where the attachment that Discord names *url* is fetched from.

        Raises:
            PermanentError: It is at a host that is not Discord's: it is not fetched.
        """
        named = URL(url)
        known = FILE_HOSTS | ({self.files.host} if self.files is not None else set())
        if named.host not in known or named.scheme not in {"http", "https"}:
            raise PermanentError(
                f"cannot fetch an attachment from {named.host!r}: it is no host of Discord's"
            )
        if self.files is None:
            return named.with_scheme("https")
        return URL(str(self.files).rstrip("/") + named.raw_path_qs, encoded=True)

    def resume(self, url: str) -> URL:
        """Return where a session is resumed of which Discord says that it is at *url*."""
        named = URL(url)
        is_platforms = named.scheme == "wss" and (named.host or "").endswith(GATEWAY_DOMAIN)
        return self.gateway if self.is_own_gateway or not is_platforms else named


def addresses_of(api_url: str = "", gateway_url: str = "") -> Addresses:
    """Return the addresses of a bot whose Channel names *api_url* and *gateway_url*, or neither.

    *api_url* stands for `https://discord.com`; the version may follow it or not. Without
    a *gateway_url* the gateway is looked for at the same address.
    """
    base = URL(api_url.removesuffix(API_PATH)) if api_url else PLATFORM
    if gateway_url:
        gateway = URL(gateway_url)
    elif api_url:
        gateway = base.with_scheme("wss" if base.scheme == "https" else "ws")
    else:
        gateway = GATEWAY
    return Addresses(
        api=str(base).rstrip("/") + API_PATH,
        gateway=gateway,
        files=base if api_url else None,
        is_own_gateway=bool(api_url or gateway_url),
    )
