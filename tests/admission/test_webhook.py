"""The webhook as the API server meets it: over HTTPS, behind a Service, by several controllers."""

import asyncio
import base64
import json
import ssl

import aiohttp
import pytest

from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    SECRETS,
    VALIDATING_WEBHOOKS,
    Object,
)
from sympozium_controller.admission.keeping import WEBHOOK
from tests.admission import objects
from tests.admission.calling import ROUTER, Answer
from tests.admission.rules import SPACE
from tests.admission.webhooks import SYSTEM, WAIT_S, Installation, Served, configuration


async def create(given: Installation, name: str, **spec: object) -> Answer:
    """Create a run as the router does, of what the Agent has unless *spec* says more."""
    run = objects.run(SPACE, name)
    run["spec"] |= spec
    return await given.caller.acting_as(ROUTER).create(AGENT_RUNS, run, dry_run=True)


async def until_allowed(given: Installation) -> None:
    """Create until it is allowed."""
    async with asyncio.timeout(WAIT_S):
        while (await create(given, "again")).code != 201:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_a_run_is_allowed_what_its_agent_allows_and_no_more(
    installation: Installation,
) -> None:
    async with installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        refused = await create(installation, "a")
        assert refused.code == 403
        assert 'admission webhook "runs.sympozium.ai" denied the request: ' in refused.message
        assert "there is no Agent 'helper' in namespace 'default'" in refused.message
        await installation.admin.create(AGENTS, objects.agent(SPACE))
        assert (await create(installation, "a")).code == 201
        longer = await create(installation, "a", timeout="1h")
        assert "works no longer than 5m" in longer.message


@pytest.mark.parametrize(
    "name", ["../../theirs/agents/helper", "helper/status", "..", "helper?x=1"]
)
async def test_an_agent_of_another_namespace_is_no_agent_of_ones_own(
    installation: Installation, name: str
) -> None:
    space = {"metadata": {"name": "theirs", "labels": {"sympozium.ai/tenant": "true"}}}
    await installation.caller.call("POST", "/api/v1/namespaces", space)
    await installation.admin.create(AGENTS, objects.agent("theirs"))
    async with installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        answer = await create(installation, "a", agentRef=name)
        assert answer.code in {403, 422}
        metadata = {"name": "a", "namespace": SPACE}
        plain = {"metadata": metadata, "spec": {"agentRef": name, "task": "x"}}
        answer = await installation.caller.create(AGENT_RUNS, plain, dry_run=True)
        assert answer.code == 403
        assert "there is no Agent" in answer.message


async def test_a_model_that_a_channel_offers_may_be_used(installation: Installation) -> None:
    await installation.admin.create(AGENTS, objects.agent(SPACE))
    channel: Object = {
        "apiVersion": CHANNELS.api_version,
        "kind": CHANNELS.kind,
        "metadata": {"name": "web", "namespace": SPACE},
        "spec": {"type": "web", "agentRef": "helper", "models": ["larger"]},
    }
    await installation.admin.create(CHANNELS, channel)
    async with installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        model = {"model": "larger", "provider": "openai"}
        async with asyncio.timeout(WAIT_S):  # its copy of the Channel may come a moment later
            while (await create(installation, "a", model=model)).code != 201:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        dearer = await create(installation, "a", model={**model, "model": "dearest"})
        assert "does not use model 'dearest'" in dearer.message


async def test_without_a_controller_nothing_is_admitted_unchecked(
    installation: Installation,
) -> None:
    await installation.admin.create(AGENTS, objects.agent(SPACE))
    async with installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        assert (await create(installation, "a")).code == 201
    answer = await create(installation, "a")  # nobody listens there any more
    assert answer.code == 500
    assert 'failed calling webhook "runs.sympozium.ai"' in answer.message
    await installation.lead_to()
    assert (await create(installation, "a")).code == 500
    async with installation.controller() as served:
        await installation.lead_to(served)
        await until_allowed(installation)


