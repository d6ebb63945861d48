"""Dependents, namespaces and kinds: what goes when its owner goes."""

from typing import Any

import pytest

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def owner(obj: dict[str, Any], **more: Any) -> dict[str, Any]:
    metadata = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        **more,
    }


@pytest.fixture
async def family(api: Any, configmap: Any) -> list[dict[str, Any]]:
    """A grandparent, a parent and a child."""
    first = await api.create(CONFIGMAPS, configmap("first"))
    references = [owner(first, blockOwnerDeletion=True)]
    second = await api.create(CONFIGMAPS, configmap("second", ownerReferences=references))
    references = [owner(second, blockOwnerDeletion=True)]
    third = await api.create(CONFIGMAPS, configmap("third", ownerReferences=references))
    return [first, second, third]


async def watch_deletions(api: Any, policy: str) -> list[str]:
    since = (await api.get(CONFIGMAPS))["metadata"]["resourceVersion"]
    gone: list[str] = []
    async with api.watch(CONFIGMAPS, resourceVersion=since) as watch:
        await api.delete(f"{CONFIGMAPS}/first", {"propagationPolicy": policy})
        while len(gone) < 3:
            type_, obj = await watch.next()
            if type_ == "DELETED":
                gone.append(obj["metadata"]["name"])
    return gone


@pytest.mark.usefixtures("family")
async def test_in_the_background_owners_go_before_their_dependents(api: Any) -> None:
    assert await watch_deletions(api, "Background") == ["first", "second", "third"]


@pytest.mark.usefixtures("family")
async def test_in_the_foreground_dependents_go_before_their_owners(api: Any) -> None:
    assert await watch_deletions(api, "Foreground") == ["third", "second", "first"]


@pytest.mark.usefixtures("family")
async def test_orphaned_dependents_stay_without_their_owner(api: Any) -> None:
    since = (await api.get(CONFIGMAPS))["metadata"]["resourceVersion"]
    async with api.watch(CONFIGMAPS, resourceVersion=since) as watch:
        await api.delete(f"{CONFIGMAPS}/first", {"propagationPolicy": "Orphan"})
        await watch.until("DELETED", "first")
    second = await api.get(f"{CONFIGMAPS}/second")
    assert not second["metadata"].get("ownerReferences")
    assert (await api.get(f"{CONFIGMAPS}/third"))["metadata"]["ownerReferences"]


async def test_an_object_of_an_owner_that_never_was_goes(api: Any, configmap: Any) -> None:
    absent = {"apiVersion": "v1", "kind": "ConfigMap", "name": "no", "uid": "never-was"}
    since = (await api.get(CONFIGMAPS))["metadata"]["resourceVersion"]
    async with api.watch(CONFIGMAPS, resourceVersion=since) as watch:
        await api.create(CONFIGMAPS, configmap("a", ownerReferences=[absent]))
        await watch.until("DELETED", "a")


async def test_an_object_with_one_living_owner_stays(api: Any, configmap: Any) -> None:
    one = await api.create(CONFIGMAPS, configmap("one"))
    two = await api.create(CONFIGMAPS, configmap("two"))
    references = [owner(one), owner(two)]
    await api.create(CONFIGMAPS, configmap("child", ownerReferences=references))
    since = (await api.get(CONFIGMAPS))["metadata"]["resourceVersion"]
    async with api.watch(CONFIGMAPS, resourceVersion=since) as watch:
        await api.delete(f"{CONFIGMAPS}/one")
        child = await watch.until("MODIFIED", "child")
    assert [one["name"] for one in child["metadata"]["ownerReferences"]] == ["two"]


