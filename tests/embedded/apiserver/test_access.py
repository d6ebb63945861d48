"""Who is let in, as whom, and what they may do."""

import time
from typing import Any

import jwt
import pytest

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
PODS = "/api/v1/namespaces/default/pods"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1"
BOT = "system:serviceaccount:default:bot"


def pod(name: str, account: str = "bot") -> dict[str, Any]:
    spec = {"serviceAccountName": account, "containers": [{"name": "c", "image": "i"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def token_of(api: Any, account: str, **spec: Any) -> str:
    request = {"spec": spec}
    answer = await api.create(f"{ACCOUNTS}/{account}/token", request)
    return str(answer["status"]["token"])


@pytest.fixture
async def bot(api: Any) -> str:
    """A ServiceAccount without any right; its token."""
    await api.create(ACCOUNTS, {"metadata": {"name": "bot"}})
    return await token_of(api, "bot")


async def grant(api: Any, *rules: dict[str, Any], name: str = "grant") -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": "bot", "namespace": "default"}
    await api.create(ROLES, {"metadata": {"name": name}, "rules": list(rules)})
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    await api.create(BINDINGS, binding)


def rule(verbs: str, resources: str, *names: str, group: str = "") -> dict[str, Any]:
    more = {"resourceNames": list(names)} if names else {}
    return {
        "apiGroups": [group],
        "resources": resources.split(),
        "verbs": verbs.split(),
        **more,
    }


async def test_without_a_token_only_health_and_version_are_answered(api: Any) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        async with api.session.get(api.endpoint.url + path) as answer:
            assert answer.status == 200
    code, status = await api.call("GET", PODS, token="")
    assert (code, status["reason"]) == (403, "Forbidden")
    assert 'User "system:anonymous" cannot list resource "pods"' in status["message"]
    assert (await api.call("GET", "/api", token=""))[0] == 403


async def test_a_token_that_is_none_is_unauthorized(api: Any) -> None:
    for token in ("x", "a.b.c", jwt.encode({"sub": BOT}, "k" * 32, algorithm="HS256")):
        code, status = await api.call("GET", PODS, token=token)
        assert (code, status["reason"], status["message"]) == (401, "Unauthorized", "Unauthorized")


async def test_an_unsigned_token_is_unauthorized(api: Any, bot: str) -> None:
    claims = jwt.decode(bot, options={"verify_signature": False})
    forged = jwt.encode(claims, "", algorithm="none")
    assert (await api.call("GET", PODS, token=forged))[0] == 401


async def test_a_service_account_may_nothing_but_look_around(api: Any, bot: str) -> None:
    code, status = await api.call("GET", f"{PODS}/a", token=bot)
    assert code == 403
    assert status["message"] == (
        f'pods "a" is forbidden: User "{BOT}" cannot get resource "pods" in API group "" '
        'in the namespace "default"'
    )
    code, status = await api.call("GET", "/api/v1/nodes", token=bot)
    assert status["message"] == (
        f'nodes is forbidden: User "{BOT}" cannot list resource "nodes" in API group "" '
        "at the cluster scope"
    )
    assert (await api.call("GET", "/apis", token=bot))[0] == 200


async def test_a_role_grants_what_it_says_and_no_more(api: Any, bot: str, configmap: Any) -> None:
    await api.create(CONFIGMAPS, configmap("a"))
    await api.create(CONFIGMAPS, configmap("b"))
    await grant(api, rule("get", "configmaps", "a"))
    assert (await api.call("GET", f"{CONFIGMAPS}/a", token=bot))[0] == 200
    assert (await api.call("GET", f"{CONFIGMAPS}/b", token=bot))[0] == 403
    assert (await api.call("GET", CONFIGMAPS, token=bot))[0] == 403
    assert (await api.call("DELETE", f"{CONFIGMAPS}/a", token=bot))[0] == 403
    other = "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt"
    assert (await api.call("GET", other, token=bot))[0] == 403


async def test_a_grant_that_is_taken_back_ends_at_once(api: Any, bot: str) -> None:
    await grant(api, rule("list", "configmaps"))
    assert (await api.call("GET", CONFIGMAPS, token=bot))[0] == 200
    await api.delete(f"{BINDINGS}/grant")
    assert (await api.call("GET", CONFIGMAPS, token=bot))[0] == 403


async def test_a_subresource_is_a_right_of_its_own(api: Any, bot: str) -> None:
    await api.create(PODS, pod("a"))
    await grant(api, rule("get list patch", "pods"))
    code, status = await api.call("GET", f"{PODS}/a/log", token=bot)
    assert code == 403
    assert 'cannot get resource "pods/log"' in status["message"]
    body = {"status": {"phase": "Running"}}
    merge = "application/merge-patch+json"
    path = f"{PODS}/a/status"
    assert (await api.call("PATCH", path, body, token=bot, content_type=merge))[0] == 403


async def test_nobody_grants_what_he_does_not_hold(api: Any, bot: str) -> None:
    await grant(
        api,
        rule("get", "configmaps"),
        rule("create", "roles rolebindings", group="rbac.authorization.k8s.io"),
    )
    own = {"metadata": {"name": "fine"}, "rules": [rule("get", "configmaps", "one")]}
    assert (await api.call("POST", ROLES, own, token=bot))[0] == 201
    more = {"metadata": {"name": "more"}, "rules": [rule("get delete", "configmaps")]}
    code, status = await api.call("POST", ROLES, more, token=bot)
    assert code == 403
    assert "is attempting to grant RBAC permissions not currently held" in status["message"]
    assert 'Resources:["configmaps"], Verbs:["delete"]' in status["message"]
    reference = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "cluster-admin",
    }
    subject = {"kind": "ServiceAccount", "name": "bot", "namespace": "default"}
    binding = {"metadata": {"name": "up"}, "roleRef": reference, "subjects": [subject]}
    assert (await api.call("POST", BINDINGS, binding, token=bot))[0] == 403


async def test_edit_holds_what_is_aggregated_into_it(api: Any, bot: str, configmap: Any) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    subject = {"kind": "ServiceAccount", "name": "bot", "namespace": "default"}
    binding = {"metadata": {"name": "edit"}, "roleRef": reference, "subjects": [subject]}
    await api.create(BINDINGS, binding)
    assert (await api.call("POST", CONFIGMAPS, configmap("a"), token=bot))[0] == 201
    assert (await api.call("GET", ROLES, token=bot))[0] == 403


async def test_applying_a_new_object_needs_the_right_to_create(
    api: Any, bot: str, configmap: Any
) -> None:
    await grant(api, rule("patch get", "configmaps"))
    body = {"apiVersion": "v1", "kind": "ConfigMap", **configmap("a")}
    path = f"{CONFIGMAPS}/a?fieldManager=me"
    kind = "application/apply-patch+yaml"
    code, status = await api.call("PATCH", path, body, token=bot, content_type=kind)
    assert code == 403
    assert "cannot create resource" in status["message"]


async def test_a_token_dies_with_its_account(api: Any, bot: str) -> None:
    await grant(api, rule("list", "configmaps"))
    assert (await api.call("GET", CONFIGMAPS, token=bot))[0] == 200
    await api.delete(f"{ACCOUNTS}/bot")
    assert (await api.call("GET", CONFIGMAPS, token=bot))[0] == 401
    await api.create(ACCOUNTS, {"metadata": {"name": "bot"}})
    assert (await api.call("GET", CONFIGMAPS, token=bot))[0] == 401


@pytest.mark.usefixtures("bot")
async def test_a_token_bound_to_a_pod_says_so_and_dies_with_it(api: Any) -> None:
    made = await api.create(PODS, pod("p"))
    uid = made["metadata"]["uid"]
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": uid}
    token = await token_of(api, "bot", boundObjectRef=reference, audiences=["nats"])
    review = {"spec": {"token": token, "audiences": ["nats", "other"]}}
    status = (await api.create(REVIEWS, review))["status"]
    assert status["authenticated"] is True
    assert status["audiences"] == ["nats"]
    assert status["user"]["username"] == BOT
    assert "system:serviceaccounts:default" in status["user"]["groups"]
    extra = status["user"]["extra"]
    assert extra["authentication.kubernetes.io/pod-name"] == ["p"]
    assert extra["authentication.kubernetes.io/pod-uid"] == [uid]
    await api.delete(f"{PODS}/p?gracePeriodSeconds=0")
    status = (await api.create(REVIEWS, review))["status"]
    assert not status.get("authenticated")


async def test_a_token_for_another_audience_does_not_open_the_api(api: Any, bot: str) -> None:
    other = await token_of(api, "bot", audiences=["nats"])
    assert (await api.call("GET", "/api", token=bot))[0] == 200
    assert (await api.call("GET", "/api", token=other))[0] == 401
    review = {"spec": {"token": other}}
    assert not (await api.create(REVIEWS, review))["status"].get("authenticated")


async def test_an_expired_token_is_unauthorized(api: Any, bot: str, data_dir: Any) -> None:
    claims = jwt.decode(bot, options={"verify_signature": False})
    key = (data_dir / "pki/service-accounts.key").read_text().strip()
    old = jwt.encode(claims | {"exp": int(time.time()) - 1}, key, algorithm="HS256")
    assert (await api.call("GET", "/api", token=old))[0] == 401


@pytest.mark.usefixtures("bot")
async def test_a_token_is_not_given_for_less_than_ten_minutes(api: Any) -> None:
    request = {"spec": {"expirationSeconds": 60}}
    code, status = await api.call("POST", f"{ACCOUNTS}/bot/token", request)
    assert code == 422
    assert "may not specify a duration less than 10 minutes" in status["message"]


@pytest.mark.usefixtures("bot")
async def test_a_token_is_not_bound_to_a_pod_of_another_account(api: Any) -> None:
    await api.create(PODS, pod("p", "default"))
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "p"}
    request = {"spec": {"boundObjectRef": reference}}
    assert (await api.call("POST", f"{ACCOUNTS}/bot/token", request))[0] == 400


async def test_access_reviews_answer_as_the_server_would(api: Any, bot: str) -> None:
    await grant(api, rule("get", "pods"))
    attributes = {"namespace": "default", "verb": "get", "resource": "pods", "name": "x"}
    body = {"spec": {"user": BOT, "resourceAttributes": attributes}}
    review = await api.create(f"{ACCESS}/subjectaccessreviews", body)
    assert review["status"]["allowed"] is True
    body["spec"]["resourceAttributes"] = attributes | {"verb": "delete"}
    review = await api.create(f"{ACCESS}/subjectaccessreviews", body)
    assert review["status"]["allowed"] is False
    own = {"spec": {"resourceAttributes": attributes}}
    _, review = await api.call("POST", f"{ACCESS}/selfsubjectaccessreviews", own, token=bot)
    assert review["status"]["allowed"] is True
    local = f"{ACCESS}/namespaces/default/localsubjectaccessreviews"
    body = {"spec": {"user": BOT, "resourceAttributes": attributes}}
    assert (await api.create(local, body))["status"]["allowed"] is True
    rules = {"spec": {"namespace": "default"}}
    _, review = await api.call("POST", f"{ACCESS}/selfsubjectrulesreviews", rules, token=bot)
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]} in review["status"][
        "resourceRules"
    ]


