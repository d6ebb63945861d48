"""The webhook's certificates as a Secret holds them."""

import base64
import binascii
import re

from sympozium.contract.resources import Object
from sympozium_controller.admission.certificates import Held, Pair

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----\n.+?-----END CERTIFICATE-----\n", re.DOTALL)


def read_held(secret: Object) -> Held:
    """Return what *secret* holds; what is no text is not there."""
    data = secret.get("data") or {}
    return Held(
        current=_pair(data, "tls"),
        coming=_pair(data, "next"),
        trusted=tuple(_CERTIFICATE.findall(_text(data, "ca.crt"))),
    )


def with_held(secret: Object, held: Held) -> Object:
    """Return *secret* with what it is to hold, and all else that it held."""
    data = {
        key: value
        for key, value in (secret.get("data") or {}).items()
        if key not in {"next.crt", "next.key"}
    }
    texts = {"ca.crt": bundle(held)}
    for prefix, pair in (("tls", held.current), ("next", held.coming)):
        if pair is not None:
            texts |= {f"{prefix}.crt": pair.certificate, f"{prefix}.key": pair.key}
    data |= {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    return {**secret, "data": data}


def bundle(held: Held) -> str:
    """Return all authorities in one text, as the API server takes them."""
    return "".join(held.trusted)


def _pair(data: Object, prefix: str) -> Pair | None:
    certificate, key = _text(data, f"{prefix}.crt"), _text(data, f"{prefix}.key")
    return Pair(certificate, key) if certificate and key else None


def _text(data: Object, key: str) -> str:
    try:
        return base64.b64decode(data.get(key) or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return ""
