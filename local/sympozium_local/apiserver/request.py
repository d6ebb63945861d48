"""One request of the Kubernetes API, read from its HTTP form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml

from sympozium_local.apiserver import protobuf
from sympozium_local.apiserver.errors import (
    ApiError,
    bad_request,
    invalid_options,
    unsupported_media_type,
)
from sympozium_local.apiserver.registry import Served
from sympozium_local.apiserver.resource import Object

MAX_BODY_BYTES = 3 * 1024 * 1024
"""Source: kube-apiserver's MaxRequestBodyBytes."""

MAX_MANAGER_BYTES = 128
"""Source: FieldManagerMaxLength in k8s.io/apimachinery/pkg/apis/meta/v1/validation."""

APPLY = "application/apply-patch+yaml"
_JSON = {"", "application/json"}
_YAML = {"application/yaml", "application/x-yaml", APPLY}
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_PATCHES = {
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
}


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def as_object(self) -> Object:
        """Return the `user` of a TokenReview or an admission review."""
        user: Object = {"username": self.name, "groups": list(self.groups)}
        if self.uid:
            user["uid"] = self.uid
        if self.extra:
            user["extra"] = {key: list(values) for key, values in self.extra.items()}
        return user


@dataclass(frozen=True)
class Target:
    """What a path names. Without a name it is a collection."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()


@dataclass
class Call:
    """One request about one kind, authenticated and parsed.

    Attributes:
        verb: As in RBAC rules: get, list, watch, create, update, patch, delete, ...
        warnings: Sentences for the client's `Warning` headers.
    """

    user: User
    verb: str
    served: Served
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = ""
    user_agent: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def is_dry_run(self) -> bool:
        """Nothing shall be stored. A deletion says so in its body, where it has one.

        Raises:
            ApiError: 422, the query says something that is not understood.
        """
        value = self.query.get("dryRun", "")
        if self.verb.startswith("delete") and isinstance(self.body, dict):
            value = ",".join(self.body.get("dryRun") or ()) or value
        if value not in {"", "All"}:
            why = f'Unsupported value: "{value}": supported values: "All"'
            raise invalid_options(self._options, "dryRun", "FieldValueNotSupported", why)
        return value == "All"

    @property
    def manager(self) -> str:
        """Who is named in managedFields.

        Raises:
            ApiError: 422, the query names somebody too long.
        """
        named = self.query.get("fieldManager", "")
        if len(named.encode()) > MAX_MANAGER_BYTES:
            why = f"Too long: may not be more than {MAX_MANAGER_BYTES} bytes"
            raise invalid_options(self._options, "fieldManager", "FieldValueTooLong", why)
        return named or self.user_agent.split("/", 1)[0] or "unknown"

    @property
    def _options(self) -> str:
        return f"{self.verb.capitalize()}Options"

    @property
    def field_validation(self) -> str:
        """What to do about unknown fields: Strict, Warn or Ignore."""
        value = self.query.get("fieldValidation") or "Warn"
        if value not in {"Strict", "Warn", "Ignore"}:
            why = f'Unsupported value: "{value}": supported values: "", "Ignore", "Strict", "Warn"'
            raise invalid_options(self._options, "fieldValidation", "FieldValueNotSupported", why)
        return value


def parse_path(path: str) -> Target | None:
    """Return what *path* names; None: it is no path of a kind."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in {"status", "finalize"}:
            rest = rest[2:]
    plural, name, subresource, *more = (*rest, "", "")
    return Target(group, version, plural, namespace, name, subresource, tuple(filter(None, more)))


def verb_of(method: str, target: Target, query: Mapping[str, str]) -> str:
    """Return the RBAC verb of a request; an empty one is not allowed."""
    if target.name:
        verbs = {"PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
        return "create" if method == "POST" and target.subresource else verbs.get(method, "")
    if method == "GET":
        return "watch" if query.get("watch") in {"1", "true"} else "list"
    return {"POST": "create", "DELETE": "deletecollection"}.get(method, "")


def decode_body(body: bytes, content_type: str) -> Any:
    """Return what a request's body says, whatever it is written in.

    Raises:
        ApiError: 400, 413 or 415.
    """
    if len(body) > MAX_BODY_BYTES:
        message = f"Request entity too large: limit is {MAX_BODY_BYTES}"
        raise ApiError(413, "RequestEntityTooLarge", message)
    kind = content_type.split(";", 1)[0].strip()
    if not body:
        return None
    try:
        if kind in _JSON or kind in _PATCHES:
            return _DECODER.decode(body)
        if kind in _YAML:
            return yaml.load(body, Loader=_LOADER)  # noqa: S506 - a safe loader, in C
        if kind == _PROTOBUF:
            return protobuf.decode(body)
    except (msgspec.DecodeError, yaml.YAMLError, protobuf.ProtobufError, UnicodeError) as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from error
    raise unsupported_media_type(kind, ["application/json", "application/yaml", _PROTOBUF])


def _number(text: str) -> int | float:
    """Return a number with a point as the integer that it is, as Go writes it back."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


_DECODER = msgspec.json.Decoder(float_hook=_number)


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: timestamps stay strings."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_LOADER = _Loader