async def test_acting_as_another_takes_the_right_to(api: Any, bot: str) -> None:
    await grant(api, rule("list", "configmaps"))
    url = api.endpoint.url + CONFIGMAPS
    headers = api.headers(None) | {"Impersonate-User": BOT}
    async with api.session.get(url, headers=headers) as answer:
        assert answer.status == 200
    async with api.session.get(api.endpoint.url + PODS, headers=headers) as answer:
        assert answer.status == 403
    headers = api.headers(bot) | {"Impersonate-User": "kubernetes-admin"}
    async with api.session.get(url, headers=headers) as answer:
        assert answer.status == 403
        message = (await answer.json())["message"]
    assert 'cannot impersonate resource "users"' in message


async def test_the_kubelet_and_the_controllers_have_their_own_rights(
    api: Any, data_dir: Any
) -> None:
    tokens = {name: (data_dir / "tokens" / name).read_text() for name in ("kubelet", "admin")}
    made = await api.create(PODS, pod("a", "default"))
    status = {**made, "status": made["status"] | {"phase": "Running"}}
    kubelet = tokens["kubelet"]
    assert (await api.call("PUT", f"{PODS}/a/status", status, token=kubelet))[0] == 200
    assert (await api.call("POST", PODS, pod("b", "default"), token=kubelet))[0] == 403
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    assert (await api.call("DELETE", f"{roles}/edit", token=kubelet))[0] == 403
