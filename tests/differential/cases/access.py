"""Who may: RBAC, reviews, impersonation and tokens."""

import base64
import json
from typing import Any

from tests.differential.case import Object, Sitting, case
from tests.differential.cases.objects import config
from tests.differential.kinds import V1

RBAC = "rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


def _user(name: str) -> dict[str, str]:
    return {"Impersonate-User": name}


async def _allow(s: Sitting, name: str, *rules: Object, user: str = "eva") -> None:
    await s.ask("POST", s.path("roles", RBAC), {"metadata": {"name": name}, "rules": list(rules)})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    await s.ask("POST", s.path("rolebindings", RBAC), binding)
    while (await s.ask("GET", s.path("configmaps"), **_user(user)))[0] != 200:
        await s.pause()  # the real authorizer hears of bindings by a watch


def _rule(*verbs: str, resources: list[str], groups: str = "", **more: Any) -> Object:
    return {"verbs": list(verbs), "resources": resources, "apiGroups": [groups], **more}


@case()
async def nobody_may_anything(s: Sitting) -> None:
    eva = _user("eva-without-rights")
    maps = s.path("configmaps")
    await s.do("GET", maps, **eva)
    await s.do("GET", f"{maps}/a", **eva)
    await s.do("POST", maps, config("a"), **eva)
    await s.do("DELETE", f"{maps}/a", **eva)
    await s.do("DELETE", maps, **eva)
    await s.do("GET", f"{maps}?watch=true", **eva)
    await s.do("PATCH", s.path("widgets", V1) + "/a/status", {}, **eva)
    await s.do("GET", s.path("nodes", namespace=""), **eva)
    await s.do("GET", s.path("pods") + "/x/log", **eva)
    await s.do("GET", "/metrics", **eva)
    await s.do("GET", s.path("nothings"), **eva)


@case()
async def paths_for_everybody(s: Sitting) -> None:
    for path in ("/version", "/healthz", "/livez", "/readyz", "/api", "/apis"):
        status = (await s.ask("GET", path, **_user("eva-without-rights")))[0]
        s.say(path, status)


@case()
async def no_token_and_bad_tokens(s: Sitting) -> None:
    for value in ("Bearer nonsense", "Bearer a.b.c", "Basic abc", ""):
        status, _, answer = await s.ask("GET", s.path("configmaps"), Authorization=value)
        s.say(value, [status, answer])


@case()
async def rights_in_a_role(s: Sitting) -> None:
    maps, eva = s.path("configmaps"), _user("eva")
    await _allow(s, "r", _rule("get", "list", resources=["configmaps"]))
    await s.do("GET", maps + "?fieldSelector=metadata.name=none", **eva)
    await s.do("POST", maps, config("a"), **eva)
    await s.do("GET", s.path("configmaps", namespace="default"), **eva)
    await s.do("GET", s.path("secrets"), **eva)
    await s.do("GET", maps + "?watch=true", **eva)


@case()
async def rights_by_name(s: Sitting) -> None:
    maps, eva = s.path("configmaps"), _user("eva")
    for name in "ab":
        await s.ask("POST", maps, config(name))
    rules = [_rule("get", "patch", resources=["configmaps"], resourceNames=["a"])]
    await _allow(s, "r", *rules, _rule("list", resources=["configmaps"]))
    for name in "ab":
        status, _, answer = await s.ask("GET", f"{maps}/{name}", **eva)
        s.say(name, [status, answer.get("message")])
    status, _, answer = await s.ask("DELETE", f"{maps}/a", **eva)
    s.say("delete", [status, answer.get("message")])


@case()
async def list_by_name(s: Sitting) -> None:
    maps, eva = s.path("configmaps"), _user("eva")
    await s.ask("POST", maps, config("a"))
    await _allow(
        s,
        "r",
        _rule("list", "watch", resources=["secrets"], resourceNames=["a"]),
        _rule("list", resources=["configmaps"]),
    )
    await s.do("GET", s.path("secrets") + "?fieldSelector=metadata.name=a", **eva)
    await s.do("GET", s.path("secrets"), **eva)


@case()
async def rights_on_subresources(s: Sitting) -> None:
    widgets, eva = s.path("widgets", V1), _user("eva")
    await s.ask("POST", widgets, {"apiVersion": V1, "kind": "Widget", "metadata": {"name": "a"}})
    await _allow(
        s,
        "r",
        _rule("patch", resources=["widgets/status"], groups="diff.example.com"),
        _rule("get", resources=["*/scale"], groups="*"),
        _rule("list", resources=["configmaps"]),
    )
    merge = {"Content-Type": "application/merge-patch+json"}
    for method, path in (
        ("PATCH", f"{widgets}/a/status"),
        ("PATCH", f"{widgets}/a"),
        ("GET", f"{widgets}/a/scale"),
    ):
        status, _, answer = await s.ask(
            method, path, {} if method == "PATCH" else None, **eva, **merge
        )
        s.say(f"{method} {path}", [status, answer.get("message", "")])


