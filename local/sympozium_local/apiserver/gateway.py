"""The way of every request: who asks, for what, may they, and who answers."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from sympozium_local.apiserver.answers import View
from sympozium_local.apiserver.authn import AUTHENTICATED, Authenticator
from sympozium_local.apiserver.builtin import BUILTIN
from sympozium_local.apiserver.discovery import Discovery, is_create_only
from sympozium_local.apiserver.errors import (
    ApiError,
    NoSuchPathError,
    bad_request,
    method_not_allowed,
    no_such_path,
)
from sympozium_local.apiserver.rbac import Ask, Authorizer
from sympozium_local.apiserver.registry import Registry
from sympozium_local.apiserver.request import (
    MAX_BODY_BYTES,
    Call,
    Target,
    User,
    decode_body,
    parse_path,
    verb_of,
)
from sympozium_local.apiserver.request_counts import RequestCounts
from sympozium_local.apiserver.rest import Rest, json_answer
from sympozium_local.apiserver.reviews import Reviews
from sympozium_local.apiserver.store import encode
from sympozium_local.apiserver.subresources import Subresources

log = logging.getLogger(__name__)

BODY_TIMEOUT_S = 30.0

_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
BUILTIN_GROUPS = frozenset(resource.group for resource in BUILTIN)
"""Groups whose missing kinds are told as a Status; of others nothing at all is known."""

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


MAX_WARNINGS_CHARS = 4096
"""All warnings of an answer together. Source: apiserver/pkg/endpoints/filters/warning.go."""

MAX_WARNING_CHARS = 1024
MAX_WARNINGS = 64
"""Clients take some hundred headers, and a field that nobody knows is one warning."""


@dataclass(frozen=True)
class Parts:
    """Who answers which kind of request."""

    authenticator: Authenticator
    authorizer: Authorizer
    registry: Registry
    discovery: Discovery
    rest: Rest
    reviews: Reviews
    subresources: Subresources


class Gateway:
    """Turns HTTP requests into calls, and refusals into Status objects."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._counts = RequestCounts()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever happens."""
        try:
            return await self._answer(request)
        except NoSuchPathError as error:
            return web.Response(text=error.text, status=error.code)
        except ApiError as error:
            return _refusal(error)
        except RecursionError:  # what is nested so deeply is no object of anybody's
            return _refusal(bad_request("the object provided is nested too deeply"))
        except ConnectionError:  # nobody reads on, or there is nothing more to read
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # which reaches nobody
        except Exception:  # a bug in one request must not end the others
            log.exception("request bug", extra={"action": "answer 500", "method": request.method})
            bug = ApiError(500, "InternalError", "Internal error occurred: see the server's log")
            return json_answer(encode(bug.status()), 500)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        parts = self._parts
        user = parts.authenticator.user(request.headers.get("Authorization", ""))
        user = self._impersonated(user, request.headers)
        target = parse_path(request.path)
        if target is None:
            return self._answer_path(user, request)
        served = parts.registry.find(target.group, target.version, target.plural)
        if served is None:
            parts.authorizer.require(user, _ask_of(target, request))
            raise no_such_path() if target.group in BUILTIN_GROUPS else NoSuchPathError()
        query = dict(request.query)
        call = Call(
            user,
            verb_of(request.method, target, query),
            served,
            target.namespace if served.resource.namespaced else "",
            target.name,
            target.subresource,
            query,
            content_type=request.content_type.split(";", 1)[0] if request.body_exists else "",
            user_agent=request.headers.get("User-Agent", ""),
        )
        self._require_served(call, target)
        ask = Ask.of(call)
        if served.key == "namespaces" and target.name:
            ask = replace(ask, namespace=target.name)  # a namespace lies in itself, for RBAC
        parts.authorizer.require(user, ask)
        self._counts.add(call)
        if request.method in _WITH_BODY:
            try:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    body = await _read(request)
            except TimeoutError as error:
                message = f"the body of the request did not come within {BODY_TIMEOUT_S:g} s"
                raise ApiError(408, "Timeout", message) from error
            call.body = decode_body(body, request.headers.get("Content-Type", ""))
        try:
            answer = await self._dispatch(call, request)
        except ApiError as error:  # what was warned of is told with the refusal
            answer = _refusal(error)
        if not answer.prepared:
            for warning in bearable(call.warnings):
                quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
                answer.headers.add("Warning", f'299 - "{quoted}"')
        return answer

    def _require_served(self, call: Call, target: Target) -> None:
        resource = call.served.resource
        known = {"", *resource.subresources}
        if resource.plural == "namespaces" and not resource.group:
            known |= {"status", "finalize"}
        if target.rest or call.subresource not in known:
            raise no_such_path()
        in_all = not target.name and call.verb in {"list", "watch"}
        is_namespace = call.served.key == "namespaces"
        is_beside = resource.namespaced and not target.namespace and not in_all
        if is_beside or (target.namespace and not resource.namespaced and not is_namespace):
            raise no_such_path() if resource.is_builtin else NoSuchPathError()
        if not call.verb:
            raise method_not_allowed()

    async def _dispatch(self, call: Call, request: web.BaseRequest) -> web.StreamResponse:
        parts = self._parts
        if is_create_only(call.served):
            if call.verb != "create":
                raise method_not_allowed()
            return json_answer(encode(parts.reviews.answer(call)), 201)
        handler = parts.subresources.handler(call)
        if handler is not None:
            return await handler(call, request)
        view = View.of(request.headers.get("Accept", ""), call.query.get("includeObject", ""))
        if call.served.deprecation:
            call.warnings.append(call.served.deprecation)
        if call.verb == "watch":
            return await parts.rest.watch(call, view, request)
        return await parts.rest.answer(call, view)

    def _answer_path(self, user: User, request: web.BaseRequest) -> web.Response:
        path = request.path
        self._parts.authorizer.require(user, Ask(request.method.lower(), path=path))
        if request.method != "GET":
            raise method_not_allowed()
        if path in _HEALTH:
            return web.Response(text="ok")
        if path == "/metrics":
            return web.Response(text=self._counts.text())
        if path == "/":
            paths = [
                "/api",
                "/api/v1",
                "/apis",
                *sorted(_HEALTH),
                "/metrics",
                "/openapi/v3",
                "/version",
            ]
            return json_answer(encode({"paths": paths}))
        document = self._parts.discovery.answer(path)
        if document is None and path.startswith("/api/"):
            raise no_such_path()
        if document is None:
            raise NoSuchPathError
        return json_answer(encode(document))

    def _impersonated(self, user: User, headers: Mapping[str, str]) -> User:
        """Return whom the headers ask to act as, if *user* may.

        Raises:
            ApiError: 403.
        """
        name = headers.get("Impersonate-User", "")
        if not name:
            if any(header.lower().startswith("impersonate-") for header in headers):
                message = "requested impersonation without impersonating a user"
                raise ApiError(400, "BadRequest", message)
            return user
        getall = getattr(headers, "getall")  # noqa: B009 - a multi-dict, which Mapping does not say
        groups = tuple(getall("Impersonate-Group", ()))
        asks = [Ask("impersonate", "", "groups", name=group) for group in groups]
        account = name.removeprefix("system:serviceaccount:").split(":")
        if name.startswith("system:serviceaccount:") and len(account) == 2:
            namespace = account[0]
            ask = Ask("impersonate", "", "serviceaccounts", namespace=namespace, name=account[1])
            own = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
            groups = groups or own
        else:
            ask = Ask("impersonate", "", "users", name=name)
        for one in (ask, *asks):
            self._parts.authorizer.require(user, one)
        if any(header.lower().startswith("impersonate-extra-") for header in headers):
            raise ApiError(400, "BadRequest", "impersonation of extra fields is not served")
        return User(name, (*groups, AUTHENTICATED))


def bearable(warnings: Sequence[str]) -> list[str]:
    """Return as many of *warnings* as a client takes in headers, each on one line."""
    kept: list[str] = []
    left = MAX_WARNINGS_CHARS
    for warning in warnings[:MAX_WARNINGS]:
        text = "".join(char if char.isprintable() else " " for char in warning)
        kept.append(text[: min(left, MAX_WARNING_CHARS)])
        left -= len(kept[-1])
        if left <= 0:
            break
    return kept


def _refusal(error: ApiError) -> web.Response:
    headers = {"Retry-After": "1"} if error.code == 503 else None
    return web.Response(
        body=encode(error.status()),
        status=error.code,
        content_type="application/json",
        headers=headers,
    )


def _ask_of(target: Target, request: web.BaseRequest) -> Ask:
    return Ask(
        verb_of(request.method, target, request.query),
        target.group,
        target.plural,
        target.subresource,
        target.namespace,
        target.name,
    )


async def _read(request: web.BaseRequest) -> bytes:
    """Return the body, reading no more than what is allowed, which `decode_body` then says."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BODY_BYTES:
            break
    return b"".join(pieces)
