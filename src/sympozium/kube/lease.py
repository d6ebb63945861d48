"""Which of several equal programs acts: a lock in the API server that passes on by itself.

The holder renews the lock; who waits watches it, and takes it once it has not
changed for as long as its holder said. All times are measured here, on a clock that
nobody can set: what another machine wrote as the time is for people to read. The
holder counts from before it asked, and gives up earlier than anyone may take over;
who waits counts from when it saw the change. So a clock that is stepped, an answer
that is late and a process that was stopped for a while do not make two holders. What
was on its way already is fenced by resource versions and by names, as ever.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sympozium.contract.errors import TransientError
from sympozium.contract.names import place_of
from sympozium.contract.resources import LEASES, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from sympozium.kube.informer import Informer, Key
from sympozium.runtime.loops import Loop, pause, run_until_stopped

log = logging.getLogger(__name__)

DURATION_S = 2
"""How long a lease that is not renewed is still its holder's. The API takes whole seconds."""

GIVE_UP_AFTER_S = 1.5
"""How long after its last renewal was asked for the holder still acts."""

RENEW_EVERY_S = 0.6
"""So that one renewal may be lost before the holder gives up."""

RETRY_S = 0.1
DRAIN_S = 2.0
"""How long the holder's work may take to end before the lease is handed back."""

HAND_BACK_TIMEOUT_S = 0.4

STUCK_AFTER_S = 5.0
"""How long work may take to end when it was cancelled.

One that has lost its cancellation would go on for ever, and this candidate would never
take the lease again. Whoever runs the program starts it anew, and nothing is lost.
"""

EXIT_STUCK = 70
"""The program found a fault in itself. Source: sysexits.h (EX_SOFTWARE)."""


class NotLeadingError(TransientError):
    """The lease is not ours any more: whoever has it does what is left to do."""


@dataclass(frozen=True)
class Sight:
    """A lease as it was last seen.

    Attributes:
        lease: None: there was none.
        since: When this version of it was first seen here, by our own clock.
    """

    lease: Object | None
    since: float


@dataclass(frozen=True)
class Take:
    """Write ourselves into the lease, in the place of exactly this version."""


@dataclass(frozen=True)
class Wait:
    """It is another's for so long, unless it changes."""

    for_s: float


def decide(sight: Sight, place: str, *, now: float) -> Take | Wait:
    """Return what to do at *now* about a lease that we would like to hold.

    One that was handed back is free, and so is one that an earlier process of our
    own *place* held: there is never more than one process in a place.
    """
    spec = (sight.lease or {}).get("spec") or {}
    holder = spec.get("holderIdentity") or ""
    if not holder or place_of(holder) == place:
        return Take()
    left_s = sight.since + max(int(spec.get("leaseDurationSeconds") or 0), DURATION_S) - now
    return Take() if left_s <= 0 else Wait(left_s)


