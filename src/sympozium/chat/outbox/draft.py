"""The growing answer of a run, put together from what is heard of it."""

from sympozium.contract.limits import MAX_RESULT_BYTES
from sympozium.contract.run_events import Delta


class Draft:
    """The answer as far as it has been heard.

    Attributes:
        offset: How many characters of the answer came before what was heard.
    """

    def __init__(self) -> None:
        self.offset = 0
        self._pieces: list[str] = []
        self._chars = 0

    @property
    def text(self) -> str:
        """What was heard, in one piece."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def apply(self, line: Delta) -> None:
        """Put a piece where it belongs; what stood there and after it is replaced."""
        heard_to = self.offset + self._chars
        if line.offset == heard_to and self._chars < MAX_RESULT_BYTES:
            self._pieces.append(line.text)
        elif self.offset < line.offset < heard_to:
            self._pieces = [self.text[: line.offset - self.offset], line.text]
        else:
            self.offset, self._pieces = line.offset, [line.text]
        self._chars = line.offset - self.offset + len(line.text)
