"""A connection that is not over when its credential is."""

import nats.errors
from nats.aio.client import Client
from typing_extensions import override

_CREDENTIAL_EXPIRED = "authentication expired"
"""Ends a connection whose time is over. Source: server/errors.go of nats-server."""


class RenewingClient(Client):
    """A connection that outlives its credential: it connects anew, with the token of then.

    A server ends a connection when its credential expires, and the library takes
    that for the end of all. The kubelet has renewed the token long before.
    """

    @override
    async def _process_err(self, err_msg: str) -> None:
        if _CREDENTIAL_EXPIRED in err_msg.lower():
            await self._process_op_err(nats.errors.StaleConnectionError())
        else:
            await super()._process_err(err_msg)

    @override
    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
            if not self.is_connected:
                raise nats.errors.Error("nats: the server answered a PING with something else")
        except BaseException:  # refused, late or cancelled: the library would leave it open
            self._let_go()
            raise

    def _let_go(self) -> None:
        """Leave nothing of an attempt.

        Where the server says anything between PING and PONG, the library goes on as if it
        were connected, sends nothing from then on, and says so to nobody.
        """
        for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
            if task is not None:
                task.cancel()
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call] # the library's
