"""A server in the place of an API server's front: TLS, client certificates, what it was sent."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import override

from sympozium.contract.resources import Object
from tests.cli.kubeconfigs import kubeconfig

REFUSALS = {
    401: {"reason": "Unauthorized"},
    403: {"reason": "Forbidden", "message": 'x is forbidden: User "jane" cannot do that'},
    404: {"reason": "NotFound"},
}
VERSION = {"gitVersion": "v1.36.3", "major": "1", "minor": "36"}


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority of a test's own."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        builder = self._builder(self._name, self._key.public_key(), timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, True)
        self.pem = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(
        self, name: str, *names: str, life: timedelta = timedelta(days=1), groups: str = ""
    ) -> Pair:
        """Sign a certificate for a server of *names*, or for a client called *name*."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if groups:
            attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, groups))
        builder = self._builder(x509.Name(attributes), key.public_key(), life)
        alternatives: list[x509.GeneralName] = [
            x509.IPAddress(ip_address(one)) if one[0].isdigit() else x509.DNSName(one)
            for one in names
        ]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + life)
            .add_extension(identifier, False)
        )


@dataclass
class Front:
    """A running stand-in.

    Attributes:
        answers: What it answers to a GET or POST of a path, with status 200.
        status: What it answers to all other paths.
        date: Its clock; empty: the right one.
        refuses: Bearer tokens that it answers with 401.
        seen: Headers of each request, with its path and the client certificate's name.
    """

    port: int
    authority: Authority
    answers: dict[str, Object] = field(default_factory=lambda: {"/version": VERSION})
    status: int = 404
    date: str = ""
    refuses: set[str] = field(default_factory=set)
    seen: list[dict[str, str]] = field(default_factory=list)

    def kubeconfig(self, namespace: str = "") -> Object:
        """Describe a kubeconfig that leads here."""
        data = base64.b64encode(self.authority.pem).decode()
        address = f"https://127.0.0.1:{self.port}"
        entry = {"server": address, "certificate-authority-data": data}
        return kubeconfig(entry, {"token": "t"}, namespace=namespace)


@contextmanager
def front(directory: Path, *, names: tuple[str, ...] = ("127.0.0.1",)) -> Iterator[Front]:
    """Serve TLS on a free port of 127.0.0.1, as a server of *names*."""
    authority = Authority()
    pair = authority.issue("server", *names)
    (directory / "server.pem").write_bytes(pair.certificate + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(directory / "server.pem")
    tls.load_verify_locations(cadata=authority.pem.decode())
    tls.verify_mode = ssl.CERT_OPTIONAL

    class Handler(BaseHTTPRequestHandler):
        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            connection = self.connection
            subject = (
                (connection.getpeercert() or {}).get("subject", ())
                if isinstance(connection, ssl.SSLSocket)
                else ()
            )
            who = {key: value for ((key, value),) in subject}  # type: ignore[misc, str-unpack] # one attribute each
            sent = {"path": self.path, "client": str(who.get("commonName", ""))}
            told.seen.append({**dict(self.headers.items()), **sent})
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            path = self.path.partition("?")[0]
            answer = told.answers.get(path)
            status = 401 if token in told.refuses else told.status if answer is None else 200
            body = json.dumps(REFUSALS.get(status, answer)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def date_time_string(self, timestamp: float | None = None) -> str:
            return told.date or super().date_time_string(timestamp)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    told = Front(server.server_address[1], authority)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