class Election:
    """One candidate for one lease."""

    def __init__(
        self, kube: Kube, key: Key, place: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kube = kube
        self._namespace, self._name = key
        self._place = place
        self._clock = clock
        self._us = f"{place}_{secrets.token_hex(4)}"
        self._sight: Sight | None = None
        self._held_until = 0.0
        self._changed = asyncio.Event()
        self._informer = Informer(
            kube, LEASES, self._namespace, fieldSelector=f"metadata.name={self._name}"
        )
        self._informer.listen(lambda _key, _old, new: self._see(new))

    @property
    def is_leading(self) -> bool:
        """Whether the lease is ours for certain, now."""
        return self._clock() < self._held_until

    def check(self) -> None:
        """Raise if we may not act.

        Raises:
            NotLeadingError: The lease is another's, or may be.
        """
        if not self.is_leading:
            raise NotLeadingError("cannot act: the lease is not held by this program now")

    async def run(self, lead: Loop, stop: asyncio.Event) -> None:
        """Run *lead* whenever the lease is ours, until *stop* is set; then hand it back.

        *lead* is cancelled when the lease is lost, and begun anew when it is ours again.

        Raises:
            PermanentError: The API server refuses us the lease: a role or the namespace is
                missing.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._informer.run(stop))
            while await self._is_taken(stop):
                await self._term(lead, stop)

    async def _is_taken(self, stop: asyncio.Event) -> bool:
        """Return True once the lease is ours, and False once *stop* is set."""
        is_waiting = False
        while not stop.is_set():
            sight = self._sight or await self._look()
            step = Wait(RETRY_S) if sight is None else decide(sight, self._place, now=self._clock())
            if isinstance(step, Take):
                if await self._take():
                    return True
                continue
            if sight is not None and not is_waiting:
                is_waiting = True
                log.info("standing by", extra={"action": "wait", "lease": self._name})
            await self._change(step.for_s, stop)
        return False

    async def _take(self) -> bool:
        was_there = self._sight is not None and self._sight.lease is not None
        try:
            async with asyncio.timeout(GIVE_UP_AFTER_S):
                await self._write(self._us)
        except (AlreadyExistsError, ConflictError):
            self._sight = None  # it is not what we thought: look again
        except NotFoundError:
            if not was_there:
                raise  # there is no such namespace
            self._sight = None
        except (TransientError, TimeoutError) as error:
            log.debug("lease not taken", extra={"action": "retry", "cause": str(error)})
            self._sight = None
            await asyncio.sleep(RETRY_S)
        return self.is_leading

    async def _term(self, lead: Loop, stop: asyncio.Event) -> None:
        """Lead until *stop* is set or the lease is lost."""
        log.info("leading", extra={"action": "lead", "lease": self._name, "holder": self._us})
        try:
            async with asyncio.TaskGroup() as group:
                work = run_until_stopped(lead, stop=stop, drain_s=DRAIN_S)
                tasks = {group.create_task(work), group.create_task(self._keep())}
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if not stop.is_set():
                    log.warning("lease lost", extra={"action": "stand-by", "lease": self._name})
                for task in tasks:
                    task.cancel()
                _, stuck = await asyncio.wait(tasks, timeout=STUCK_AFTER_S)
                if stuck:
                    log.critical("work does not end; the program does", extra={"action": "exit"})
                    os._exit(EXIT_STUCK)
        finally:
            await self._hand_back()

    async def _keep(self) -> None:
        """Renew the lease; return when it is lost."""
        is_ours = True
        while is_ours:
            await asyncio.sleep(RENEW_EVERY_S)
            is_ours = await self._is_renewed()

    async def _is_renewed(self) -> bool:
        while self.is_leading:
            try:
                async with asyncio.timeout(self._held_until - self._clock()):
                    await self._write(self._us)
                return True
            except (AlreadyExistsError, ConflictError, NotFoundError):
                await self._look()  # somebody took it, or only wrote a note on it
            except (TransientError, TimeoutError) as error:
                log.debug("lease not renewed", extra={"action": "retry", "cause": str(error)})
                await asyncio.sleep(RETRY_S)
        return False

    async def _hand_back(self) -> None:
        """Let a successor take the lease at once."""
        if not self.is_leading:
            return
        self._held_until = 0.0
        with contextlib.suppress(TransientError, AlreadyExistsError, NotFoundError, TimeoutError):
            async with asyncio.timeout(HAND_BACK_TIMEOUT_S):
                try:
                    await self._write("")
                except ConflictError:  # a renewal was under way when we ended
                    sight = await self._look()
                    if sight is not None and _holder(sight) == self._us:
                        await self._write("")

    async def _write(self, holder: str) -> None:
        """Put *holder* into the version of the lease that we saw last.

        Raises:
            ConflictError: It changed meanwhile; the same say AlreadyExistsError, NotFoundError.
            TransientError: No answer. It may be written.
        """
        asked = self._clock()
        seen = self._sight.lease if self._sight is not None else None
        if seen is None:
            written = await self._kube.create(LEASES, self._lease({}, holder))
        else:
            written = await self._kube.replace(LEASES, self._lease(seen, holder))
        self._see(written)
        self._held_until = asked + GIVE_UP_AFTER_S if holder else 0.0

    def _lease(self, seen: Object, holder: str) -> Object:
        """Return the lease *seen* as *holder* writes it; {}: there is none."""
        before, now = seen.get("spec") or {}, _micro_time()
        is_new = bool(holder) and before.get("holderIdentity") != holder
        metadata = seen.get("metadata") or {"name": self._name, "namespace": self._namespace}
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": metadata,
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": DURATION_S,
                "acquireTime": now if is_new else before.get("acquireTime", now),
                "renewTime": now,
                "leaseTransitions": int(before.get("leaseTransitions") or 0) + is_new,
            },
        }

    async def _look(self) -> Sight | None:
        """Return the lease as it is now; None: the API server does not say."""
        try:
            async with asyncio.timeout(GIVE_UP_AFTER_S):
                self._see(await self._kube.get(LEASES, self._namespace, self._name))
        except NotFoundError:
            self._see(None)
        except (TransientError, TimeoutError) as error:
            log.debug("lease not read", extra={"action": "retry", "cause": str(error)})
            return None
        return self._sight

    def _see(self, lease: Object | None) -> None:
        """Take note of a version of the lease, unless a newer one was seen.

        One that is not ours ends our time at once, and is never written over.
        """
        held = self._sight.lease if self._sight is not None else None
        if held is not None and lease is not None and _version(lease) <= _version(held):
            return
        self._sight = Sight(lease, self._clock())
        if _holder(self._sight) != self._us:
            self._held_until = 0.0
        self._changed.set()

    async def _change(self, for_s: float, stop: asyncio.Event) -> None:
        """Return when the lease changes, *stop* is set, or after *for_s* seconds."""
        self._changed.clear()
        await pause(for_s, self._changed, stop)


def _holder(sight: Sight) -> str:
    spec = (sight.lease or {}).get("spec") or {}
    return str(spec.get("holderIdentity") or "")


def _version(lease: Object) -> int:
    return int(lease["metadata"]["resourceVersion"])


def _micro_time() -> str:
    """Return the present as the API writes a time to the microsecond."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
