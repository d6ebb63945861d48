"""Lists: by namespace, label and field, in pages."""

from typing import Any
from urllib.parse import quote

import pytest

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def names(listed: Any) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


@pytest.fixture
async def labelled(api: Any, configmap: Any) -> None:
    for name, labels in {
        "a": {"app": "x", "tier": "front"},
        "b": {"app": "x"},
        "c": {"app": "y", "tier": "back"},
        "d": None,
    }.items():
        await api.create(CONFIGMAPS, configmap(name, labels=labels))


@pytest.mark.usefixtures("labelled")
@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=x", "ab"),
        ("app==x,tier", "a"),
        ("app!=x", "cd"),
        ("app in (x, y)", "abc"),
        ("app notin (x),app", "c"),
        ("!tier", "bd"),
        ("tier in (front),app=y", ""),
        ("!app", "d"),
    ],
)
async def test_labels_select(api: Any, selector: str, expected: str) -> None:
    own = f"{selector},!never" if selector else ""
    path = f"{CONFIGMAPS}?labelSelector={quote(own)}"
    fields = quote("metadata.name!=kube-root-ca.crt")
    listed = await api.get(f"{path}&fieldSelector={fields}")
    assert names(listed) == list(expected)


async def test_a_label_selector_that_cannot_be_read_is_a_bad_request(api: Any) -> None:
    code, _ = await api.call("GET", f"{CONFIGMAPS}?labelSelector={quote('a b c')}")
    assert code == 400


async def test_fields_that_a_crd_names_select(api: Any, widgets: str) -> None:
    for name, color in (("a", "red"), ("b", "blue")):
        await api.create(widgets, {"metadata": {"name": name}, "spec": {"color": color}})
    assert names(await api.get(f"{widgets}?fieldSelector=spec.color=red")) == ["a"]
    assert names(await api.get(f"{widgets}?fieldSelector=spec.color!=red")) == ["b"]
    assert names(await api.get(f"{widgets}?fieldSelector=metadata.name=b")) == ["b"]


async def test_a_field_that_is_not_selectable_is_a_bad_request(api: Any) -> None:
    code, status = await api.call("GET", f"{CONFIGMAPS}?fieldSelector=data.k=v")
    assert code == 400
    assert status["message"].startswith('"data.k" is not a known field selector')


async def test_pages_together_are_the_whole_list(api: Any, configmap: Any) -> None:
    for number in range(25):
        await api.create(CONFIGMAPS, configmap(f"n{number:02}"))
    whole = names(await api.get(CONFIGMAPS))
    paged: list[str] = []
    page = await api.get(f"{CONFIGMAPS}?limit=10")
    assert page["metadata"]["remainingItemCount"] == len(whole) - 10
    while True:
        paged += names(page)
        token = page["metadata"].get("continue")
        if not token:
            break
        page = await api.get(f"{CONFIGMAPS}?limit=10&continue={token}")
    assert paged == whole


async def test_a_later_page_tells_the_version_of_the_first(api: Any, configmap: Any) -> None:
    for name in "abc":
        await api.create(CONFIGMAPS, configmap(name))
    first = await api.get(f"{CONFIGMAPS}?limit=1")
    await api.create(CONFIGMAPS, configmap("late"))
    token = first["metadata"]["continue"]
    second = await api.get(f"{CONFIGMAPS}?limit=1&continue={token}")
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_forged_continue_is_a_bad_request(api: Any) -> None:
    assert (await api.call("GET", f"{CONFIGMAPS}?continue=nonsense"))[0] == 400


async def test_all_namespaces_are_listed_at_once(api: Any) -> None:
    listed = await api.get("/api/v1/serviceaccounts")
    spaces = [item["metadata"]["namespace"] for item in listed["items"]]
    assert spaces == ["default", "kube-system", "sympozium-system"]


async def test_a_table_has_a_row_for_each_object(api: Any, widgets: str) -> None:
    await api.create(widgets, {"metadata": {"name": "a"}, "spec": {"color": "red"}})
    headers = api.headers(None) | {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with api.session.get(api.endpoint.url + widgets, headers=headers) as answer:
        table = await answer.json()
    assert table["kind"] == "Table"
    assert table["rows"][0]["cells"][:2] == ["a", "red"]


async def test_metadata_alone_can_be_asked_for(api: Any, configmap: Any) -> None:
    await api.create(CONFIGMAPS, configmap("a", {"k": "v"}))
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    headers = api.headers(None) | {"Accept": accept}
    async with api.session.get(f"{api.endpoint.url}{CONFIGMAPS}/a", headers=headers) as answer:
        found = await answer.json()
    assert found["kind"] == "PartialObjectMetadata"
    assert set(found) == {"kind", "apiVersion", "metadata"}
