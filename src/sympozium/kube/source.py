"""List and watch of one kind in one scope, over and over: where held objects come from."""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import Object, Resource
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, GoneError
from sympozium.kube.measures import RELISTS
from sympozium.kube.objects import HeldObjects, Key, key_of, version_of

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 10.0

PAGE_SIZE = 500
"""Objects asked for at once, so that a long list is never in memory as a whole."""


@dataclass(frozen=True)
class Scope:
    """Which objects are followed.

    Attributes:
        namespace: None: those of all namespaces.
        selectors: Query parameters: `labelSelector`, `fieldSelector`.
    """

    resource: Resource
    namespace: str | None
    selectors: Mapping[str, str]


@dataclass(frozen=True)
class Listed:
    """What a list returned, as kept, and from which version on to watch."""

    objects: dict[Key, Object]
    version: str


class Source:
    """Keeps *held* like what the API server has in *scope*."""

    def __init__(self, kube: Kube, scope: Scope, held: HeldObjects) -> None:
        self._kube = kube
        self._scope = scope
        self._held = held
        self._version = "0"
        self._ours: set[Key] | None = None
        """What writes of ours returned since a list was asked for; None: none is."""

    def remember(self, obj: Object) -> None:
        """Take in what a write of ours returned, before the watch brings it. It is ours now.

        An older version than the one held is ignored, and so is an object that the
        watch has passed by already: it is not held because it is gone again.
        """
        version = int(obj["metadata"].get("resourceVersion", "0"))
        if self._held.get(*key_of(obj)) is not None or version > int(self._version):
            self._held.take(obj)
            if self._ours is not None:
                self._ours.add(key_of(obj))

    async def list(self) -> Listed:
        """Return all objects of the scope; nothing is held by that.

        Raises:
            TransientError: No answer.
            ForbiddenError: We have no right to read them.
        """
        self._ours = set()
        found: dict[Key, Object] = {}
        query = {"limit": str(PAGE_SIZE), **self._scope.selectors}
        while True:
            listed = await self._kube.list(self._scope.resource, self._scope.namespace, **query)
            found |= {key_of(obj): self._held.keep(obj) for obj in listed.items}
            if not listed.next_page:
                return Listed(found, listed.resource_version)
            query["continue"] = listed.next_page

    def reveal(self, listed: Listed) -> None:
        """Hold what was listed, and nothing else of the scope but what we wrote meanwhile.

        That is not in the list, or in an older version: it is not gone, and not as it was.
        """
        ours = {key: obj for key in self._ours or () if (obj := self._held.get(*key)) is not None}
        newer = {key: obj for key, obj in ours.items() if version_of(obj) > int(listed.version)}
        self._ours = None
        self._held.replace_all(self._scope.namespace, listed.objects | newer)
        self._version = listed.version

    async def follow(self, *, is_listed: bool = False, may_be_refused: bool = False) -> None:
        """List, then watch, over and over, until cancelled.

        Args:
            is_listed: What was revealed is the list to begin with.
            may_be_refused: A right that is missing may come, and is waited for.

        Raises:
            PermanentError: The server refuses: a missing role or kind.
        """
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                if not is_listed:
                    await self._relist()
                    is_listed = True
                await self._watch()
                backoff_s = FIRST_BACKOFF_S
                continue
            except GoneError:
                is_listed = False
                backoff_s = FIRST_BACKOFF_S  # the server is there; it only forgot
            except TransientError as error:
                self._log("informer lost its watch", error)
            except PermanentError as error:
                if not (may_be_refused and isinstance(error, ForbiddenError)):
                    plural = self._scope.resource.plural
                    raise PermanentError(f"cannot follow {plural}: {error}") from error
                self._log("informer may not watch now", error)
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1))  # noqa: S311 - jitter
            backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)

    async def _relist(self) -> None:
        RELISTS.add()
        self.reveal(await self.list())
        self._held.synced.set()

    async def _watch(self) -> None:
        scope = self._scope
        async for event in self._kube.watch(
            scope.resource, scope.namespace, since=self._version, **scope.selectors
        ):
            self._version = event.object["metadata"]["resourceVersion"]
            if event.type == "BOOKMARK":
                continue
            if event.type == "DELETED":
                self._held.put(key_of(event.object), None)
            else:
                self._held.take(event.object)

    def _log(self, message: str, error: Exception) -> None:
        scope = self._scope
        log.warning(
            message,
            extra={
                "action": "retry",
                "kind": scope.resource.kind,
                "namespace": scope.namespace or "",
                "cause": str(error),
            },
        )
