"""What Discord says of our own messages: by its nonce, a post whose answer was lost is found."""

from collections import OrderedDict

MAX_HEARD = 2048


class Echoes:
    """The messages of ours that the gateway has told of, by nonce."""

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[str, str], str] = OrderedDict()

    def heard(self, nonce: str, channel: str, message: str) -> None:
        """Note that a message of ours is there."""
        if nonce:
            self._heard[channel, nonce] = message
            while len(self._heard) > MAX_HEARD:
                self._heard.popitem(last=False)

    def find(self, nonce: str, channel: str) -> str:
        """Return the message that was posted with *nonce*; empty: none is known."""
        return self._heard.get((channel, nonce), "")
