"""Watches tell every change, once, in order, from where they were asked to begin."""

import asyncio
import ssl
from typing import Any
from urllib.parse import urlsplit

import pytest

from sympozium_local.apiserver import watching
from sympozium_local.apiserver.errors import ApiError
from sympozium_local.apiserver.store import MODIFIED, Change
from sympozium_local.apiserver.watch import LOG_BYTES, LOG_LENGTH, Log

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


async def test_changes_after_a_list_are_told_in_order(api: Any, configmap: Any) -> None:
    listed = await api.get(CONFIGMAPS)
    await api.create(CONFIGMAPS, configmap("a"))
    since = listed["metadata"]["resourceVersion"]
    async with api.watch(CONFIGMAPS, resourceVersion=since) as watch:
        await api.merge(f"{CONFIGMAPS}/a", {"data": {"k": "v"}})
        await api.delete(f"{CONFIGMAPS}/a")
        seen = [await watch.next() for _ in range(3)]
    assert [type_ for type_, _ in seen] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(obj["metadata"]["resourceVersion"]) for _, obj in seen]
    assert versions == sorted(set(versions))


async def test_a_watch_without_a_version_begins_with_the_state(api: Any, configmap: Any) -> None:
    await api.create(CONFIGMAPS, configmap("a"))
    async with api.watch(CONFIGMAPS) as watch:
        assert [(await watch.next())[1]["metadata"]["name"] for _ in range(2)] == [
            "a",
            "kube-root-ca.crt",
        ]
        await api.create(CONFIGMAPS, configmap("b"))
        assert (await watch.next())[0] == "ADDED"


async def test_an_object_that_gets_or_loses_a_label_appears_or_disappears(
    api: Any, configmap: Any
) -> None:
    await api.create(CONFIGMAPS, configmap("a"))
    async with api.watch(CONFIGMAPS, labelSelector="x=y") as watch:
        await api.merge(f"{CONFIGMAPS}/a", {"metadata": {"labels": {"x": "y"}}})
        assert (await watch.next())[0] == "ADDED"
        await api.merge(f"{CONFIGMAPS}/a", {"metadata": {"labels": {"z": "1"}}})
        assert (await watch.next())[0] == "MODIFIED"
        await api.merge(f"{CONFIGMAPS}/a", {"metadata": {"labels": {"x": "n"}}})
        assert (await watch.next())[0] == "DELETED"


async def test_a_watch_may_select_by_numbers(api: Any, configmap: Any) -> None:
    async with api.watch(CONFIGMAPS, labelSelector="n>2,n<11") as watch:
        for number in ("2", "11", "x3", "10"):
            obj = configmap(f"n{number}")
            obj["metadata"]["labels"] = {"n": number}
            await api.create(CONFIGMAPS, obj)
        assert (await watch.next())[1]["metadata"]["name"] == "n10"


async def test_a_watch_of_one_namespace_is_told_of_no_other(api: Any, configmap: Any) -> None:
    other = "/api/v1/namespaces/kube-system/configmaps"
    since = (await api.get(CONFIGMAPS))["metadata"]["resourceVersion"]
    async with api.watch(CONFIGMAPS, resourceVersion=since) as watch:
        await api.create(other, configmap("not-seen"))
        await api.create(CONFIGMAPS, configmap("barrier"))
        assert (await watch.next())[1]["metadata"]["name"] == "barrier"


async def test_a_watch_may_ask_for_the_state_and_a_mark_at_its_end(api: Any) -> None:
    query = {
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    async with api.watch("/api/v1/namespaces", **query) as watch:
        seen = [await watch.next() for _ in range(4)]
    assert [type_ for type_, _ in seen] == ["ADDED", "ADDED", "ADDED", "BOOKMARK"]
    mark = seen[-1][1]["metadata"]["annotations"]
    assert mark == {"k8s.io/initial-events-end": "true"}


async def test_a_quiet_watch_learns_by_bookmarks_how_far_the_rest_has_come(
    api: Any, configmap: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "BOOKMARK_EVERY_S", 0.01)
    since = (await api.get(CONFIGMAPS))["metadata"]["resourceVersion"]
    query = {"resourceVersion": since, "allowWatchBookmarks": "true"}
    async with api.watch("/api/v1/secrets", **query) as watch:
        made = await api.create(CONFIGMAPS, configmap("elsewhere"))
        type_, obj = await watch.next()
    assert (type_, obj["kind"]) == ("BOOKMARK", "Secret")
    assert obj["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_a_version_from_the_future_is_gone(api: Any) -> None:
    code, status = await api.call("GET", f"{CONFIGMAPS}?watch=1&resourceVersion=999999")
    assert (code, status["reason"]) == (410, "Expired")


async def test_the_server_ends_a_watch_at_the_time_asked_for(api: Any) -> None:
    async with api.watch("/api/v1/namespaces", timeoutSeconds="1") as watch:
        assert len(await watch.rest()) == 3


async def test_a_change_of_the_schema_ends_the_watches_of_the_kind(
    api: Any, widgets: str, widget_crd: dict[str, Any]
) -> None:
    async with api.watch(widgets) as watch:
        schema = widget_crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        schema["properties"]["spec"]["properties"]["more"] = {"type": "string"}
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com"
        await api.merge(path, {"spec": widget_crd["spec"]})
        assert await watch.rest() == []


def _change(version: int, raw: bytes = b"{}") -> Change:
    identity = (MODIFIED, "configmaps", "default", "a", "u")
    return Change(*identity, version, raw, {}, {}, frozenset(), False, False)


def test_the_log_forgets_the_oldest_and_says_so() -> None:
    log = Log(floor=10)
    for version in range(11, 11 + 2 * LOG_LENGTH):
        log.append(_change(version))
    with pytest.raises(ApiError, match="too old resource version"):
        log.place(10)
    newest = 10 + 2 * LOG_LENGTH
    place = log.place(newest - 1)
    assert [one.version for one in log.read(place) or ()] == [newest]
    assert log.read(0) is None


def test_the_log_of_long_objects_is_shorter() -> None:
    log = Log(floor=10)
    long = b"x" * (LOG_BYTES // 10)
    for version in range(11, 100):
        log.append(_change(version, long))
        kept = log.read(log.place(log.floor)) or []
        assert sum(len(one.raw) for one in kept) < 2 * LOG_BYTES
        assert kept[-1].version == version
    log.append(_change(100, b"x" * 3 * LOG_BYTES))
    assert [one.version for one in log.read(log.place(99)) or ()] == [100]


def test_a_place_in_the_log_is_right_after_the_version_asked_for() -> None:
    log = Log(floor=10)
    for version in (12, 15, 20):
        log.append(_change(version))
    expected = {10: [12, 15, 20], 12: [15, 20], 14: [15, 20], 20: [], 30: []}
    for version, rest in expected.items():
        assert [one.version for one in log.read(log.place(version)) or ()] == rest


async def test_a_client_that_leaves_before_its_watch_begins_is_no_error(
    api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    url = urlsplit(api.endpoint.url)
    trust = ssl.create_default_context(cafile=str(api.endpoint.ca_file))
    authorization = api.headers(None)["Authorization"]
    request = (
        f"GET {CONFIGMAPS}?watch=1 HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"Authorization: {authorization}\r\n\r\n"
    )
    for _ in range(5):  # the end of the connection is read together with the request
        _, writer = await asyncio.open_connection(url.hostname, url.port, ssl=trust)
        writer.write(request.encode())
        writer.close()
        await writer.wait_closed()
    await api.get(CONFIGMAPS)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
