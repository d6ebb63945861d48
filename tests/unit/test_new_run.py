from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.agentrun import AgentRunSpec, Source
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import Sender
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.new_run import build_run
from sympozium.contract.resources import AGENT_LABEL, CHANNEL_LABEL, CONVERSATION_LABEL, Object

SOURCE = Source(
    channel="web",
    conversation=ConversationId("c"),
    message_id=MessageId("web:default/web:c:1"),
    sequence=7,
    sender=Sender(platform="web", user_id="ada"),
)


def agent(**spec: Any) -> Object:
    config = {"model": "gpt", "baseURL": "http://model/v1", "timeout": "2m"}
    return {
        "metadata": {"name": "helper", "namespace": "default", "resourceVersion": "3"},
        "spec": {"agents": {"default": config}, **spec},
    }


def test_a_run_carries_a_snapshot_of_its_agent() -> None:
    run = build_run(
        agent(
            authRefs=[{"provider": "openai", "secret": "key"}],
            skills=[{"skillPackRef": "cluster-reader"}],
        ),
        name="web-abc",
        task="hello",
    )
    assert run["spec"] == {
        "agentRef": "helper",
        "task": "hello",
        "model": {"model": "gpt", "baseURL": "http://model/v1", "authSecretRef": "key"},
        "skills": [{"skillPackRef": "cluster-reader"}],
        "timeout": "2m",
    }


def test_an_agent_without_skills_or_key_gives_a_run_that_says_so() -> None:
    spec = msgspec.convert(build_run(agent(), name="a", task="t")["spec"], AgentRunSpec)
    assert (spec.skills, spec.model and spec.model.auth_secret_ref) == ([], "")


def test_a_run_for_a_message_can_be_found_by_agent_channel_and_conversation() -> None:
    labels = build_run(agent(), name="a", task="t", source=SOURCE)["metadata"]["labels"]
    assert (labels[AGENT_LABEL], labels[CHANNEL_LABEL]) == ("helper", "web")
    assert len(labels[CONVERSATION_LABEL]) == 10


def test_a_run_without_a_message_belongs_to_no_conversation() -> None:
    run = build_run(agent(), name="a", task="t")
    assert "source" not in run["spec"]
    assert CONVERSATION_LABEL not in run["metadata"]["labels"]


@given(task=st.text(min_size=1), conversation=st.text(min_size=1))
def test_what_is_built_reads_back_and_is_the_same_again(task: str, conversation: str) -> None:
    source = msgspec.structs.replace(SOURCE, conversation=ConversationId(conversation))
    run = build_run(agent(), name="a", task=task, source=source)
    spec = msgspec.convert(run["spec"], AgentRunSpec)
    assert (spec.task, spec.source) == (task, source)
    assert build_run(agent(), name="a", task=task, source=source) == run


def test_an_agent_that_cannot_be_read_is_named_with_its_field() -> None:
    broken = agent()
    broken["spec"]["agents"]["default"] = {"model": 5}
    with pytest.raises(PermanentError, match=r"Agent 'helper'.*model"):
        build_run(broken, name="a", task="t")
