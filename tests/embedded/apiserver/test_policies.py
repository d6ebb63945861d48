"""ValidatingAdmissionPolicies: what they see, whom they stop, and in which words."""

from typing import Any

import pytest

CONFIGS = "/apis/admissionregistration.k8s.io/v1"
POLICIES = f"{CONFIGS}/validatingadmissionpolicies"
BINDINGS = f"{CONFIGS}/validatingadmissionpolicybindings"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"

Object = dict[str, Any]


def policy(*rules: Object, **spec: Any) -> Object:
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "resources": ["configmaps"],
    }
    return {
        "metadata": {"name": "p"},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": rules, **spec},
    }


def binding(*actions: str, **spec: Any) -> Object:
    given = {"policyName": "p", "validationActions": actions or ("Deny",), **spec}
    return {"metadata": {"name": "b"}, "spec": given}


@pytest.fixture
def install(api: Any) -> Any:
    async def install(policy: Object, bound: Object | None = None) -> None:
        await api.create(POLICIES, policy)
        await api.create(BINDINGS, bound or binding())

    return install


async def test_a_write_that_breaks_a_rule_is_refused_with_the_rules_message(
    api: Any, install: Any, configmap: Any
) -> None:
    await install(policy({"expression": "object.data.k == '1'", "message": "k must be 1"}))
    await api.create(CONFIGMAPS, configmap("good", {"k": "1"}))
    code, status = await api.call("POST", CONFIGMAPS, configmap("bad", {"k": "2"}))
    said = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: k must be 1"
    assert (code, status["reason"]) == (422, "Invalid")
    assert status["message"] == f'configmaps "bad" is forbidden: {said}'
    assert status["details"]["causes"] == [{"message": said}]
    assert (await api.call("GET", f"{CONFIGMAPS}/bad"))[0] == 404


async def test_a_rule_says_which_reason_and_code_its_refusal_has(
    api: Any, install: Any, configmap: Any
) -> None:
    await install(policy({"expression": "false", "reason": "Forbidden"}))
    code, status = await api.call("POST", CONFIGMAPS, configmap("a"))
    assert (code, status["reason"]) == (403, "Forbidden")
    assert status["message"].endswith("denied request: failed expression: false")


async def test_a_message_may_be_computed(api: Any, install: Any, configmap: Any) -> None:
    said = "'not ' + object.metadata.name + ' of ' + request.userInfo.username"
    await install(policy({"expression": "false", "messageExpression": said}))
    _, status = await api.call("POST", CONFIGMAPS, configmap("a"))
    assert status["message"].endswith("denied request: not a of kubernetes-admin")


async def test_rules_see_the_old_object_and_the_operation(
    api: Any, install: Any, configmap: Any
) -> None:
    same = "request.operation != 'UPDATE' || object.data == oldObject.data"
    lives = "request.operation != 'DELETE' || (object == null && 'free' in oldObject.data)"
    await install(policy({"expression": same}, {"expression": lives}))
    await api.create(CONFIGMAPS, configmap("a", {"k": "1"}))
    await api.create(CONFIGMAPS, configmap("b", {"free": ""}))
    await api.merge(f"{CONFIGMAPS}/a", {"metadata": {"labels": {"x": "y"}}})
    assert (await api.call("DELETE", f"{CONFIGMAPS}/a"))[0] == 422
    await api.delete(f"{CONFIGMAPS}/b")
    kind = "application/merge-patch+json"
    patch = {"data": {"k": "2"}}
    code, _ = await api.call("PATCH", f"{CONFIGMAPS}/a", patch, content_type=kind)
    assert code == 422


async def test_rules_see_the_namespace_as_it_is_at_that_moment(
    api: Any, install: Any, configmap: Any
) -> None:
    label = "namespaceObject.metadata.labels[?'tenant'].orValue('') == 'true'"
    await install(policy({"expression": label}))
    assert (await api.call("POST", CONFIGMAPS, configmap("a")))[0] == 422
    await api.merge("/api/v1/namespaces/default", {"metadata": {"labels": {"tenant": "true"}}})
    await api.create(CONFIGMAPS, configmap("a"))


async def test_variables_are_shared_by_rules_and_one_that_fails_matters_where_it_is_used(
    api: Any, install: Any, configmap: Any
) -> None:
    variables = [
        {"name": "size", "expression": "size(object.data)"},
        {"name": "twice", "expression": "variables.size * 2"},
        {"name": "broken", "expression": "object.data.missing"},
    ]
    rules = (
        {"expression": "variables.twice < 4"},
        {"expression": "object.metadata.name != 'z' || variables.broken == ''"},
    )
    await install(policy(*rules, variables=variables))
    await api.create(CONFIGMAPS, configmap("a", {"k": "1"}))
    assert (await api.call("POST", CONFIGMAPS, configmap("b", {"k": "", "l": ""})))[0] == 422
    code, status = await api.call("POST", CONFIGMAPS, configmap("z", {"k": "1"}))
    assert code == 422
    assert "resulted in error" in status["message"]


async def test_a_policy_is_not_asked_where_a_match_condition_is_false(
    api: Any, install: Any, configmap: Any
) -> None:
    others = [{"name": "others", "expression": "request.userInfo.username != 'kubernetes-admin'"}]
    await install(policy({"expression": "false"}, matchConditions=others))
    await api.create(CONFIGMAPS, configmap("a"))


