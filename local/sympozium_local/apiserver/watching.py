"""One client's watch: the state at its start if wanted, then every change, and bookmarks."""

import asyncio
import random

from aiohttp import web

from sympozium_local.apiserver.answers import View, raw_of
from sympozium_local.apiserver.errors import ApiError, expired
from sympozium_local.apiserver.request import Call
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import ADDED, Change, Store, decode, encode
from sympozium_local.apiserver.watch import Filter, Log

BOOKMARK_EVERY_S = 60
WRITE_TIMEOUT_S = 30
"""A client that takes in nothing for so long is cut off; it can resume."""

_INITIAL_END = {"k8s.io/initial-events-end": "true"}


class WatchStream:
    """What one watch request is sent, line by line.

    Attributes:
        time_limit_s: When the server ends it; spread out so that clients do not
            come back all at once.
    """

    def __init__(self, call: Call, view: View, wants: Filter, store: Store, log: Log) -> None:
        self._served = call.served
        self._view = view
        self._wants = wants
        self._store = store
        self._log = log
        query = call.query
        limit = query.get("timeoutSeconds", "")
        spread_s = random.randint(1800, 3600)  # noqa: S311 - no secret
        self.time_limit_s = int(limit) if limit.isdigit() and limit != "0" else spread_s
        self._since = query.get("resourceVersion", "")
        self._wants_initial = query.get("sendInitialEvents") == "true"
        self._wants_bookmarks = query.get("allowWatchBookmarks") in {"true", "1"}
        self._with_columns = True
        self._initial: list[bytes] = []
        self._place = 0
        self._known = 0

    def start(self) -> None:
        """Find where to begin.

        Raises:
            ApiError: 410, changes since the version asked for are forgotten.
        """
        if self._since in {"", "0"} or self._wants_initial:
            self._known = self._store.version
            self._initial = self._state()
        else:
            self._known = int(self._since) if self._since.isdigit() else 0
            if self._known > self._store.version:
                raise expired(f"too new resource version: {self._known}")
        self._place = self._log.place(self._known)

    def _state(self) -> list[bytes]:
        rows = self._store.select(self._served.key, self._wants.namespace, self._wants.selector)
        lines = [self._line(ADDED, raw_of(self._served, row)) for row in rows]
        if self._wants_initial and self._wants_bookmarks:
            lines.append(self._bookmark(_INITIAL_END))
        return lines

    async def run(self, response: web.StreamResponse) -> None:
        """Send until the log is closed, or the client has fallen too far behind."""
        await self._send(response, self._initial)
        self._initial = []
        marked = self._known
        while True:
            news = self._log.news()
            changes = self._log.read(self._place)
            if changes is None:
                gone = expired("too old resource version: the watch has fallen behind")
                await self._send(response, [self._error(gone)])
                return
            self._place += len(changes)
            await self._send(response, self._lines(changes))
            if changes:
                continue
            if self._log.is_closed:
                return
            try:
                async with asyncio.timeout(BOOKMARK_EVERY_S if self._wants_bookmarks else None):
                    await news.wait()
            except TimeoutError:
                if self._store.committed > marked and self._log.read(self._place) == []:
                    marked = self._known = self._store.committed
                    await self._send(response, [self._bookmark({})])

    async def _send(self, response: web.StreamResponse, lines: list[bytes]) -> None:
        if not lines:
            return
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await response.write(b"".join(lines))
        except TimeoutError:
            raise ConnectionError("the client takes in nothing") from None

    def _lines(self, changes: list[Change]) -> list[bytes]:
        lines = []
        for change in changes:
            if change.version <= self._known:
                continue
            self._known = change.version
            if (type_ := self._wants.event_type(change)) is not None:
                lines.append(self._line(type_, self._raw(change)))
        return lines

    def _raw(self, change: Change) -> bytes:
        if self._served.is_stored:
            return change.raw
        obj = decode(change.raw)
        obj["apiVersion"] = self._served.resource.api_version
        return encode(obj)

    def _line(self, type_: str, raw: bytes) -> bytes:
        body = self._view.object(self._served, raw, with_columns=self._with_columns)
        self._with_columns = False
        return b'{"type":"' + type_.encode() + b'","object":' + body + b"}\n"

    def _bookmark(self, annotations: Object) -> bytes:
        resource = self._served.resource
        metadata: Object = {"resourceVersion": str(self._known)}
        if annotations:
            metadata["annotations"] = annotations
        obj: Object = {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": metadata,
        }
        if self._view.form == "Table":
            obj = {
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "columnDefinitions": None,
                "rows": [],
            }
        return encode({"type": "BOOKMARK", "object": obj}) + b"\n"

    def _error(self, error: ApiError) -> bytes:
        return encode({"type": "ERROR", "object": error.status()}) + b"\n"
