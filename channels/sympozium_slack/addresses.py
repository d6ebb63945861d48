"""Where calls go: Slack's own hosts, or the one address that a Channel names instead.

Slack's answers name further addresses: of its sockets, of uploads, of people's
files. A token goes only to Slack's own hosts, and with another base address every
one of those is reached there and nowhere else.
"""

from urllib.parse import SplitResult, urlsplit, urlunsplit

from sympozium.contract.errors import PermanentError

SLACK_API = "https://slack.com/api"
OWN_HOSTS = ("slack.com", "slack-gov.com", "slack-files.com")
"""Hosts, with those below them, that are Slack's own."""

_WEBSOCKETS = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class Addresses:
    """The addresses of one bot account."""

    def __init__(self, api_url: str = "") -> None:
        """Take the base address of the API; an address without a path is given `/api`."""
        base = urlsplit(api_url or SLACK_API)
        self._is_moved = bool(api_url)
        self._base = base._replace(path=base.path.rstrip("/") or "/api")

    @property
    def api(self) -> str:
        """Base address of all methods, ending with a slash."""
        return urlunsplit(self._base) + "/"

    def of_file(self, url: str) -> str:
        """Return where to read or write the file at *url*.

        Raises:
            PermanentError: *url* is none of Slack's; the token must not go there.
        """
        return urlunsplit(self._reached(url, self._base.scheme))

    def of_socket(self, url: str) -> str:
        """Return where to open the socket that Slack named; raises as `of_file`."""
        return urlunsplit(self._reached(url, _WEBSOCKETS[self._base.scheme]))

    def _reached(self, url: str, scheme: str) -> SplitResult:
        try:
            named = urlsplit(url)
            host = (named.hostname or "").lower()
        except ValueError:
            raise PermanentError("cannot use an address that Slack named: it is none") from None
        is_ours = self._is_moved and named.netloc == self._base.netloc
        if not is_ours and not _is_slacks(named, host):
            raise PermanentError(
                f"cannot use an address at {host!r} that Slack named: it is none of Slack's own"
            )
        return named._replace(scheme=scheme, netloc=self._base.netloc) if self._is_moved else named


def _is_slacks(named: SplitResult, host: str) -> bool:
    is_below = any(host == own or host.endswith(f".{own}") for own in OWN_HOSTS)
    return is_below and named.scheme in {"https", "wss"} and not named.username
