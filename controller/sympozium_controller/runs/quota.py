"""What an API server says when a ResourceQuota has no room, and whether waiting helps.

It says `exceeded quota: NAME, requested: pods=1, used: pods=4, limited: pods=4`. Where
what is asked for alone is more than the limit, no end of another run makes room for it.
"""

import re
from decimal import Decimal, InvalidOperation

_SAID = re.compile(
    r"exceeded quota: .*?, requested: (?P<requested>\S+), used: \S+, limited: (?P<limited>\S+)"
)
_NUMBER = re.compile(r"(?P<digits>[0-9.]+(?:[eE][0-9]+)?)(?P<unit>m|[kMGTPE]i?|Ki)?")
_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}
"""Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"""

UNKNOWN = Decimal("Infinity")
"""What a text is that is no quantity."""


def is_used_up(text: str) -> bool:
    """Return whether *text* says that a quota is used up now, by what will end."""
    said = list(_SAID.finditer(text))
    return bool(said) and all(_would_fit(one["requested"], one["limited"]) for one in said)


def _would_fit(requested: str, limited: str) -> bool:
    wanted, limits = _amounts(requested), _amounts(limited)
    return all(
        amount < UNKNOWN and amount <= limits.get(name, Decimal(0))
        for name, amount in wanted.items()
    )


def _amounts(text: str) -> dict[str, Decimal]:
    """Read `name=quantity,...`; what is no quantity counts as more than any limit."""
    pairs = (part.partition("=") for part in text.rstrip(",").split(","))
    return {name: quantity(amount) for name, _, amount in pairs}


def quantity(text: str) -> Decimal:
    """Return the amount that *text* says, `100m` or `64Mi`; `UNKNOWN` where it is none."""
    found = _NUMBER.fullmatch(text)
    try:
        return Decimal(found["digits"]) * _UNITS[found["unit"] or ""] if found else UNKNOWN
    except InvalidOperation:
        return UNKNOWN
