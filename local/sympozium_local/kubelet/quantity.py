"""Amounts of memory and processor time as manifests write them."""

import re
from decimal import Decimal

from sympozium.contract.errors import PermanentError

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")


def parse_quantity(text: str | int | float) -> Decimal:
    """Return the number that *text* (``100m``, ``1.5Gi``, ``2e3``, 4) means.

    Raises:
        PermanentError: It is no quantity.
    """
    parts = _QUANTITY.fullmatch(str(text))
    if parts is not None and parts[2] in _SUFFIXES:
        return Decimal(parts[1]) * _SUFFIXES[parts[2]]
    raise PermanentError(f"cannot read quantity {text!r}: write it like '100m', '1.5Gi' or '2e3'")
