"""What an AgentRun may ask of its Agent."""

import pytest

from sympozium.contract.resources import Object
from sympozium_controller.admission.judge import refusal
from tests.admission import objects

AGENT = objects.agent("ours")
AGENT["spec"] |= {
    "skills": [{"skillPackRef": "cluster-reader"}],
    "authRefs": [{"provider": "openai", "secret": "key"}],
}


def run(**spec: object) -> Object:
    return {"metadata": {"name": "r", "namespace": "ours"}, "spec": {**BASE, **spec}}


BASE = {"agentRef": "helper", "task": "hello"}


def model(**given: str) -> Object:
    return {"model": "m", **given}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"model": model()},
        {"model": model(authSecretRef="key")},
        {"model": model(model="offered", authSecretRef="key")},
        {"skills": []},
        {"skills": [{"skillPackRef": "cluster-reader"}]},
        {"timeout": "5m"},
        {"timeout": "300s"},
        {"toolPolicy": {"allow": ["list_pods"], "deny": ["x"]}},
    ],
)
def test_a_run_may_ask_for_what_its_agent_has(spec: Object) -> None:
    assert refusal(run(**spec), AGENT, {"offered"}) == ""


@pytest.mark.parametrize(
    ("spec", "rule", "remedy"),
    [
        ({"model": model(authSecretRef="other")}, "no credential 'other'", "leave"),
        (
            {"model": model(authSecretRef="key", baseURL="http://thief/v1")},
            "does not use the endpoint 'http://thief/v1'",
            "leave spec.model out",
        ),
        ({"model": model(model="dearer")}, "does not use model 'dearer'", "use 'm', 'offered'"),
        ({"timeout": "6m"}, "works no longer than 5m", "shorten spec.timeout"),
    ],
)
def test_a_run_that_asks_for_more_is_told_the_rule_and_the_remedy(
    spec: Object, rule: str, remedy: str
) -> None:
    said = refusal(run(**spec), AGENT, {"offered"})
    assert rule in said
    assert remedy in said


def test_a_run_does_not_have_a_skill_that_its_agent_has_not() -> None:
    plain = objects.agent("ours")
    said = refusal(run(skills=[{"skillPackRef": "cluster-reader"}]), plain, ())
    assert said == (
        "Agent 'helper' does not have skill 'cluster-reader'; remove it from spec.skills, or add "
        "it to the Agent's"
    )


def test_a_run_names_an_agent_that_is_there() -> None:
    assert refusal(run(), None, ()) == (
        "there is no Agent 'helper' in namespace 'ours'; create it there, or name one of this "
        "namespace in spec.agentRef"
    )


def test_an_agent_that_this_version_cannot_read_is_named() -> None:
    said = refusal(run(), {"spec": {"agents": {"default": {"model": 1}}}}, ())
    assert said.startswith("Agent 'helper' cannot be read: ")


def test_what_the_router_makes_of_an_agent_is_always_allowed() -> None:
    made = objects.run("ours", "r", is_answer=True)
    assert refusal(made, objects.agent("ours"), ()) == ""
