"""Leaving alone a platform that does not accept the bot: one try at a time, ever more rarely."""

import asyncio

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 600.0


class Breaker:
    """Closed while calls are accepted. After a refusal one caller tries again after a pause."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._open_until = 0.0
        self._is_trying = False
        self._changed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether the last that was heard is a refusal."""
        return self._pause_s > 0

    async def passage(self) -> bool:
        """Wait until a call may be made; return whether it is the one that tries.

        A try is followed by `refused`, `accepted` or `given_up`, whatever happens.
        """
        loop = asyncio.get_running_loop()
        while self.is_open and (self._is_trying or loop.time() < self._open_until):
            self._changed.clear()
            try:
                async with asyncio.timeout_at(None if self._is_trying else self._open_until):
                    await self._changed.wait()
            except TimeoutError:
                continue
        self._is_trying = self.is_open
        return self._is_trying

    def refused(self) -> None:
        """The account was refused: pause, twice as long as before."""
        now = asyncio.get_running_loop().time()
        if now >= self._open_until:
            self._pause_s = min(max(FIRST_PAUSE_S, 2 * self._pause_s), LONGEST_PAUSE_S)
            self._open_until = now + self._pause_s
        self.given_up()

    def accepted(self) -> None:
        """The account was accepted: everybody may call."""
        if self.is_open:
            self._pause_s = self._open_until = 0.0
            self.given_up()

    def given_up(self) -> None:
        """The try ended without an answer to the question; the next caller tries."""
        self._is_trying = False
        self._changed.set()