async def test_an_owner_does_not_wait_for_a_dependent_that_another_owner_keeps(
    api: Any, configmap: Any
) -> None:
    one = await api.create(CONFIGMAPS, configmap("one"))
    two = await api.create(CONFIGMAPS, configmap("two"))
    references = [owner(one, blockOwnerDeletion=True), owner(two)]
    await api.create(CONFIGMAPS, configmap("child", ownerReferences=references))
    async with api.watch(CONFIGMAPS) as watch:
        await api.delete(f"{CONFIGMAPS}/one", {"propagationPolicy": "Foreground"})
        await watch.until("DELETED", "one")
    child = await api.get(f"{CONFIGMAPS}/child")
    assert [one["name"] for one in child["metadata"]["ownerReferences"]] == ["two"]


async def test_a_namespace_is_emptied_and_then_gone(api: Any, configmap: Any) -> None:
    path = "/api/v1/namespaces/team/configmaps"
    await api.create("/api/v1/namespaces", {"metadata": {"name": "team"}})
    await api.get(f"{path}/kube-root-ca.crt")
    await api.get("/api/v1/namespaces/team/serviceaccounts/default")
    await api.create(path, configmap("slow", finalizers=["example.com/wait"]))
    async with api.watch("/api/v1/namespaces") as watch:
        marked = await api.delete("/api/v1/namespaces/team")
        assert marked["status"]["phase"] == "Terminating"
        code, status = await api.call("POST", path, configmap("late"))
        assert code == 403
        assert "because it is being terminated" in status["message"]
        await api.merge(f"{path}/slow", {"metadata": {"finalizers": None}})
        await watch.until("DELETED", "team")
    assert (await api.get("/api/v1/namespaces/default"))["status"]["phase"] == "Active"


async def test_a_namespace_cannot_slip_away_from_its_contents(api: Any, configmap: Any) -> None:
    path = "/api/v1/namespaces/team"
    await api.create("/api/v1/namespaces", {"metadata": {"name": "team"}})
    await api.create(f"{path}/configmaps", configmap("slow", finalizers=["example.com/wait"]))
    await api.delete(path)
    kept = await api.merge(path, {"spec": {"finalizers": []}})
    assert kept["spec"]["finalizers"] == ["kubernetes"]
    kept["spec"]["finalizers"] = []
    await api.replace(f"{path}/finalize", kept)
    assert (await api.call("GET", path))[0] == 404


async def test_what_every_namespace_has_comes_back_when_it_is_deleted(api: Any) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    async with api.watch(accounts, resourceVersion="") as watch:
        first = await watch.until("ADDED", "default")
        await api.delete(f"{accounts}/default")
        again = await watch.until("ADDED", "default")
    assert again["metadata"]["uid"] != first["metadata"]["uid"]


async def test_the_default_namespace_cannot_be_deleted(api: Any) -> None:
    code, status = await api.call("DELETE", "/api/v1/namespaces/default")
    assert (code, status["reason"]) == (403, "Forbidden")


async def test_a_custom_kind_goes_with_all_its_objects(api: Any, widgets: str) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for name in "ab":
        await api.create(widgets, {"metadata": {"name": name}})
    async with api.watch(widgets) as watched, api.watch(crds) as watch:
        await api.delete(f"{crds}/widgets.example.com")
        await watch.until("DELETED", "widgets.example.com")
        for name in "ab":
            await watched.until("DELETED", name)
    assert (await api.call("GET", widgets))[0] == 404


async def test_a_job_deleted_without_a_word_about_its_pods_leaves_them(api: Any) -> None:
    jobs, pods = "/apis/batch/v1/namespaces/default/jobs", "/api/v1/namespaces/default/pods"
    spec = {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}
    job = await api.create(jobs, {"metadata": {"name": "j"}, "spec": {"template": {"spec": spec}}})
    references = [owner(job, controller=True, blockOwnerDeletion=True)]
    pod = {"metadata": {"name": "p", "ownerReferences": references}, "spec": spec}
    await api.create(pods, pod)
    async with api.watch(jobs) as watch:
        await api.delete(f"{jobs}/j")
        await watch.until("DELETED", "j")
    left = await api.get(f"{pods}/p")
    assert not left["metadata"].get("ownerReferences")
    assert "deletionTimestamp" not in left["metadata"]
