"""The webhook's certificates: what they are, and when another one is due.

Each certificate has an authority of its own, whose key is forgotten once it has signed:
nobody can make a second one, not even us. So to change the certificate is to change the
authority, and the API server has to trust the new one before anybody presents it:

1. the next pair is made and kept, and both authorities are trusted;
2. once that has been said for a while, the next pair is presented; the old authority stays
   trusted until it expires, for a replica that has not heard yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_FOR = timedelta(days=7)
RENEW_BEFORE = timedelta(days=3)
"""How long before its end a certificate is followed by another: a long weekend."""

BACKDATED_BY = timedelta(days=1)
"""A certificate counts from before it was made: the API server's clock may be behind ours."""


@dataclass(frozen=True)
class Pair:
    """A certificate in PEM, and its key."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Held:
    """What the Secret holds.

    Attributes:
        trusted: Authorities in PEM, as the API server is to trust them.
        coming: The pair that is presented next, once its authority is trusted.
    """

    current: Pair | None = None
    coming: Pair | None = None
    trusted: tuple[str, ...] = ()


def next_held(
    held: Held, names: Sequence[str], *, now: datetime, is_coming_trusted: bool = False
) -> Held:
    """Return what the Secret is to hold at *now*: the same, when nothing is due.

    Whatever it holds, what is returned can be served: broken, foreign and expired parts
    are replaced at once.
    """
    trusted = tuple(one for one in held.trusted if _is_valid(one, now))
    held = replace(held, trusted=trusted)
    if held.coming is not None and not is_usable(held.coming, names, trusted, now):
        held = replace(held, coming=None)
    if held.current is None or not is_usable(held.current, names, trusted, now):
        return _promoted(held) if held.coming is not None else _begun_anew(names, now)
    if held.coming is None:
        if ends(held.current) - now > RENEW_BEFORE:
            return held
        pair, authority = make_pair(names, now)
        return replace(held, coming=pair, trusted=(*trusted, authority))
    return _promoted(held) if is_coming_trusted else held


def _promoted(held: Held) -> Held:
    return replace(held, current=held.coming, coming=None)


def _begun_anew(names: Sequence[str], now: datetime) -> Held:
    pair, authority = make_pair(names, now)
    return Held(pair, None, (authority,))


def authority_of(pair: Pair, trusted: Sequence[str]) -> str:
    """Return which of *trusted* signed a certificate; "": none of them."""
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    for one in trusted:
        try:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(one.encode()))
        except (ValueError, TypeError, InvalidSignature):
            continue
        return one
    return ""


def is_usable(pair: Pair, names: Sequence[str], trusted: Sequence[str], now: datetime) -> bool:
    """Tell whether a client that trusts *trusted* accepts the pair under every one of *names*."""
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
        key = serialization.load_pem_private_key(pair.key.encode(), password=None)
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        is_ours = certificate.public_key() == key.public_key()
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return False
    known = found.value.get_values_for_type(x509.DNSName)
    is_named = set(names) <= set(known)
    return is_ours and is_named and _lasts(certificate, now) and bool(authority_of(pair, trusted))


def ends(pair: Pair) -> datetime:
    """Return when a usable pair expires."""
    return x509.load_pem_x509_certificate(pair.certificate.encode()).not_valid_after_utc


def _is_valid(authority: str, now: datetime) -> bool:
    try:
        return _lasts(x509.load_pem_x509_certificate(authority.encode()), now)
    except ValueError:
        return False


def _lasts(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def make_pair(names: Sequence[str], now: datetime) -> tuple[Pair, str]:
    """Make a certificate for *names*; return it with its authority, whose key is forgotten."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    signs = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
    authority = (
        _builder("sympozium-webhook-ca", "sympozium-webhook-ca", ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(signs, critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        _builder("sympozium-webhook", "sympozium-webhook-ca", key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    pair = Pair(certificate.public_bytes(pem).decode(), private.decode())
    return pair, authority.public_bytes(pem).decode()


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED_BY)
        .not_valid_after(now + VALID_FOR)
    )
