"""Keeping the webhook's certificate good, and the API server trusting it and asking there.

Every controller does it, from copies that a watch keeps up: nothing is polled. Who
writes the Secret second meets a conflict and takes what the first has written.
"""

import asyncio
import base64
import logging
import time
from collections.abc import Callable
from datetime import datetime

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import SECRETS, VALIDATING_WEBHOOKS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import InvalidError, NotFoundError
from sympozium.kube.informer import Informer
from sympozium.runtime.loops import pause
from sympozium_controller.admission.certificates import (
    RENEW_BEFORE,
    Held,
    Pair,
    authority_of,
    ends,
    next_held,
)
from sympozium_controller.admission.paths import path_of
from sympozium_controller.admission.secret import bundle, read_held, with_held

log = logging.getLogger(__name__)

WEBHOOK = "sympozium-webhook"
"""Name of the Service, of the Secret, and of the webhook's configuration."""

TRUST_SPREADS_S = 10.0
"""After so long every API server has heard whom to trust."""

RETRY_S = 1.0
LOOK_AGAIN_S = 30.0
"""A clock that is stepped, or a laptop that was asleep, is noticed after this at the latest."""


class Keeper:
    """One controller's part in it. *present* is called with every pair to be presented."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        present: Callable[[Pair], None],
        *,
        wall: Callable[[], datetime] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._present = present
        self._wall = wall or kube.now
        self._clock = clock
        self._names = (f"{WEBHOOK}.{namespace}.svc", f"{WEBHOOK}.{namespace}.svc.cluster.local")
        by_name = f"metadata.name={WEBHOOK}"
        self._secrets = Informer(kube, SECRETS, namespace, fieldSelector=by_name)
        self._configurations = Informer(kube, VALIDATING_WEBHOOKS, fieldSelector=by_name)
        self._changed = asyncio.Event()
        self._presented: Pair | None = None
        self._paths: set[str] = set()
        self._trusted_since: dict[str, float] = {}
        for informer in (self._secrets, self._configurations):
            informer.listen(lambda _key, _old, _new: self._changed.set())

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it until *stop* is set.

        Raises:
            PermanentError: A right to the Secret or to the configuration is missing.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._secrets.run(stop))
            group.create_task(self._configurations.run(stop))
            for informer in (self._secrets, self._configurations):
                await pause(None, informer.synced, stop)
            while not stop.is_set():
                self._changed.clear()
                due_s = await self._settle()
                await pause(due_s, self._changed, stop)

    def is_told(self, path: str) -> bool:
        """Return whether *path* is one that the API server is told, was told, or will be next.

        What it was told before counts: it hears of another one a moment after us.
        """
        return path in self._paths

    async def _settle(self) -> float:
        """Do what is due now; return after how many seconds to look again."""
        secret = self._secrets.get(self._namespace, WEBHOOK)
        if secret is None:
            log.error("no Secret for the webhook", extra={"action": "wait", "secret": WEBHOOK})
            return LOOK_AGAIN_S
        try:
            held = await self._renewed(secret)
            self._serve(held)
            await self._have_it_trusted(held)
        except NotFoundError:
            return RETRY_S  # it was deleted just now, and the copy will say so
        except (TransientError, InvalidError) as error:
            log.warning("webhook not kept", extra={"action": "retry", "cause": str(error)})
            return RETRY_S
        return self._due_s(held)

    async def _renewed(self, secret: Object) -> Held:
        """Return what the Secret holds, once it holds what it should.

        Raises:
            ConflictError: Another controller was faster.
        """
        held, now = read_held(secret), self._wall()
        is_trusted = held.coming is not None and self._is_trusted(held)
        wanted = next_held(held, self._names, now=now, is_coming_trusted=is_trusted)
        if wanted != held:
            written = await self._kube.replace(SECRETS, with_held(secret, wanted))
            self._secrets.remember(written)
            log.info("webhook certificate renewed", extra={"action": "renew"})
        return wanted

    def _serve(self, held: Held) -> None:
        self._paths |= {path_of(one) for one in (held.current, held.coming) if one is not None}
        if held.current is not None and held.current != self._presented:
            self._present(held.current)
            self._presented = held.current

    async def _have_it_trusted(self, held: Held) -> None:
        configuration = self._configurations.get("", WEBHOOK)
        if configuration is None or held.current is None:
            return
        wanted = {
            "caBundle": base64.b64encode(bundle(held).encode()).decode(),
            "service/path": path_of(held.current),
        }
        wrong = [
            index
            for index, hook in enumerate(configuration.get("webhooks") or ())
            if _told(hook["clientConfig"]) != wanted
        ]
        if wrong:
            version = configuration["metadata"]["resourceVersion"]
            operations = [{"op": "test", "path": "/metadata/resourceVersion", "value": version}]
            operations += [
                {"op": "add", "path": f"/webhooks/{index}/clientConfig/{field}", "value": value}
                for index in wrong
                for field, value in wanted.items()
            ]
            name = configuration["metadata"]["name"]
            written = await self._kube.patch(VALIDATING_WEBHOOKS, None, name, operations)
            self._configurations.remember(written)
            log.info("webhook trusted anew", extra={"action": "trust"})
        now = self._clock()
        self._trusted_since = {one: self._trusted_since.get(one, now) for one in held.trusted}

    def _is_trusted(self, held: Held) -> bool:
        """Tell whether every API server knows the authority of the coming pair."""
        if held.coming is None:
            return False
        since = self._trusted_since.get(authority_of(held.coming, held.trusted))
        return since is not None and self._clock() - since >= TRUST_SPREADS_S

    def _due_s(self, held: Held) -> float:
        if held.coming is not None:
            return TRUST_SPREADS_S
        if held.current is None:
            return RETRY_S
        left = ends(held.current) - RENEW_BEFORE - self._wall()
        return min(max(left.total_seconds(), RETRY_S), LOOK_AGAIN_S)


def _told(config: Object) -> dict[str, str | None]:
    """Return what of a webhook's configuration is filled in by us."""
    service = config.get("service") or {}
    return {"caBundle": config.get("caBundle"), "service/path": service.get("path")}
