"""The server's own keys: a CA, a serving certificate, tokens, and who may read them."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_FOR = timedelta(days=3650)
RENEW_BEFORE = timedelta(days=365)

DNS_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
TOKEN_NAMES = ("admin", "kubelet", "controller-manager")


@dataclass(frozen=True)
class Pki:
    """Files below one folder that only their owner can read."""

    ca_file: Path
    cert_file: Path
    key_file: Path
    token_key: bytes
    """Signs ServiceAccount tokens."""

    tokens: dict[str, str]
    """The static tokens by the name of their user."""

    token_dir: Path


def load(data_dir: Path) -> Pki:
    """Return the keys below *data_dir*, making at first start those that are missing."""
    folder, token_dir = data_dir / "pki", data_dir / "tokens"
    for one in (data_dir, folder, token_dir):
        one.mkdir(mode=0o700, parents=True, exist_ok=True)
        one.chmod(0o700)
    ca_file, cert_file, key_file = (
        folder / name for name in ("ca.crt", "serving.crt", "serving.key")
    )
    if not _is_valid(cert_file):
        _make_certificates(ca_file, cert_file, key_file)
    token_key = _secret(folder / "service-accounts.key")
    tokens = {name: _secret(token_dir / name) for name in TOKEN_NAMES}
    return Pki(ca_file, cert_file, key_file, token_key.encode(), tokens, token_dir)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def _secret(path: Path) -> str:
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def _is_valid(cert_file: Path) -> bool:
    if not cert_file.exists():
        return False
    certificate = x509.load_pem_x509_certificate(cert_file.read_bytes())
    return certificate.not_valid_after_utc - RENEW_BEFORE > datetime.now(UTC)


def _make_certificates(ca_file: Path, cert_file: Path, key_file: Path) -> None:
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("sympozium-embedded-ca")
    # The CA's key is used once and never written: nobody can sign a second certificate.
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = (
        _builder(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in DNS_NAMES]
    names.append(x509.IPAddress(ip_address("127.0.0.1")))
    serving = (
        _builder(_name("sympozium-embedded-apiserver"), ca_name, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(key_file, private.decode())
    write_private(ca_file, ca.public_bytes(pem).decode())
    write_private(cert_file, serving.public_bytes(pem).decode())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + VALID_FOR)
    )
