"""Connections to the API server of a context: TLS, a name to verify, a proxy on the way."""

import base64
import http.client
import ipaddress
import os
import ssl
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from typing_extensions import override

from sympozium.contract.errors import PermanentError
from sympozium_local.cli.access.identity import Identity, KeyPair
from sympozium_local.cli.access.kubeconfig import Context


@dataclass(frozen=True)
class Endpoint:
    """An API server, and how to reach it.

    Attributes:
        server: Its address, without a slash at its end; a path in it precedes every path.
        server_name: The name to verify; empty: that of the address.
        proxy: `http://[user:password@]host:port`; empty: none.
        tls: None where the address is http://.
    """

    server: str
    identity: Identity
    tls: ssl.SSLContext | None
    server_name: str = ""
    proxy: str = ""

    def connection(self, timeout_s: float | None) -> http.client.HTTPConnection:
        """Return a connection, which is made at its first use."""
        parts = urlsplit(self.server)
        host, port = _host_and_port(parts)
        via = urlsplit(self.proxy) if self.proxy else None
        target = _host_and_port(via) if via else (host, port)
        connection: http.client.HTTPConnection
        if self.tls is None:
            connection = http.client.HTTPConnection(*target, timeout=timeout_s)
        else:
            name = self.server_name or host
            connection = _TLSConnection(*target, timeout_s, self.tls, name)
        if via:
            connection.set_tunnel(host, port, _proxy_headers(via))
        return connection

    @property
    def base_path(self) -> str:
        """What precedes every path."""
        return urlsplit(self.server).path.rstrip("/")


class _TLSConnection(http.client.HTTPSConnection):
    """A connection that verifies the name it is told, whatever the address says."""

    def __init__(
        self, host: str, port: int, timeout_s: float | None, tls: ssl.SSLContext, name: str
    ) -> None:
        super().__init__(host, port, timeout=timeout_s, context=tls)
        self._tls = tls
        self._name = name

    @override
    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)  # and through the proxy
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def endpoint_of(context: Context) -> Endpoint:
    """Return the way to the API server of a context.

    Raises:
        PermanentError: A file that it names cannot be read, or it asks for what is not supported.
    """
    cluster = context.cluster
    identity = Identity(context.user, cluster)
    parts = urlsplit(context.server)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PermanentError(
            f"cannot use context {context.name!r}: its server is {context.server!r}; "
            "an address begins with https:// or http://"
        )
    return Endpoint(
        context.server,
        identity,
        _tls(context, identity.key_pair()) if parts.scheme == "https" else None,
        str(cluster.get("tls-server-name") or ""),
        _proxy(str(cluster.get("proxy-url") or ""), parts),
    )


def _tls(context: Context, key_pair: KeyPair | None) -> ssl.SSLContext:
    cluster = context.cluster
    tls = _trust(context)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if key_pair:
        _present(tls, key_pair, context)
    return tls


def _trust(context: Context) -> ssl.SSLContext:
    data = context.cluster.get("certificate-authority-data")
    file = context.cluster.get("certificate-authority")
    try:
        if data:
            return ssl.create_default_context(cadata=base64.b64decode(data).decode())
        return ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise PermanentError(
            f"cannot use context {context.name!r}: its certificate authority cannot be read "
            f"({getattr(error, 'strerror', None) or type(error).__name__}); mend the kubeconfig"
        ) from None


def _present(tls: ssl.SSLContext, key_pair: KeyPair, context: Context) -> None:
    """Load a client certificate; the library takes files only, so there is one for a moment."""
    import tempfile

    with tempfile.NamedTemporaryFile() as file:  # for this user alone
        file.write(key_pair.certificate + b"\n" + key_pair.key)
        file.flush()
        try:
            tls.load_cert_chain(file.name)
        except (OSError, ValueError):
            raise PermanentError(
                f"cannot use context {context.name!r}: its client certificate and key do not "
                "fit together, or are broken; log in to the cluster again"
            ) from None


def _proxy(named: str, server: SplitResult) -> str:
    proxy = named or _proxy_of_environment(server)
    if proxy and urlsplit(proxy).scheme != "http":
        raise PermanentError(
            f"cannot use the proxy '{_without_password(proxy)}': only http:// proxies are "
            "supported; reach the API server another way, for example through kubectl proxy"
        )
    return proxy


def _proxy_of_environment(server: SplitResult) -> str:
    host = server.hostname or ""
    if _is_loopback(host):
        return ""
    from urllib.request import getproxies, proxy_bypass

    found = getproxies().get(server.scheme, "")
    if not found or proxy_bypass(host) or _is_in_a_network_without_proxy(host):
        return ""
    return found if "://" in found else f"http://{found}"


def _is_in_a_network_without_proxy(host: str) -> bool:
    """Return whether `NO_PROXY` names a network, as 10.0.0.0/8, in which *host* is."""
    named = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    try:
        address = ipaddress.ip_address(host)
        networks = [ipaddress.ip_network(one.strip()) for one in named.split(",") if "/" in one]
    except ValueError:
        return False
    return any(address in network for network in networks)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port}"
