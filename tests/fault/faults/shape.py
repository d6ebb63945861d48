"""The one shape of all faults."""

from typing import Protocol

from tests.fault.plant import Plant


class Fault(Protocol):
    """Something that goes wrong. It is a frozen dataclass; its fields are its words."""

    async def inject(self, plant: Plant) -> None:
        """Have it go wrong, and mend it; return when it is over.

        Cancelled, it mends at once. What is not there cannot be harmed: that is no error.
        """