async def test_what_cannot_be_looked_up_is_neither_allowed_nor_denied_for_good(
    installation: Installation,
) -> None:
    space = {"metadata": {"name": "new", "labels": {"sympozium.ai/tenant": "true"}}}
    await installation.caller.call("POST", "/api/v1/namespaces", space)
    async with installation.controller() as served:  # it has no rights there yet
        await installation.lead_to(served)
        await served.ready()
        answer = await installation.caller.create(AGENT_RUNS, objects.run("new", "a"), dry_run=True)
        assert answer.code == 500
        assert "the server answered 503" in answer.message


async def test_two_controllers_agree_on_one_certificate(installation: Installation) -> None:
    await installation.admin.create(AGENTS, objects.agent(SPACE))
    async with installation.controller() as one, installation.controller() as other:
        await one.ready()
        await other.ready()
        for served in (one, other):
            await installation.lead_to(served)
            await until_allowed(installation)
        data = await installation.secret()
        assert data["ca.crt"] == await installation.bundle()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"data": None},
        {"data": {"tls.crt": base64.b64encode(b"no certificate").decode()}},
        {"data": {"tls.key": None}},
        {"data": {"ca.crt": ""}},
    ],
)
async def test_a_certificate_that_somebody_broke_is_made_anew(
    installation: Installation, spoilt: Object
) -> None:
    await installation.admin.create(AGENTS, objects.agent(SPACE))
    async with installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        before = await installation.bundle()
        await installation.admin.patch(SECRETS, SYSTEM, WEBHOOK, spoilt)
        async with asyncio.timeout(WAIT_S):
            while await installation.bundle() == before:  # noqa: ASYNC110 - another task
                await asyncio.sleep(0.05)
        await until_allowed(installation)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("caBundle", ""),
        ("caBundle", base64.b64encode(b"-----").decode()),
        ("service/path", "/elsewhere"),
    ],
)
async def test_whom_to_ask_and_to_trust_is_said_again_after_somebody_changed_it(
    installation: Installation, field: str, value: str
) -> None:
    await installation.admin.create(AGENTS, objects.agent(SPACE))
    async with installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        await until_allowed(installation)
        path = f"/webhooks/0/clientConfig/{field}"
        operation = {"op": "replace", "path": path, "value": value}
        await installation.admin.patch(VALIDATING_WEBHOOKS, None, WEBHOOK, [operation])
        await until_allowed(installation)


async def test_a_configuration_that_is_installed_again_is_filled_in_again(
    installation: Installation,
) -> None:
    await installation.admin.create(AGENTS, objects.agent(SPACE))
    async with installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        await installation.admin.delete(VALIDATING_WEBHOOKS, None, WEBHOOK)
        await installation.admin.create(VALIDATING_WEBHOOKS, configuration())
        await until_allowed(installation)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[" * 100_000,
        b'{"request": {"uid": "1", "object": {"spec": {"agentRef": 1}}}}',
        b'{"request": {"uid": "1", "namespace": "x", "object": {"spec": {"agentRef": "y"}}}}',
        b"\xff\xfe",
    ],
)
async def test_what_is_no_review_is_refused_and_the_next_is_answered(
    installation: Installation, body: bytes
) -> None:
    await installation.admin.create(AGENTS, objects.agent(SPACE))
    async with installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        assert await posted(installation, served, await installation.path(), body) == 400
        await until_allowed(installation)


async def posted(installation: Installation, served: Served, path: str, body: bytes) -> int:
    """Post to the webhook as any program of the cluster can; return the answer's status."""
    trusted = base64.b64decode(await installation.bundle()).decode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"https://127.0.0.1:{served.port}{path}",
            data=body,
            ssl=ssl.create_default_context(cadata=trusted),
            server_hostname=f"{WEBHOOK}.{SYSTEM}.svc",
        ) as answer,
    ):
        return answer.status


async def test_whoever_is_not_told_where_to_ask_is_told_nothing(
    installation: Installation,
) -> None:
    run = objects.run(SPACE, "a")
    review = {"request": {"uid": "1", "namespace": SPACE, "object": run}}
    async with installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        told = await installation.path()
        body = json.dumps(review).encode()
        assert await posted(installation, served, told, body) == 200
        for path in ("", "/", "/validate/agentruns", "/validate/agentruns/", told[:-1], f"{told}x"):
            assert await posted(installation, served, path, body) == 404, path
