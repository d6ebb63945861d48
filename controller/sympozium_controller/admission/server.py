"""The webhook: HTTPS on which the API server asks about each AgentRun that is to be created."""

import asyncio
import logging
import os
import ssl
from dataclasses import dataclass

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import AGENTS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, NotFoundError
from sympozium.kube.tenants import TenantInformer
from sympozium.runtime.listening import close_idle
from sympozium.runtime.loops import pause
from sympozium_controller.admission.certificates import Pair
from sympozium_controller.admission.judge import refusal
from sympozium_controller.admission.keeping import Keeper
from sympozium_controller.settings import Settings

log = logging.getLogger(__name__)
_protocol_log = logging.getLogger(f"{__name__}.protocol")
_protocol_log.setLevel(logging.CRITICAL)  # what strangers send is not worth a traceback

LOOK_TIMEOUT_S = 2.0
"""For a look at the API server; less than it waits for us."""

MAX_REVIEW_BYTES = 4 * 1024 * 1024
"""An object is at most 1.5 MiB, and a review of a create holds it once."""

RETRY_AFTER_S = "1"
DRAIN_S = 1.0


@dataclass(frozen=True)
class Judged:
    """The informers of what a run is judged by."""

    agents: TenantInformer
    channels: TenantInformer


class _UnreadableReviewError(Exception):
    """What was posted is no review of an AgentRun."""


class Webhook:
    """Answers the API server. Served by every controller, leading or not."""

    def __init__(self, kube: Kube, judged_by: Judged, settings: Settings) -> None:
        self._kube = kube
        self._judged_by = judged_by
        self._host, self._port = settings.health_host, settings.webhook_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._is_certified = asyncio.Event()
        self._keeper = Keeper(kube, settings.system_namespace, self._present)
        self.is_served = False

    async def run(self, stop: asyncio.Event) -> None:
        """Keep its certificate, and serve as soon as there is one, until *stop* is set.

        Raises:
            PermanentError: The port is taken, or a right is missing.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run(stop))
            group.create_task(self._serve(stop))

    def _present(self, pair: Pair) -> None:
        """Have every connection from now on be answered with *pair*."""
        file = os.memfd_create("webhook")  # the container has nowhere to write
        try:
            os.write(file, f"{pair.certificate}{pair.key}".encode())
            self._context.load_cert_chain(f"/proc/self/fd/{file}")
        finally:
            os.close(file)
        self._is_certified.set()

    async def _serve(self, stop: asyncio.Event) -> None:
        if not await _happened(self._is_certified, stop):
            return
        app = web.Application(client_max_size=MAX_REVIEW_BYTES, middlewares=[_bugs_logged])
        app.router.add_post("/{path:.*}", self._answer)
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            logger=_protocol_log,
            shutdown_timeout=DRAIN_S,
        )
        await runner.setup()
        try:
            site = web.TCPSite(
                runner, self._host or "0.0.0.0", self._port, ssl_context=self._context
            )
            try:
                await site.start()
            except OSError as error:
                raise PermanentError(
                    f"cannot serve the webhook on port {self._port}: {error.strerror}; set "
                    "SYMPOZIUM_WEBHOOK_PORT to a free one"
                ) from None
            self.is_served = True
            log.info("webhook served", extra={"action": "serve", "port": self._port})
            await stop.wait()
        finally:
            self.is_served = False
            if runner.server is not None:
                close_idle(runner.server)
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        if not self._keeper.is_told(request.path):
            return web.Response(status=404, text="nothing is asked here")
        try:
            asked = _request_of(await request.read())
        except _UnreadableReviewError:
            return web.Response(status=400, text="no AdmissionReview of an AgentRun")
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                why = await self._refusal(asked)
        except (TransientError, ForbiddenError, TimeoutError):  # or it became a tenant just now
            text = "the API server does not say what there is"
            return web.Response(status=503, text=text, headers={"Retry-After": RETRY_AFTER_S})
        response: Object = {"uid": asked["uid"], "allowed": not why}
        if why:
            response["status"] = {"code": 403, "reason": "Forbidden", "message": why}
            log.info(
                "run refused", extra={"action": "deny", "namespace": asked.get("namespace", "")}
            )
        review = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": response,
        }
        return web.json_response(review)

    async def _refusal(self, asked: Object) -> str:
        run, namespace = asked["object"], asked["namespace"]
        agent = await self._agent(namespace, run["spec"]["agentRef"])
        try:
            return refusal(
                {**run, "metadata": {**run["metadata"], "namespace": namespace}},
                agent,
                self._models(namespace),
            )
        except (msgspec.ValidationError, PermanentError) as error:
            return f"the run cannot be read: {error}; correct its spec"

    async def _agent(self, namespace: str, name: str) -> Object | None:
        """Return an Agent; that there is none is asked at the API server."""
        agent = self._judged_by.agents.get(namespace, name)
        if agent is not None:
            return agent
        try:
            return await self._kube.get(AGENTS, namespace, name)
        except NotFoundError:
            return None

    def _models(self, namespace: str) -> set[str]:
        models: set[str] = set()
        for channel in self._judged_by.channels.all():
            if channel["metadata"]["namespace"] == namespace:
                models |= set(channel["spec"].get("models") or ())
        return models


@web.middleware
async def _bugs_logged(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log what is our own fault; the library logs it with what is the client's, or neither."""
    try:
        return await handler(request)
    except (web.HTTPException, ConnectionError):
        raise
    except Exception:
        log.exception("review handler bug", extra={"action": "refuse"})
        raise


def _request_of(body: bytes) -> Object:
    try:
        review = msgspec.json.decode(body)
        request: Object = review["request"]
        is_a_run = isinstance(request["object"]["spec"]["agentRef"], str)
        is_whole = isinstance(request["uid"], str) and isinstance(request["namespace"], str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError) as error:
        raise _UnreadableReviewError from error
    if not (is_a_run and is_whole and isinstance(request["object"].get("metadata"), dict)):
        raise _UnreadableReviewError
    return request


async def _happened(event: asyncio.Event, stop: asyncio.Event) -> bool:
    """Return True once *event* is set, and False if *stop* is first."""
    while not event.is_set() and not stop.is_set():
        await pause(3600.0, event, stop)
    return not stop.is_set()
