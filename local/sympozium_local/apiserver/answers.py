"""What a client gets to see of objects: JSON, tables, lists of pages, watch events."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sympozium_local.apiserver.errors import bad_request, expired
from sympozium_local.apiserver.registry import Served
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import Row, decode, encode
from sympozium_local.apiserver.tables import table

_PARTIAL = "PartialObjectMetadata"


@dataclass(frozen=True)
class View:
    """In which form a client accepts objects: as they are, as a `Table`, or metadata only."""

    form: str = ""
    include_object: str = "Metadata"

    @staticmethod
    def of(accept: str, include_object: str) -> "View":
        """Read an `Accept` header; the first form that is served wins."""
        for one in accept.split(","):
            parameters = dict(
                part.strip().partition("=")[::2] for part in one.split(";")[1:] if "=" in part
            )
            form = parameters.get("as", "")
            is_v1 = parameters.get("v", "v1") == "v1"
            if form in {"", "Table", _PARTIAL, f"{_PARTIAL}List"} and is_v1 and "json" in one:
                return View(form.removesuffix("List"), include_object or "Metadata")
        return View()

    def object(self, served: Served, raw: bytes, *, with_columns: bool = True) -> bytes:
        """Return one object, given as JSON in its stored or served version."""
        if not self.form:
            return raw
        obj = decode(raw)
        if self.form == _PARTIAL:
            return encode(_partial(obj))
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return encode(
            table(
                served.resource,
                [obj],
                list_metadata=metadata,
                include_object=self.include_object,
                with_columns=with_columns,
            )
        )

    def many(self, served: Served, raws: Sequence[bytes], metadata: Object) -> bytes:
        """Return a list of objects."""
        if self.form == "Table":
            objects = [decode(raw) for raw in raws]
            return encode(
                table(
                    served.resource,
                    objects,
                    list_metadata=metadata,
                    include_object=self.include_object,
                )
            )
        kind, api_version = served.list_kind, served.resource.api_version
        if self.form == _PARTIAL:
            raws = [encode(_partial(decode(raw))) for raw in raws]
            kind, api_version = f"{_PARTIAL}List", "meta.k8s.io/v1"
        head = {"kind": kind, "apiVersion": api_version, "metadata": metadata}
        return encode(head)[:-1] + b',"items":[' + b",".join(raws) + b"]}"


def _partial(obj: Object) -> Object:
    return {"kind": _PARTIAL, "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def raw_of(served: Served, row: Row) -> bytes:
    """Return a stored object as JSON in the served version; mostly without decoding it."""
    return row.raw if row.shape == served.shape else encode(served.read(row))


@dataclass(frozen=True)
class Page:
    """Where a list goes on: after a place, as the continuation of one begun at a version."""

    version: int
    after: tuple[str, str] | None = None

    def token(self) -> str:
        """Return the `continue` that leads here."""
        text = encode({"v": self.version, "after": self.after})
        return base64.urlsafe_b64encode(text).decode()

    @staticmethod
    def of(token: str, floor: int, current: int) -> "Page":
        """Read a `continue`, or begin a list if there is none.

        Raises:
            ApiError: 400, it is none of ours; 410, the list was begun too long ago.
        """
        if not token:
            return Page(current)
        try:
            text = decode(base64.urlsafe_b64decode(token))
            page = Page(int(text["v"]), (text["after"][0], text["after"][1]))
        except (ValueError, KeyError, TypeError, IndexError, msgspec.DecodeError) as error:
            raise bad_request("continue key is not valid") from error
        if page.version < floor:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You must start a new list without the continue parameter."
            )
        return page
