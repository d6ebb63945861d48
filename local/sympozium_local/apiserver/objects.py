"""Create, change and delete objects, by the rules that hold for every kind.

Between reading an object and writing it back there is no `await` except for
admission, and after admission the version is compared again: that is all the
locking there is.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from sympozium_local.apiserver import meta, strategy
from sympozium_local.apiserver.builtin import (
    INERT,
    default_builtin,
    unknown_builtin_fields,
    validate_builtin,
)
from sympozium_local.apiserver.deletion import DeleteOptions, is_over, mark, require_preconditions
from sympozium_local.apiserver.errors import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from sympozium_local.apiserver.registry import Registry, Served
from sympozium_local.apiserver.request import APPLY, Call
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import Row, Store
from sympozium_local.apiserver.wishes import applied, is_owned_alike, take_in, tracked, wished

_MAX_RACES = 8
"""How often a write without a version is tried anew against someone else's."""

_NAMESPACES = "namespaces"


_PODS_STAY = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)


class Admission(Protocol):
    """Who may change or refuse an object before it is stored."""

    async def mutate(self, call: Call, obj: Object, old: Object | None) -> Object:
        """Return the object as it shall be: an update that nobody touches as it is.

        Raises ApiError to refuse it.
        """

    async def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        """Return, or raise ApiError to refuse. *obj* is None for a deletion."""

    def require_may_create(self, call: Call) -> None:
        """Return if an apply that finds nothing may create. Raises ApiError, 403, if not."""


def _prune(served: Served, obj: Object) -> None:
    """Take out fields that the kind does not have, unsaid: a webhook put them there."""
    if served.schema is not None:
        served.schema.prune(obj)
    else:
        unknown_builtin_fields(served.resource, obj)


class RacedError(Exception):
    """Someone else wrote in between; read again."""