@case()
async def wildcards(s: Sitting) -> None:
    eva = _user("eva")
    await _allow(s, "r", {"verbs": ["*"], "resources": ["*"], "apiGroups": [""]})
    for path in (s.path("secrets"), s.path("jobs", "batch/v1"), s.path("pods") + "/x/log"):
        s.say(path, (await s.ask("GET", path, **eva))[0])


@case()
async def nobody_gives_what_he_has_not(s: Sitting) -> None:
    eva = _user("eva")
    await _allow(
        s,
        "r",
        _rule("list", resources=["configmaps"]),
        _rule("create", resources=["roles", "rolebindings"], groups="rbac.authorization.k8s.io"),
    )
    more = {"metadata": {"name": "more"}, "rules": [_rule("get", resources=["secrets"])]}
    await s.do("POST", s.path("roles", RBAC), more, **eva)
    same = {"metadata": {"name": "same"}, "rules": [_rule("list", resources=["configmaps"])]}
    s.say("a role of the same", (await s.ask("POST", s.path("roles", RBAC), same, **eva))[0])
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "admin",
        },
    }
    status, _, answer = await s.ask("POST", s.path("rolebindings", RBAC), binding, **eva)
    s.say("binding an administrator", [status, answer.get("reason")])
    missing = {**binding, "roleRef": {**binding["roleRef"], "name": "there-is-none"}}
    await s.do("POST", s.path("rolebindings", RBAC), missing, **eva)


@case()
async def apply_needs_patch_and_create(s: Sitting) -> None:
    eva = {**_user("eva"), "Content-Type": "application/apply-patch+yaml"}
    await _allow(s, "r", _rule("list", "patch", resources=["configmaps"]))
    await s.do("PATCH", s.path("configmaps") + "/a?fieldManager=x", config("a"), **eva)


@case()
async def reviews_of_a_user(s: Sitting) -> None:
    await _allow(s, "r", _rule("get", "list", resources=["configmaps"]))
    for attributes in (
        {"verb": "get", "resource": "configmaps", "namespace": s.namespace},
        {"verb": "delete", "resource": "configmaps", "namespace": s.namespace},
        {"verb": "get", "resource": "configmaps"},
        {"verb": "get", "resource": "configmaps", "namespace": s.namespace, "name": "x"},
        {"verb": "get", "resource": "pods", "subresource": "log", "namespace": s.namespace},
    ):
        spec = {"user": "eva", "resourceAttributes": attributes}
        await s.post(f"{REVIEWS}/subjectaccessreviews", {"spec": spec})
        local = s.path("localsubjectaccessreviews", "authorization.k8s.io/v1")
        await s.post(local, {"metadata": {"namespace": s.namespace}, "spec": spec})
    await s.post(f"{REVIEWS}/subjectaccessreviews", {"spec": {"user": "eva"}})
    await s.post(
        f"{REVIEWS}/subjectaccessreviews", {"spec": {"resourceAttributes": {"verb": "get"}}}
    )
    path = {"path": "/healthz", "verb": "get"}
    await s.post(
        f"{REVIEWS}/subjectaccessreviews",
        {
            "spec": {
                "user": "eva",
                "groups": ["system:authenticated"],
                "nonResourceAttributes": path,
            }
        },
    )


@case()
async def reviews_of_oneself(s: Sitting) -> None:
    await _allow(s, "r", _rule("get", "list", resources=["configmaps"]))
    for verb in ("get", "delete"):
        attributes = {"verb": verb, "resource": "configmaps", "namespace": s.namespace}
        await s.post(
            f"{REVIEWS}/selfsubjectaccessreviews",
            {"spec": {"resourceAttributes": attributes}},
            **_user("eva"),
        )
    await s.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, **_user("eva"))
    answer = (
        await s.ask(
            "POST",
            f"{REVIEWS}/selfsubjectrulesreviews",
            {"spec": {"namespace": s.namespace}},
            **_user("eva"),
        )
    )[2]
    s.say("rules", answer["status"]["resourceRules"])
    await s.get(f"{REVIEWS}/selfsubjectaccessreviews")


@case()
async def impersonation(s: Sitting) -> None:
    maps = s.path("configmaps")
    await s.do("GET", maps, **{"Impersonate-Group": "x"})
    account = f"system:serviceaccount:{s.namespace}:default"
    answer = (
        await s.ask(
            "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, **_user(account)
        )
    )[2]
    s.say("as an account", answer.get("status"))
    answer = (
        await s.ask(
            "POST",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            {},
            **_user("eva"),
            **{"Impersonate-Group": "g"},
        )
    )[2]
    s.say("as a user of a group", answer.get("status"))


