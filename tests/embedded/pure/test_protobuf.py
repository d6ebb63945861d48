"""Protobuf bodies: what real kubectl sends, what is generated, and what is broken."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sympozium_local.apiserver.fields import Field, wire_fields
from sympozium_local.apiserver.protobuf import ProtobufError, decode

META = "apimachinery.pkg.apis.meta.v1.ObjectMeta"


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def chunk(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def encoded_one(number: int, type_: str, value: Any) -> bytes:
    if type_ in {"int32", "int64", "bool"}:
        return varint(number << 3) + varint(int(value))
    if type_ == "double":
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if type_ == "bytes":
        return chunk(number, base64.b64decode(value))
    if type_ == "string":
        return chunk(number, value.encode())
    if type_ == "Quantity":
        return chunk(number, chunk(1, value.encode()))
    if type_ == "IntOrString":
        is_text = isinstance(value, str)
        parts = [varint(1 << 3) + varint(is_text), varint(2 << 3) + varint(0 if is_text else value)]
        return chunk(number, b"".join(parts) + chunk(3, value.encode() if is_text else b""))
    return chunk(number, encoded(value, type_))


def encoded(obj: Any, message: str) -> bytes:
    """Write an object as the Go libraries do, fields of structs within it included."""
    out = b""
    for name, field in wire_fields(message).items():
        if field.is_inline:
            out += chunk(field.number, encoded(obj, field.type))
        elif name in obj and field.shape == "list":
            out += b"".join(encoded_one(field.number, field.type, one) for one in obj[name])
        elif name in obj and field.shape == "map":
            for key, value in obj[name].items():
                entry = chunk(1, key.encode()) + encoded_one(2, field.type, value)
                out += chunk(field.number, entry)
        elif name in obj:
            out += encoded_one(field.number, field.type, obj[name])
    return out


def framed(api_version: str, kind: str, raw: bytes) -> bytes:
    type_meta = chunk(1, api_version.encode()) + chunk(2, kind.encode())
    return b"k8s\x00" + chunk(1, type_meta) + chunk(2, raw)


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(min_size=1, max_size=4),
    "bytes": st.binary(min_size=1, max_size=4).map(lambda raw: base64.b64encode(raw).decode()),
    "bool": st.just(True),
    "int32": st.integers(-(2**31), 2**31 - 1).filter(bool),
    "int64": st.integers(-(2**63), 2**63 - 1).filter(bool),
    "double": st.floats(allow_nan=False).filter(bool),
    "Quantity": st.sampled_from(["1", "500m", "2Gi"]),
    "IntOrString": st.integers(-(2**31), 2**31 - 1) | st.sampled_from(["25%", "http"]),
}


def of_field(field: Field, depth: int) -> st.SearchStrategy[Any] | None:
    one = SCALARS.get(field.type)
    if one is None and "." in field.type and depth > 0:
        one = messages(field.type, depth - 1)
    if one is None:
        return None
    if field.shape == "list":
        return st.lists(one, min_size=1, max_size=2)
    return (
        st.dictionaries(st.text("abc"), one, min_size=1, max_size=2)
        if field.shape == "map"
        else one
    )


def messages(message: str, depth: int) -> st.SearchStrategy[Any]:
    """Generate objects of a message, by the table of fields."""
    optional: dict[str, st.SearchStrategy[Any]] = {}
    inline = [
        messages(field.type, depth) for field in wire_fields(message).values() if field.is_inline
    ]
    for name, field in wire_fields(message).items():
        strategy = None if field.is_inline else of_field(field, depth)
        if strategy is not None:
            optional[name] = strategy
    own = st.fixed_dictionaries({}, optional=optional)
    return st.tuples(own, *inline).map(
        lambda parts: {k: v for one in parts for k, v in one.items()}
    )


@pytest.mark.parametrize(
    ("api_version", "kind", "message"),
    [
        ("v1", "Pod", "api.core.v1.Pod"),
        ("batch/v1", "Job", "api.batch.v1.Job"),
        ("v1", "Service", "api.core.v1.Service"),
        ("networking.k8s.io/v1", "NetworkPolicy", "api.networking.v1.NetworkPolicy"),
    ],
)
def test_what_is_written_is_read_back(api_version: str, kind: str, message: str) -> None:
    @settings(max_examples=30)
    @given(obj=messages(message, 2))
    def reads_back(obj: Any) -> None:
        body = framed(api_version, kind, encoded(obj, message))
        assert decode(body) == {"apiVersion": api_version, "kind": kind, **obj}

    reads_back()


@given(body=st.binary(max_size=60))
def test_noise_is_refused_and_nothing_worse(body: bytes) -> None:
    for noise in (body, framed("v1", "Pod", body)):
        try:
            decode(noise)
        except ProtobufError:
            continue


@pytest.mark.parametrize(
    "arguments",
    [
        ("deployment", "web", "--image=nginx:1", "--replicas=2", "--port=80"),
        ("job", "j", "--image=busybox", "--", "sleep", "5"),
        ("cronjob", "c", "--image=busybox", "--schedule=*/5 * * * *"),
        ("secret", "generic", "s", "--from-literal=a=b"),
        ("service", "clusterip", "s", "--tcp=80:8080"),
        ("quota", "q", "--hard=cpu=1,pods=2"),
        ("ingress", "i", "--rule=foo.com/*=svc:80"),
        ("rolebinding", "r", "--role=x", "--serviceaccount=a:b", "--user=u"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_kubectl_sends_says_what_kubectl_prints(recorder: Any, arguments: Any) -> None:
    printed = recorder.kubectl("create", "--dry-run=client", "-o", "json", *arguments)
    recorder.kubectl("create", *arguments)
    assert recorder.body.startswith(b"k8s\x00")
    sent = decode(recorder.body)
    sent.setdefault("metadata", {}).pop("namespace", None)
    assert sent == json.loads(printed)


def test_a_time_is_read_and_a_zero_time_is_nothing() -> None:
    seconds = varint(1 << 3) + varint(1_767_225_600)
    metadata = chunk(1, b"p") + chunk(8, b"") + chunk(9, seconds)
    pod = decode(framed("v1", "Pod", chunk(1, metadata)))
    assert pod["metadata"] == {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}


def test_zero_stays_where_it_means_something_else_than_nothing() -> None:
    replicas = chunk(2, varint(1 << 3) + varint(0) + varint(5 << 3) + varint(0))
    deployment = decode(framed("apps/v1", "Deployment", replicas))
    assert deployment["spec"] == {"replicas": 0}


def test_options_are_read_under_any_group() -> None:
    options = decode(framed("batch/v1", "DeleteOptions", chunk(4, b"Foreground")))
    assert options["propagationPolicy"] == "Foreground"


def test_fields_of_a_later_version_are_passed_over() -> None:
    body = framed("v1", "ConfigMap", chunk(999, b"future") + chunk(1, chunk(1, b"c")))
    assert decode(body)["metadata"] == {"name": "c"}


def test_schemas_in_a_crd_keep_their_either_or_parts() -> None:
    crd = "apiextensions-apiserver.pkg.apis.apiextensions.v1"
    numbers = {name: field.number for name, field in wire_fields(f"{crd}.JSONSchemaProps").items()}
    text = chunk(numbers["type"], b"string")
    schema = (
        chunk(numbers["items"], chunk(1, text))
        + chunk(numbers["additionalProperties"], varint(1 << 3) + varint(1))
        + chunk(numbers["default"], chunk(1, b'{"a":1}'))
        + chunk(numbers["enum"], chunk(1, b'"x"'))
    )
    version = chunk(4, chunk(1, schema))
    body = framed(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", chunk(2, chunk(7, version))
    )
    [found] = decode(body)["spec"]["versions"]
    assert found["schema"]["openAPIV3Schema"] == {
        "items": {"type": "string"},
        "additionalProperties": True,
        "default": {"a": 1},
        "enum": ["x"],
    }


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{}", "prefix"),
        (framed("v1", "Unicorn", b""), "no kind 'Unicorn'"),
        (framed("v1", "Pod", b"\x0a\x7f"), "ends in the middle"),
        (framed("v1", "Pod", b"\x0b"), "wire type"),
        (framed("v1", "Pod", b"\xff" * 11), "longer than 64 bits"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(body: bytes, why: str) -> None:
    with pytest.raises(ProtobufError, match=why):
        decode(body)
