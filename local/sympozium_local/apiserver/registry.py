"""The kinds that are served at this moment: the built-in ones and those of CRDs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sympozium_local.apiserver.resource import ApiResource, Object
from sympozium_local.apiserver.schema import CompiledSchema
from sympozium_local.apiserver.selectors import BUILTIN_FIELDS, facets_of
from sympozium_local.apiserver.store import Row


@dataclass(frozen=True, eq=False)
class Served:
    """One kind in one version, and how its objects are read and checked.

    Attributes:
        shape: Says under which version and schema an object was written. Bytes of
            the same shape are answered as they are stored; others are converted.
        fields: What a field selector may name, apart from name and namespace.
        is_stored: Objects are kept in this version.
        schema: Of a custom kind; None for a built-in one.
        scale: The `subresources.scale` of a CRD.
        deprecation: What clients of a deprecated version are warned with.
    """

    resource: ApiResource
    shape: str
    fields: tuple[str, ...] = ()
    list_kind: str = ""
    is_stored: bool = True
    schema: CompiledSchema | None = None
    openapi: Object | None = None
    scale: Object | None = None
    deprecation: str = ""

    @property
    def key(self) -> str:
        """The name its objects are stored under."""
        return self.resource.storage_key

    def read(self, row: Row) -> Object:
        """Return a stored object in this version, with this schema's defaults."""
        obj = row.object()
        if row.shape != self.shape:
            obj["apiVersion"] = self.resource.api_version
            if self.schema is not None:
                self.schema.prune(obj)
                self.schema.default(obj)
        return obj

    def facets(self, obj: Object) -> dict[str, str]:
        """Return what *obj* can be selected by."""
        return facets_of(obj, self.fields)


class Registry:
    """All served kinds. Listeners hear of every change of a custom kind."""

    def __init__(self, builtin: Iterable[ApiResource]) -> None:
        self._served: dict[tuple[str, str, str], Served] = {}
        self._stored: dict[str, Served] = {}
        self._custom: dict[str, list[Served]] = {}
        self._listeners: list[Callable[[str], None]] = []
        for resource in builtin:
            fields = BUILTIN_FIELDS.get(resource.storage_key, ())
            kind = resource.kind
            self._add(Served(resource, resource.api_version, fields, f"{kind}List"))

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have *listener* called with the storage key of each kind that changes."""
        self._listeners.append(listener)

    def install(self, key: str, kinds: list[Served]) -> None:
        """Serve a custom kind (one entry a version) in place of what its key served before."""
        before = self._custom.pop(key, [])
        if [_looks(one) for one in before] == [_looks(one) for one in kinds]:
            if before:
                self._custom[key] = before
            return
        for served in before:
            del self._served[_address(served)]
            self._stored.pop(key, None)
        for served in kinds:
            self._add(served)
        if kinds:
            self._custom[key] = kinds
        for listener in self._listeners:
            listener(key)

    def _add(self, served: Served) -> None:
        self._served[_address(served)] = served
        if served.is_stored:
            self._stored[served.key] = served

    def find(self, group: str, version: str, plural: str) -> Served | None:
        """Return what is served there."""
        return self._served.get((group, version, plural))

    def stored(self, key: str) -> Served | None:
        """Return the kind of a storage key, in the version it is stored in."""
        return self._stored.get(key)

    def key_of(self, group: str, kind: str) -> str:
        """Return the storage key of the kind of that name; "": there is none."""
        keys = (
            key
            for key, served in self._stored.items()
            if (served.resource.group, served.resource.kind) == (group, kind)
        )
        return next(keys, "")

    def versions(self, key: str) -> list[Served]:
        """Return all versions of one kind."""
        return self._custom.get(key) or [self._stored[key]]

    def all(self) -> Iterable[Served]:
        """Return everything served."""
        return self._served.values()


def _looks(served: Served) -> tuple[object, ...]:
    return (
        served.shape,
        served.resource,
        served.fields,
        served.scale,
        served.is_stored,
        served.deprecation,
    )


def _address(served: Served) -> tuple[str, str, str]:
    resource = served.resource
    return resource.group, resource.version, resource.plural
