"""Objects as their makers would write them, and what one would change of them."""

from datetime import UTC, datetime

import msgspec

from sympozium.contract.agent import AgentSpec
from sympozium.contract.agentrun import Source
from sympozium.contract.messages import Sender
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.new_run import build_run
from sympozium.contract.resources import AGENTS, PODS, Object
from sympozium_controller.runs.plan import plan_run
from sympozium_controller.runs.pod import build_job
from sympozium_controller.runs.view import read_run
from sympozium_controller.settings import PodSettings

UID = "0a0a0a0a-0000-4000-8000-000000000001"


def agent(namespace: str, name: str = "helper") -> Object:
    """Return an Agent."""
    return {
        "apiVersion": AGENTS.api_version,
        "kind": AGENTS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"agents": {"default": {"model": "m", "timeout": "5m"}}},
    }


def source() -> Source:
    """Return what the router says of a message."""
    return Source(
        channel="web",
        conversation=ConversationId("c"),
        message_id=MessageId("web:default/web:c:1"),
        sequence=1,
        sender=Sender(platform="web", user_id="u"),
    )


def run(namespace: str, name: str, *, is_answer: bool = False) -> Object:
    """Return an AgentRun; an answer to a message as the router makes it."""
    return build_run(
        agent(namespace), name=name, task="hello", source=source() if is_answer else None
    )


def job(namespace: str, name: str, uid: str = UID, *, skill: str = "") -> Object:
    """Return the Job that the controller makes for a run."""
    obj = run(namespace, name)
    obj["metadata"] |= {
        "uid": uid,
        "generation": 1,
        "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if skill:
        obj["spec"]["skills"] = [{"skillPackRef": skill}]
    view = read_run(obj)
    spec = msgspec.convert(agent(namespace)["spec"], AgentSpec)
    return build_job(view, plan_run(view.spec, spec), PodSettings("nats://bus"))


def pod(namespace: str, name: str, *, owner: Object | None = None) -> Object:
    """Return the pod of a run, as the Job controller makes it of the Job's template."""
    made = job(namespace, name)
    template = made["spec"]["template"]
    reference = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name,
        "uid": (owner or {"metadata": {"uid": UID}})["metadata"]["uid"],
        "controller": True,
    }
    metadata = {**template["metadata"], "name": name, "namespace": namespace}
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {**metadata, "ownerReferences": [reference]},
        "spec": template["spec"],
    }
