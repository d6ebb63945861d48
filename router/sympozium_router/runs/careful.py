"""Making a run that somebody may have died of making."""

from collections.abc import Sequence

from typing_extensions import override

from sympozium.bus.suspects import FatalMessageError, Suspects
from sympozium.contract.reasons import Reason
from sympozium.store.ports import Message
from sympozium_router.dead.aside import Aside
from sympozium_router.runs.runs import Runs


class CarefulRuns(Runs):
    """`Runs` for messages that the store says were begun with, and gives up a fatal one.

    Such a message has the name of a run that is not known to exist: whoever was making
    it may have died of it, and whoever looks after it next must not do so for ever.
    """

    def __init__(self, runs: Runs, suspects: Suspects, aside: Aside) -> None:
        super().__init__(runs._bus, runs._store, runs._cluster, runs._clock)
        self._suspects = suspects
        self._aside = aside

    @override
    async def start(self, message: Message, asked: Sequence[Message] | None = None) -> Message:
        """See that the run of *message* exists; return it as stored, with an end if refused."""
        if asked is not None or message.end is not None or message.run_uid or message.cut:
            return await super().start(message, asked)
        started = message

        async def start() -> None:
            nonlocal started
            started = await super(CarefulRuns, self).start(message)

        try:
            await self._suspects.handle(message.sequence, start)
        except FatalMessageError as error:
            if await self._aside.refuse(message, Reason.SET_ASIDE):
                await self._aside.bury(message.sequence, str(error), error.attempts)
            return await self._store.known(message.key) or message
        return started
