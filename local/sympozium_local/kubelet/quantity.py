"""Amounts of memory and processor time as manifests write them."""

from decimal import Decimal, InvalidOperation

from sympozium.contract.errors import PermanentError

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}


def parse_quantity(text: str | int | float) -> Decimal:
    """Return the number that *text* (``100m``, ``1.5Gi``, ``2e3``, 4) means.

    Raises:
        PermanentError: It is no quantity.
    """
    digits = str(text).rstrip("numkKMGTPEi")
    suffix = str(text)[len(digits) :]
    if suffix in _SUFFIXES:
        try:
            return Decimal(digits) * _SUFFIXES[suffix]
        except InvalidOperation:
            pass
    raise PermanentError(f"cannot read quantity {text!r}: write it like '100m', '1.5Gi' or '2e3'")
