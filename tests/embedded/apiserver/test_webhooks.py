"""Admission webhooks, over real HTTPS."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from sympozium_local.apiserver import pki

CONFIGS = "/apis/admissionregistration.k8s.io/v1"
ENDPOINTS = "/api/v1/namespaces/default/endpoints"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"

Decide = Callable[[dict[str, Any]], dict[str, Any]]


class Hook:
    """A webhook server. What it answers is up to the test."""

    def __init__(self) -> None:
        self.decide: Decide = lambda request: {"allowed": True}
        self.asked: list[dict[str, Any]] = []
        self.config: dict[str, Any] = {}
        self.status = 200

    async def handle(self, request: web.Request) -> web.Response:
        asked = (await request.json())["request"]
        self.asked.append(asked)
        response = {"uid": asked["uid"], **self.decide(asked)}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        return web.json_response(review | {"response": response}, status=self.status)

    def webhook(self, **more: Any) -> dict[str, Any]:
        """Return the entry of a configuration that leads here."""
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE", "DELETE"],
            "resources": ["configmaps"],
        }
        return {
            "name": "hook.example.com",
            "clientConfig": self.config,
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **more,
        }


@pytest.fixture
async def hook(tmp_path: Path) -> AsyncIterator[Hook]:
    keys = pki.load(tmp_path / "hook")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys.cert_file, keys.key_file)
    hook = Hook()
    app = web.Application()
    app.router.add_post("/review", hook.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    bundle = base64.b64encode(keys.ca_file.read_bytes()).decode()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/review"
    hook.config = {"url": url, "caBundle": bundle}
    yield hook
    await runner.cleanup()


async def install(api: Any, kind: str, webhook: dict[str, Any]) -> None:
    config = {"metadata": {"name": "hooks"}, "webhooks": [webhook]}
    await api.create(f"{CONFIGS}/{kind}webhookconfigurations", config)


async def test_a_refusal_is_passed_on_in_the_webhooks_words(
    api: Any, hook: Hook, configmap: Any
) -> None:
    hook.decide = lambda _: {"allowed": False, "status": {"message": "no", "code": 403}}
    await install(api, "validating", hook.webhook())
    code, status = await api.call("POST", CONFIGMAPS, configmap("a"))
    assert code == 403
    assert status["message"] == 'admission webhook "hook.example.com" denied the request: no'
    assert (await api.call("GET", f"{CONFIGMAPS}/a"))[0] == 404
    assert hook.asked[0]["operation"] == "CREATE"
    assert hook.asked[0]["userInfo"]["username"] == "kubernetes-admin"
    assert hook.asked[0]["object"]["metadata"]["name"] == "a"


async def test_a_mutating_webhook_changes_the_object(api: Any, hook: Hook, configmap: Any) -> None:
    patch = msgspec.json.encode([{"op": "add", "path": "/data/more", "value": "x"}])
    encoded = base64.b64encode(patch).decode()
    hook.decide = lambda _: {"allowed": True, "patchType": "JSONPatch", "patch": encoded}
    await install(api, "mutating", hook.webhook())
    made = await api.create(CONFIGMAPS, configmap("a", {"k": "v"}))
    assert made["data"] == {"k": "v", "more": "x"}


async def test_updates_and_deletions_show_the_old_object(
    api: Any, hook: Hook, configmap: Any
) -> None:
    await api.create(CONFIGMAPS, configmap("a", {"k": "1"}))
    await install(api, "validating", hook.webhook())
    await api.merge(f"{CONFIGMAPS}/a", {"data": {"k": "2"}})
    await api.delete(f"{CONFIGMAPS}/a")
    update, delete = hook.asked
    assert (update["operation"], update["oldObject"]["data"]["k"]) == ("UPDATE", "1")
    assert update["object"]["data"]["k"] == "2"
    assert (delete["operation"], delete["object"]) == ("DELETE", None)
    assert delete["oldObject"]["data"]["k"] == "2"


async def test_a_webhook_that_fails_refuses_unless_its_policy_is_to_ignore(
    api: Any, hook: Hook, configmap: Any
) -> None:
    hook.status = 500
    await install(api, "validating", hook.webhook())
    code, status = await api.call("POST", CONFIGMAPS, configmap("a"))
    assert code == 500
    assert 'failed calling webhook "hook.example.com"' in status["message"]
    path = f"{CONFIGS}/validatingwebhookconfigurations/hooks"
    await api.merge(path, {"webhooks": [hook.webhook(failurePolicy="Ignore")]})
    await api.create(CONFIGMAPS, configmap("a"))


async def test_one_that_is_frozen_among_those_behind_a_service_does_not_hold_up_every_try(
    api: Any, hook: Hook, configmap: Any
) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    frozen = await asyncio.start_server(never, "127.0.0.1", 0)
    ports = [frozen.sockets[0].getsockname()[1], int(hook.config["url"].split(":")[2][:-7])]
    subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": port}]} for port in ports]
    await api.create(ENDPOINTS, {"metadata": {"name": "kubernetes"}, "subsets": subsets})
    service = {"namespace": "default", "name": "kubernetes", "path": "/review"}
    config = {"service": service, "caBundle": hook.config["caBundle"]}
    await install(api, "validating", hook.webhook(clientConfig=config, timeoutSeconds=1))
    async with frozen:
        for _ in range(20):
            code, _ = await api.call("POST", CONFIGMAPS, configmap("a"))
            if code == 201:
                break
    assert code == 201


async def test_a_webhook_whose_certificate_is_not_trusted_is_not_asked(
    api: Any, hook: Hook, configmap: Any, data_dir: Path
) -> None:
    other = base64.b64encode((data_dir / "pki/ca.crt").read_bytes()).decode()
    hook.config["caBundle"] = other
    await install(api, "validating", hook.webhook())
    assert (await api.call("POST", CONFIGMAPS, configmap("a")))[0] == 500
    assert hook.asked == []


async def test_selectors_keep_a_webhook_from_what_does_not_concern_it(
    api: Any, hook: Hook, configmap: Any
) -> None:
    selector = {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}
    space = {"matchLabels": {"kubernetes.io/metadata.name": "default"}}
    webhook = hook.webhook(objectSelector=selector, namespaceSelector=space)
    await install(api, "validating", webhook)
    await api.create(CONFIGMAPS, configmap("a", labels={"skip": "1"}))
    await api.create("/api/v1/namespaces/kube-system/configmaps", configmap("b"))
    await api.create("/api/v1/namespaces/default/secrets", {"metadata": {"name": "c"}})
    await api.create(CONFIGMAPS, configmap("d"))
    assert [asked["name"] for asked in hook.asked] == ["d"]


async def test_taking_away_the_label_that_a_webhook_selects_by_does_not_evade_it(
    api: Any, hook: Hook, configmap: Any
) -> None:
    await api.create(CONFIGMAPS, configmap("a", labels={"checked": "yes"}))
    await install(
        api, "validating", hook.webhook(objectSelector={"matchLabels": {"checked": "yes"}})
    )
    await api.merge(f"{CONFIGMAPS}/a", {"metadata": {"labels": None}})
    assert [asked["operation"] for asked in hook.asked] == ["UPDATE"]


async def test_a_webhook_that_wants_to_is_asked_again_after_another_changed_the_object(
    api: Any, hook: Hook, configmap: Any
) -> None:
    def add(asked: dict[str, Any]) -> dict[str, Any]:
        number = str(len(asked["object"].get("data") or {}))
        operations = [{"op": "add", "path": f"/data/n{number}", "value": "x"}]
        patch = base64.b64encode(msgspec.json.encode(operations)).decode()
        return {"allowed": True, "patchType": "JSONPatch", "patch": patch}

    hook.decide = add
    first = hook.webhook(reinvocationPolicy="IfNeeded")
    config = {
        "metadata": {"name": "hooks"},
        "webhooks": [first, hook.webhook(name="second.example.com")],
    }
    await api.create(f"{CONFIGS}/mutatingwebhookconfigurations", config)
    made = await api.create(CONFIGMAPS, configmap("a", {"n": "x"}))
    assert sorted(made["data"]) == ["n", "n1", "n2", "n3"]


async def test_a_dry_run_does_not_reach_a_webhook_with_side_effects(
    api: Any, hook: Hook, configmap: Any
) -> None:
    await install(api, "validating", hook.webhook(sideEffects="Some"))
    code, status = await api.call("POST", f"{CONFIGMAPS}?dryRun=All", configmap("a"))
    assert code == 400
    assert "does not support dry run" in status["message"]
    assert hook.asked == []


async def test_a_warning_of_a_webhook_reaches_the_client(
    api: Any, hook: Hook, configmap: Any
) -> None:
    hook.decide = lambda _: {"allowed": True, "warnings": ["mind the gap"]}
    await install(api, "validating", hook.webhook())
    url = api.endpoint.url + CONFIGMAPS
    async with api.session.post(url, json=configmap("a"), headers=api.headers(None)) as answer:
        assert answer.headers["Warning"] == '299 - "mind the gap"'


async def test_what_is_not_served_of_a_webhook_is_refused(api: Any, hook: Hook) -> None:
    webhook = hook.webhook(matchConditions=[{"name": "x", "expression": "true"}])
    config = {"metadata": {"name": "hooks"}, "webhooks": [webhook]}
    code, status = await api.call("POST", f"{CONFIGS}/validatingwebhookconfigurations", config)
    assert code == 422
    assert "webhooks[0].matchConditions: Forbidden" in status["message"]


async def test_a_write_that_raced_past_a_slow_webhook_is_judged_anew(
    api: Any, hook: Hook, configmap: Any
) -> None:
    await api.create(CONFIGMAPS, configmap("a", {"n": "0"}))
    seen: list[str] = []

    def decide(asked: dict[str, Any]) -> dict[str, Any]:
        seen.append(asked["oldObject"]["metadata"]["resourceVersion"])
        return {"allowed": True}

    hook.decide = decide
    await install(api, "validating", hook.webhook())
    async with api.watch(CONFIGMAPS, resourceVersion="") as watch:
        await api.merge(f"{CONFIGMAPS}/a", {"data": {"x": "1"}})
        await api.merge(f"{CONFIGMAPS}/a", {"data": {"y": "2"}})
        await watch.until("MODIFIED", "a")
        last = await watch.until("MODIFIED", "a")
    assert last["data"] == {"n": "0", "x": "1", "y": "2"}
    assert len(set(seen)) == len(seen)
