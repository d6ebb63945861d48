"""What the lines within lists and quotes begin with."""

from dataclasses import dataclass, replace

from sympozium.chat.markup.flow import NO_INK, Ink
from sympozium.chat.markup.length import Limit, measure

DEEPEST_MARGIN = 8
"""A margin takes at most one eighth of a message; what lies deeper is not moved further in."""


@dataclass(frozen=True, slots=True)
class Margin:
    """The beginning of each line in a container."""

    ink: Ink = NO_INK
    code: Ink = NO_INK
    """The same for the lines of a block of code."""
    lists: int = 0
    """How many lists this lies in."""
    is_quoted: bool = False

    def moved(self, step: Ink, *, with_code: bool, limit: Limit) -> "Margin":
        """Return the margin *step* further in, or this one if that would take too much room."""
        ink = joined(self.ink, step)
        if max(measure(ink.text, limit.unit), measure(ink.plain, limit.unit)) > (
            limit.size // DEEPEST_MARGIN
        ):
            return self
        code = joined(self.code, step) if with_code else self.code
        return replace(self, ink=ink, code=code)


def joined(first: Ink, second: Ink) -> Ink:
    """Return one ink after the other."""
    return Ink(first.text + second.text, first.plain + second.plain)
