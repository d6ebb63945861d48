"""The HTTP interface: which path leads where, and that every failure is one JSON error."""

import logging

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from sympozium_web.gate import Gate, middleware
from sympozium_web.health import Health
from sympozium_web.inbound import MAX_BODY_BYTES, Inbound, conversation_of
from sympozium_web.page import Page
from sympozium_web.refusals import (
    BAD_REQUEST,
    HISTORY_UNAVAILABLE,
    INTERNAL,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    RequestRefusedError,
    as_response,
)
from sympozium_web.stream import EventStream
from sympozium_web.transcript import Transcript, TranscriptUnavailableError, as_message

log = logging.getLogger(__name__)

CONVERSATION = "/api/conversations/{conversation}"


def build_app(
    gate: Gate, health: Health, inbound: Inbound, transcript: Transcript, stream: EventStream
) -> web.Application:
    """Return the application that serves the page and the interface behind it."""

    async def get_messages(request: web.Request) -> web.Response:
        conversation = conversation_of(request)
        read = await transcript.read(conversation)
        entries = inbound.accepted.added_to(read.entries, conversation)
        messages = [as_message(entry) for entry in entries]
        body = msgspec.json.encode({"messages": messages, "has_earlier": read.has_earlier})
        return web.Response(body=body, content_type="application/json")

    app = web.Application(
        middlewares=[_refuse_in_json, middleware(gate)], client_max_size=MAX_BODY_BYTES
    )
    Page().add_routes(app)
    health.add_routes(app)
    app.router.add_post(f"{CONVERSATION}/messages", inbound.post)
    app.router.add_get(f"{CONVERSATION}/messages", get_messages)
    app.router.add_get(f"{CONVERSATION}/events", stream.get, allow_head=False)
    return app


def build_health_app(health: Health) -> web.Application:
    """Return the application that serves `/livez` and `/readyz` alone."""
    app = web.Application(middlewares=[_refuse_in_json])
    health.add_routes(app)
    return app


@web.middleware
async def _refuse_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestRefusedError as error:
        return as_response(error.refusal)
    except TranscriptUnavailableError:
        return as_response(HISTORY_UNAVAILABLE)
    except web.HTTPNotFound:
        return as_response(NOT_FOUND)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        response = as_response(METHOD_NOT_ALLOWED.saying(hint=f"It knows {allowed}."))
        response.headers["Allow"] = allowed
        return response
    except web.HTTPException:
        return as_response(BAD_REQUEST)
    except ConnectionError:  # the client went away
        raise
    except Exception as error:  # noqa: BLE001 - a bug must not answer in a form nobody reads
        return _bug(request, error)


def _bug(request: web.Request, error: Exception) -> web.Response:
    route = request.match_info.route.resource
    log.error(
        "request failed",
        exc_info=error,
        extra={"action": "refuse", "route": route.canonical if route is not None else "none"},
    )
    return as_response(INTERNAL)
