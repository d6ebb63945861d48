"""What a bare program does with a message: it counts it, and says so where it was asked to."""

import sys


class Count:
    """Counts messages, and prints a line each time that one of the *marks* is reached.

    Without marks the program is to echo what it hears.
    """

    def __init__(self, marks: list[str]) -> None:
        self._marks = {int(mark) for mark in marks}
        self._heard = 0

    @property
    def echoes(self) -> bool:
        """Whether each message is answered with its own text."""
        return not self._marks

    def heard(self) -> None:
        """Count one message."""
        self._heard += 1
        if self._heard in self._marks:
            tell(f"heard {self._heard}")


def count_of_arguments() -> Count:
    """Return what counts up to the numbers on the command line."""
    return Count(sys.argv[1:])


def tell(line: str) -> None:
    """Tell whoever started the program."""
    print(line, flush=True)