def _claims(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _plain(claims: Any) -> Any:
    """Return *claims* without what a clock says, and with what it says of lengths of time."""
    times = {"iat", "nbf", "exp", "warnafter"}
    rest = {key: value for key, value in claims.items() if key not in times}
    inner = claims.get("kubernetes.io", {})
    rest["kubernetes.io"] = {key: value for key, value in inner.items() if key != "warnafter"}
    return {**rest, "lives": claims["exp"] - claims["iat"]}


@case()
async def token_of_an_account(s: Sitting) -> None:
    path = s.path("serviceaccounts") + "/default/token"
    spec = {"audiences": ["nats"], "expirationSeconds": 600}
    answer = await s.post(path, {"spec": spec})
    s.say("claims", _plain(_claims(answer["status"]["token"])))
    for audiences in (["nats"], ["other"], ["other", "nats"], None):
        body = {
            "spec": {
                "token": answer["status"]["token"],
                **({"audiences": audiences} if audiences else {}),
            }
        }
        await s.post(TOKEN_REVIEWS, body)


@case()
async def token_for_the_api(s: Sitting) -> None:
    path = s.path("serviceaccounts") + "/default/token"
    answer = (await s.ask("POST", path, {"spec": {}}))[2]
    token = answer["status"]["token"]
    s.say("spec", {key: value for key, value in answer["spec"].items() if key != "audiences"})
    await s.post(TOKEN_REVIEWS, {"spec": {"token": token}})
    bearer = {"Authorization": f"Bearer {token}"}
    status, _, answer = await s.ask("GET", s.path("configmaps"), **bearer)
    s.say("with it", [status, answer.get("message")])
    narrow = (await s.ask("POST", path, {"spec": {"audiences": ["nats"]}}))[2]["status"]["token"]
    bearer = {"Authorization": f"Bearer {narrow}"}
    status, _, answer = await s.ask("GET", s.path("configmaps"), **bearer)
    s.say("with one for others", [status, answer.get("message")])


@case()
async def tokens_that_are_refused(s: Sitting) -> None:
    path = s.path("serviceaccounts")
    await s.post(f"{path}/default/token", {"spec": {"expirationSeconds": 5}})
    await s.post(f"{path}/default/token", {"spec": {"expirationSeconds": 2**33}})
    await s.post(f"{path}/nobody/token", {"spec": {}})
    await s.post(
        f"{path}/default/token",
        {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "none"}}},
    )
    await s.post(
        f"{path}/default/token",
        {"spec": {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "x"}}},
    )
    await s.get(f"{path}/default/token")


@case()
async def token_bound_to_a_pod(s: Sitting) -> None:
    gate = {
        "schedulingGates": [{"name": "example.com/no"}],
        "containers": [{"name": "m", "image": "a:1"}],
    }
    pod = (await s.ask("POST", s.path("pods"), {"metadata": {"name": "p"}, "spec": gate}))[2]
    path = s.path("serviceaccounts")
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod["metadata"]["uid"]}
    spec = {"audiences": ["nats"], "expirationSeconds": 600, "boundObjectRef": bound}
    answer = await s.post(f"{path}/default/token", {"spec": spec})
    token = answer["status"]["token"]
    s.say("claims", _plain(_claims(token)))
    review = {"spec": {"token": token, "audiences": ["nats"]}}
    await s.post(TOKEN_REVIEWS, review)
    wrong = {**bound, "uid": "00000000-0000-0000-0000-000000000000"}
    await s.post(f"{path}/default/token", {"spec": {**spec, "boundObjectRef": wrong}})
    await s.ask("POST", path, {"metadata": {"name": "other"}})
    await s.post(f"{path}/other/token", {"spec": spec})
    await s.ask("DELETE", s.path("pods") + "/p")
    while "error" not in (await s.ask("POST", TOKEN_REVIEWS, review))[2]["status"]:
        await s.pause()
    await s.post(TOKEN_REVIEWS, review)


@case()
async def token_whose_account_is_gone(s: Sitting) -> None:
    path = s.path("serviceaccounts")
    await s.ask("POST", path, {"metadata": {"name": "short"}})
    token = (await s.ask("POST", f"{path}/short/token", {"spec": {"audiences": ["nats"]}}))[2][
        "status"
    ]["token"]
    await s.ask("DELETE", f"{path}/short")
    review = {"spec": {"token": token, "audiences": ["nats"]}}
    while "error" not in (await s.ask("POST", TOKEN_REVIEWS, review))[2]["status"]:
        await s.pause()
    await s.post(TOKEN_REVIEWS, review)


@case()
async def reviews_of_nonsense(s: Sitting) -> None:
    for token in ("nonsense", "a.b.c", ""):
        await s.post(TOKEN_REVIEWS, {"spec": {"token": token}})
    await s.post(TOKEN_REVIEWS, {})