class Objects:
    """The objects of all kinds, behind their rules."""

    def __init__(
        self, store: Store, registry: Registry, admission: Admission, root_ca: str = ""
    ) -> None:
        self.store = store
        self._registry = registry
        self._admission = admission
        self._root_ca = root_ca

    async def admit(self, call: Call, obj: Object) -> None:
        """Return if what *call* brings to a subresource, and is not stored, is admitted.

        Raises:
            ApiError: It is refused.
        """
        await self._admission.validate(call, obj, None)

    def row(self, call: Call) -> Row:
        """Return the row of the object that *call* names.

        Raises:
            ApiError: 404.
        """
        row = self.store.get(call.served.key, call.namespace, call.name)
        if row is None:
            raise not_found(call.served.resource, call.name)
        return row

    async def create(self, call: Call) -> Object:
        """Create the object in the call's body and return it as stored.

        Raises:
            ApiError: 400, 403, 404 (its namespace), 409 or 422.
        """
        obj = take_in(call, call.body)
        if why := INERT.get(call.served.key):
            call.warnings.append(f"{call.served.resource.kind} is stored, but {why} here")
        return await self._create(call, obj, tracked)

    async def _create(
        self, call: Call, obj: Object, track: Callable[[Call, None, Object, str], Object]
    ) -> Object:
        served, now = call.served, meta.now_text()
        metadata = obj["metadata"]
        self._require_namespace(call, metadata)
        meta.begin(served, obj, now)
        if not metadata.get("name") and not metadata.get("generateName"):
            cause = (
                "metadata.name",
                "FieldValueRequired",
                "Required value: name or generateName is required",
            )
            raise invalid(served.resource, "", [cause])
        obj = await self._completed(call, obj, None, now)
        metadata = obj["metadata"]
        if not metadata.get("name"):
            metadata["name"] = meta.name_for(
                metadata["generateName"],
                lambda name: self._is_taken(served.key, call.namespace, name),
            )
        call.name = metadata["name"]
        meta.drop_empty(metadata)
        self._require_valid(served, obj, None)
        call.warnings += meta.warnings(served, obj, None)
        await self._admission.validate(call, obj, None)
        if self._is_taken(served.key, call.namespace, call.name):
            raise self._already_exists(call)
        self._require_namespace(call, metadata)
        obj = track(call, None, obj, now)
        if not call.is_dry_run:
            stored, shape = self._in_stored_version(served, obj)
            facets = stored.facets(obj)
            self.store.insert(served.key, self._as(stored, obj), shape=shape, facets=facets)
            if served.key == _NAMESPACES:
                self.furnish(call.name)
            await self.store.durable()
        return obj

    def _already_exists(self, call: Call) -> ApiError:
        error = already_exists(call.served.resource, call.name)
        if "deletionTimestamp" not in self.row(call).object()["metadata"]:
            return error
        message = f"object is being deleted: {error}"
        return ApiError(error.code, error.reason, message, error.details)

    def furnish(self, namespace: str) -> None:
        """Give a namespace what every one has, where it is missing. Await `store.durable` after."""
        for key, wanted in strategy.companions(namespace, self._root_ca):
            served = self._registry.stored(key)
            row = self.store.get(key, namespace, wanted["metadata"]["name"])
            if served is None:
                continue
            if row is None:
                meta.begin(served, wanted, meta.now_text())
                facets = served.facets(wanted)
                self.store.insert(key, wanted, shape=served.shape, facets=facets)
            elif "data" in wanted and row.object().get("data") != wanted["data"]:
                data = wanted["data"]
                self.adjust(row, lambda obj: obj.update(data=data))  # noqa: B023 - called at once

    def _is_taken(self, key: str, namespace: str, name: str) -> bool:
        return self.store.get(key, namespace, name) is not None

    def _require_namespace(self, call: Call, metadata: Object) -> None:
        if not call.served.resource.namespaced:
            metadata.pop("namespace", None)
            return
        given = metadata.setdefault("namespace", call.namespace)
        if given != call.namespace:
            raise bad_request(meta.OTHER_NAMESPACE)
        row = self.store.get(_NAMESPACES, "", given)
        if row is None:
            namespaces = self._registry.stored(_NAMESPACES)
            assert namespaces is not None  # noqa: S101 - a built-in kind
            raise not_found(namespaces.resource, given)
        if "deletionTimestamp" in row.object()["metadata"]:
            why = (
                f"unable to create new content in namespace {given} because it is being terminated"
            )
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {given} is being terminated",
                "field": "metadata.namespace",
            }
            raise forbidden(call.served.resource, metadata.get("name", ""), why, [cause])

    async def update(self, call: Call) -> tuple[Object, bool]:
        """Replace, patch or apply; return the object and whether it was created.

        Raises:
            ApiError: 400, 403, 404, 409, 415 or 422.
        """
        for _ in range(_MAX_RACES):
            row = self.store.get(call.served.key, call.namespace, call.name)
            try:
                if row is not None:
                    return await self._update(call, row), False
                return await self._create_applied(call), True
            except RacedError:
                continue
        raise conflict(call.served.resource, call.name)

    async def _create_applied(self, call: Call) -> Object:
        if call.content_type != APPLY or call.subresource:
            raise not_found(call.served.resource, call.name)
        self._admission.require_may_create(call)
        obj = applied(call, None, meta.now_text())
        take_in(call, obj)
        obj["metadata"].pop("resourceVersion", None)
        if obj["metadata"].setdefault("name", call.name) != call.name:
            raise bad_request("the name of the object does not match the name on the URL")
        return await self._create(call, obj, lambda _call, _old, new, _now: new)

    async def _update(self, call: Call, row: Row) -> Object:
        served, now = call.served, meta.now_text()
        old = served.read(row)
        base = served.read(row) if call.content_type == APPLY else old
        new = take_in(call, wished(call, base, now))
        meta.keep(call, old, new)
        new = await self._completed(call, new, old, now)
        meta.drop_empty(new["metadata"])
        self._require_valid(served, new, old)
        call.warnings += meta.warnings(served, new, old)
        meta.advance_generation(served, old, new)
        await self._admission.validate(call, new, old)
        current = self.store.get(row.key, row.namespace, row.name)
        if current is None or current.version != row.version:
            raise RacedError
        if meta.is_same(old, new) and is_owned_alike(call, old, new) and not is_over(new):
            return old
        if call.content_type != APPLY:
            new = tracked(call, old, new, now)
        if not call.is_dry_run:
            self._write(served, row, old, new)
            await self.store.durable()
        return new

    def _write(self, served: Served, row: Row, old: Object, new: Object) -> None:
        stored, shape = self._in_stored_version(served, new)
        facets = stored.facets(new)
        if is_over(new):
            last = {**new, "metadata": dict(new["metadata"])}  # the answer keeps its version
            self.store.remove(row, self._as(stored, last), facets=facets)
            return
        both = (facets, stored.facets(old))
        self.store.replace(row, (self._as(stored, new), old), shape=shape, facets=both)

    def adjust(self, row: Row, edit: Callable[[Object], None]) -> None:
        """Let the server itself change an object, past all rules. Await `store.durable` after."""
        served = self._registry.stored(row.key)
        if served is not None:
            old, new = row.object(), row.object()
            edit(new)
            meta.drop_empty(new["metadata"])
            self._write(served, row, old, new)

    def _in_stored_version(self, served: Served, obj: Object) -> tuple[Served, str]:
        stored = self._registry.stored(served.key) or served
        return stored, served.shape if stored is served else ""

    def _as(self, stored: Served, obj: Object) -> Object:
        # Shallow: the store sets the resource version in the metadata of both.
        version = stored.resource.api_version
        return obj if obj["apiVersion"] == version else {**obj, "apiVersion": version}

    async def _completed(self, call: Call, obj: Object, old: Object | None, now: str) -> Object:
        """Return *obj* with all that defaults, the server and admission add to it."""
        served = call.served
        try:
            self._default(served, obj, old)
            strategy.prepare(served.key, obj, old, now, self._registry)
            admitted = await self._admission.mutate(call, obj, old)
            if admitted is not obj:
                _prune(served, admitted)
            if admitted is not obj or old is None:  # else nobody has touched it since
                self._default(served, admitted, old)
                strategy.prepare(served.key, admitted, old, now, self._registry)
        except (AttributeError, KeyError, TypeError, ValueError):
            self._require_valid(served, obj, old)  # the usual cause: a list where a map belongs
            raise
        return admitted

    def _default(self, served: Served, obj: Object, old: Object | None) -> None:
        if served.schema is not None:
            served.schema.default(obj)
        else:
            default_builtin(served.resource, obj, old or {})

    def _require_valid(self, served: Served, obj: Object, old: Object | None) -> None:
        if served.schema is not None:
            found = served.schema.validate(obj, old)
        else:
            found = validate_builtin(served.resource, obj, old)
        causes = [(one.field, one.reason, one.message) for one in found]
        causes += meta.check(served, obj, old)
        if not found:  # the rules of a kind rely on types
            causes += strategy.check(served.key, obj, old)
        meta.require_valid(served, obj["metadata"].get("name", ""), causes)

    async def delete(self, call: Call, options: DeleteOptions) -> tuple[Object, bool]:
        """Delete the object that *call* names; return it and whether it is gone.

        Raises:
            ApiError: 403, 404 or 409.
        """
        if call.served.key == "jobs.batch" and not options.propagation:
            call.warnings.append(_PODS_STAY)
            options = replace(options, propagation="Orphan")
        for _ in range(_MAX_RACES):
            row = self.row(call)
            old = call.served.read(row)
            require_preconditions(call.served, old, options)
            strategy.require_deletable(call.served, call.name)
            await self._admission.validate(call, None, old)
            current = self.store.get(row.key, row.namespace, row.name)
            if current is None or current.version == row.version:
                return await self._delete(call, self.row(call), options)
        raise conflict(call.served.resource, call.name)

    async def _delete(self, call: Call, row: Row, options: DeleteOptions) -> tuple[Object, bool]:
        old, new = call.served.read(row), call.served.read(row)
        mark(new, options, datetime.now(UTC))
        gone = is_over(new)
        if call.is_dry_run or (not gone and new == old):
            return new, gone
        if gone:
            if call.served.key != "pods":  # whose kinds know no grace: it is shown as it lived
                new = old
            stored, _ = self._in_stored_version(call.served, old)
            self.store.remove(row, self._as(stored, new), facets=stored.facets(old))
        else:
            self._write(call.served, row, old, new)
        await self.store.durable()
        return new, gone