@pytest.mark.parametrize(("failing", "code"), [("Fail", 422), ("Ignore", 201)])
async def test_a_rule_without_a_value_counts_as_the_failure_policy_says(
    api: Any, install: Any, configmap: Any, failing: str, code: int
) -> None:
    await install(policy({"expression": "object.data.missing == '1'"}, failurePolicy=failing))
    assert (await api.call("POST", CONFIGMAPS, configmap("a")))[0] == code


async def test_a_policy_without_a_binding_stops_nobody(api: Any, configmap: Any) -> None:
    await api.create(POLICIES, policy({"expression": "false"}))
    await api.create(CONFIGMAPS, configmap("a"))


async def test_selectors_of_policy_and_binding_both_narrow_it(
    api: Any, install: Any, configmap: Any
) -> None:
    made = policy({"expression": "false"})
    made["spec"]["matchConstraints"]["objectSelector"] = {"matchLabels": {"x": "1"}}
    spaces = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}
    await install(made, binding(matchResources=spaces))
    await api.create(CONFIGMAPS, configmap("a"))
    marked = {"x": "1"}
    await api.create("/api/v1/namespaces/kube-system/configmaps", configmap("b", labels=marked))
    assert (await api.call("POST", CONFIGMAPS, configmap("c", labels=marked)))[0] == 422


async def test_a_rule_may_be_about_one_name_and_except_others(
    api: Any, install: Any, configmap: Any
) -> None:
    made = policy({"expression": "false"})
    where = made["spec"]["matchConstraints"]
    where["excludeResourceRules"] = [{**where["resourceRules"][0], "resourceNames": ["free"]}]
    await install(made)
    await api.create(CONFIGMAPS, configmap("free"))
    assert (await api.call("POST", CONFIGMAPS, configmap("other")))[0] == 422


async def test_a_status_is_judged_apart_from_its_object(
    api: Any, install: Any, widgets: str
) -> None:
    made = policy({"expression": "false"})
    rule = made["spec"]["matchConstraints"]["resourceRules"][0]
    rule.update(apiGroups=["example.com"], resources=["widgets/status"])
    await install(made)
    widget = await api.create(widgets, {"metadata": {"name": "w"}, "spec": {}})
    code, _ = await api.call("PUT", f"{widgets}/w/status", {**widget, "status": {"phase": "x"}})
    assert code == 422


async def test_a_warning_lets_the_write_pass(api: Any, install: Any, configmap: Any) -> None:
    await install(policy({"expression": "false", "message": "mind"}), binding("Warn", "Audit"))
    url = api.endpoint.url + CONFIGMAPS
    async with api.session.post(url, json=configmap("a"), headers=api.headers(None)) as answer:
        assert answer.status == 201
        assert answer.headers["Warning"] == (
            "299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': mind\""
        )


async def test_a_changed_policy_counts_from_the_next_write_on(
    api: Any, install: Any, configmap: Any
) -> None:
    await install(policy({"expression": "false"}))
    assert (await api.call("POST", CONFIGMAPS, configmap("a")))[0] == 422
    await api.merge(f"{POLICIES}/p", {"spec": {"validations": [{"expression": "true"}]}})
    await api.create(CONFIGMAPS, configmap("a"))
    await api.merge(f"{POLICIES}/p", {"spec": {"validations": [{"expression": "false"}]}})
    await api.delete(f"{BINDINGS}/b")
    await api.create(CONFIGMAPS, configmap("b"))


async def test_no_policy_is_asked_about_policies(api: Any, install: Any) -> None:
    made = policy({"expression": "false"})
    every = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    made["spec"]["matchConstraints"]["resourceRules"] = [every]
    await install(made)
    await api.delete(f"{BINDINGS}/b")
    await api.delete(f"{POLICIES}/p")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}, "spec.paramKind: Forbidden"),
        ({"validations": [{"expression": "authorizer.path('/x').check('get').allowed()"}]},
         "authorizer is not served"),
        ({"validations": [{"expression": "object.("}]}, "compilation failed"),
        ({"validations": [{"expression": "1 + 1"}]}, "must evaluate to a bool"),
        ({"validations": []}, "spec.validations: Required value"),
        ({"matchConstraints": {}}, "spec.matchConstraints.resourceRules: Required value"),
        ({"variables": [{"name": "a-b", "expression": "1"}]}, "not a valid CEL identifier"),
        ({"matchConditions": [{"name": "x", "expression": "variables.a"}]}, "matchConditions[0]"),
        ({"validations": [{"expression": "true", "reason": "Because"}]}, "Unsupported value"),
    ],
)  # fmt: skip
async def test_a_policy_that_could_not_be_kept_is_refused(
    api: Any, spec: Object, said: str
) -> None:
    code, status = await api.call("POST", POLICIES, policy({"expression": "true"}, **spec))
    assert code == 422
    assert said in status["message"]


async def test_a_binding_does_not_both_deny_and_warn(api: Any) -> None:
    code, status = await api.call("POST", BINDINGS, binding("Deny", "Warn"))
    assert code == 422
    assert "must not contain both Deny and Warn" in status["message"]
