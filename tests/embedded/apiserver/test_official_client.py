"""The server as the official Python client sees it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes import aio
from kubernetes.aio.client.exceptions import ApiException

# Its annotations say of every field that it may be None; answers are checked here by using them.
client: Any = aio.client
make_watch: Any = aio.watch.Watch


@pytest.fixture
async def official(api: Any) -> AsyncIterator[Any]:
    configuration = client.Configuration()
    load: Any = aio.config.load_kube_config
    await load(str(api.endpoint.kubeconfig), client_configuration=configuration)
    async with client.ApiClient(configuration) as made:
        yield made


async def test_typed_objects_are_created_read_and_deleted(official: Any) -> None:
    core = client.CoreV1Api(official)
    container = client.V1Container(name="c", image="example/c")
    body = client.V1Pod(
        metadata=client.V1ObjectMeta(generate_name="p-"),
        spec=client.V1PodSpec(containers=[container]),
    )
    made = await core.create_namespaced_pod("default", body)
    listed = await core.list_namespaced_pod("default", label_selector="!x")
    assert [pod.metadata.name for pod in listed.items] == [made.metadata.name]
    assert listed.items[0].status.phase == "Pending"
    await core.delete_namespaced_pod(made.metadata.name, "default", grace_period_seconds=0)
    with pytest.raises(ApiException) as caught:
        await core.read_namespaced_pod(made.metadata.name, "default")
    assert caught.value.status == 404


@pytest.mark.usefixtures("widgets")
async def test_custom_objects_are_patched_and_watched(official: Any) -> None:
    custom = client.CustomObjectsApi(official)
    where = ("example.com", "v1", "default", "widgets")
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    await custom.create_namespaced_custom_object(*where, widget)
    patched = await custom.patch_namespaced_custom_object(
        *where, "a", {"spec": {"color": "blue"}}, _content_type="application/merge-patch+json"
    )
    assert patched["spec"]["color"] == "blue"
    async with asyncio.timeout(10), make_watch() as watching:
        listing = custom.list_namespaced_custom_object
        async for event in watching.stream(listing, *where, timeout_seconds=5):
            assert event["type"] == "ADDED"
            assert event["object"]["status"] == {"phase": "Pending"}
            break


async def test_access_and_tokens_are_reviewed(official: Any) -> None:
    core = client.CoreV1Api(official)
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=["nats"], expiration_seconds=600)
    )
    token = await core.create_namespaced_service_account_token("default", "default", request)
    review = client.V1TokenReview(
        spec=client.V1TokenReviewSpec(token=token.status.token, audiences=["nats"])
    )
    answer = await client.AuthenticationV1Api(official).create_token_review(review)
    assert answer.status.authenticated
    assert answer.status.user.username == "system:serviceaccount:default:default"
