"""The verbs on objects, from HTTP request to HTTP answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from sympozium_local.apiserver import selectors
from sympozium_local.apiserver.answers import Page, View, raw_of
from sympozium_local.apiserver.deletion import DeleteOptions
from sympozium_local.apiserver.errors import ApiError, bad_request, expired, method_not_allowed
from sympozium_local.apiserver.list_options import require_list_options
from sympozium_local.apiserver.objects import Objects
from sympozium_local.apiserver.request import Call
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import Store, encode
from sympozium_local.apiserver.watch import Filter, Watches
from sympozium_local.apiserver.watching import WatchStream

JSON = "application/json"


def json_answer(body: bytes, status: int = 200) -> web.Response:
    """Return an answer whose body is JSON already."""
    return web.Response(body=body, status=status, content_type=JSON)


class Rest:
    """Answers calls about stored objects."""

    def __init__(self, store: Store, watches: Watches, objects: Objects) -> None:
        self._store = store
        self._watches = watches
        self._objects = objects
        self._verbs: Mapping[str, Callable[[Call, View], Awaitable[web.Response]]] = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._update,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def answer(self, call: Call, view: View) -> web.Response:
        """Do what *call* says.

        Raises:
            ApiError: It is refused.
        """
        return await self._verbs[call.verb](call, view)

    async def _get(self, call: Call, view: View) -> web.Response:
        raw = raw_of(call.served, self._objects.row(call))
        await self._store.durable()  # nobody is told what a crash could take back
        return json_answer(view.object(call.served, raw))

    async def _create(self, call: Call, view: View) -> web.Response:
        if call.name or call.subresource:
            raise method_not_allowed()
        obj = await self._objects.create(call)
        return json_answer(view.object(call.served, encode(obj)), 201)

    async def _update(self, call: Call, view: View) -> web.Response:
        obj, is_new = await self._objects.update(call)
        return json_answer(view.object(call.served, encode(obj)), 201 if is_new else 200)

    async def _delete(self, call: Call, _view: View) -> web.Response:
        if call.subresource:
            raise method_not_allowed()
        obj, is_gone = await self._objects.delete(call, DeleteOptions.of(call.query, call.body))
        if not is_gone or call.served.key in {"pods", "services", "serviceaccounts"}:
            return json_answer(encode(obj))
        return json_answer(encode(_deleted(call, obj)))

    async def _delete_collection(self, call: Call, view: View) -> web.Response:
        options = DeleteOptions.of(call.query, call.body)
        rows = self._store.select(call.served.key, call.namespace, self._selector(call))
        for row in rows:
            one = Call(
                call.user,
                "delete",
                call.served,
                row.namespace,
                row.name,
                query=call.query,
                body=call.body,
                user_agent=call.user_agent,
            )
            try:
                await self._objects.delete(one, options)
            except ApiError as error:
                if error.code != 404:  # someone else was faster
                    raise
        raws = [raw_of(call.served, row) for row in rows]
        metadata = {"resourceVersion": str(self._store.version)}
        return json_answer(view.many(call.served, raws, metadata))

    def _selector(self, call: Call) -> selectors.Selector:
        return selectors.parse(
            call.query.get("labelSelector", ""),
            call.query.get("fieldSelector", ""),
            call.served.resource,
            call.served.fields,
        )

    async def _list(self, call: Call, view: View) -> web.Response:
        served, selector = call.served, self._selector(call)
        self._require_version(call)
        limit = _number(call.query, "limit", signed=True)
        floor = self._watches.log(served.key).floor
        page = Page.of(call.query.get("continue", ""), floor, self._store.version)
        rows = self._store.select(
            served.key,
            call.namespace,
            selector,
            after=page.after,
            limit=limit + 1 if limit else -1,
        )
        # A later page reports the first one's version: who watches on from there
        # misses no change of an object that it was shown before the change.
        metadata: Object = {"resourceVersion": str(page.version)}
        if limit and len(rows) > limit:
            rows = rows[:limit]
            last = (rows[-1].namespace, rows[-1].name)
            metadata["continue"] = Page(page.version, last).token()
            if not selector:
                metadata["remainingItemCount"] = self._store.count(
                    served.key, call.namespace, after=last
                )
        raws = [raw_of(served, row) for row in rows]
        await self._store.durable()
        return json_answer(view.many(served, raws, metadata))

    def _require_version(self, call: Call) -> None:
        require_list_options(call)
        wanted = _number(call.query, "resourceVersion")
        match = call.query.get("resourceVersionMatch", "")
        if match == "Exact" and wanted != self._store.version:
            raise expired(f"The resourceVersion for the provided list is too old: {wanted}")
        if wanted > self._store.version:
            message = f"Too large resource version: {wanted}, current: {self._store.version}"
            raise ApiError(504, "Timeout", message, {"causes": [_TOO_LARGE]})

    async def watch(self, call: Call, view: View, request: web.BaseRequest) -> web.StreamResponse:
        """Stream the changes of a collection until the client leaves or the time is over.

        Raises:
            ApiError: 410, the version to resume from is too old.
            ConnectionError: The client is gone, or takes in nothing.
        """
        require_list_options(call)
        wants = Filter(call.namespace, self._selector(call))
        stream = WatchStream(call, view, wants, self._store, self._watches.log(call.served.key))
        stream.start()
        await self._store.durable()
        response = web.StreamResponse(headers={"Content-Type": JSON})
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            async with asyncio.timeout(stream.time_limit_s):
                await stream.run(response)
        except TimeoutError:
            pass  # the end of a watch is normal; the client resumes
        return response


_TOO_LARGE = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}


def _number(query: Mapping[str, str], name: str, *, signed: bool = False) -> int:
    text = query.get(name) or "0"
    if not text.removeprefix("-" if signed else "").isdigit():
        raise bad_request(f'Invalid value: "{text}": {name} must be a number')
    return max(0, int(text))


def _deleted(call: Call, obj: Object) -> Object:
    resource = call.served.resource
    details = {"name": obj["metadata"]["name"], "kind": resource.plural}
    if resource.group:
        details["group"] = resource.group
    details["uid"] = obj["metadata"]["uid"]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }
