"""Objects of our kinds, through the API server's checks and past them.

A schema of another version, or none, may let in what ours would not: the readers in
router and controller still end what they cannot read with a reason, and never with a
surprise.
"""

import os
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import given, settings

from sympozium.contract.agent import AgentSpec
from sympozium.contract.crds import definition_objects
from sympozium.contract.errors import PermanentError
from sympozium.contract.new_run import build_run
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    CUSTOM_RESOURCE_DEFINITIONS,
    Object,
)
from sympozium.kube.client import connect, object_path
from sympozium.kube.endpoint import Endpoint
from sympozium_controller.runs.decide import Seen, next_actions
from sympozium_controller.runs.pod import MODEL_ANNOTATION, build_job
from sympozium_controller.runs.view import read_job, read_pod, read_run
from sympozium_controller.settings import PodSettings
from sympozium_local.apiserver.server import serve
from sympozium_router.outbox.ends import outcome_of, silence_ends_at
from tests.controller.worlds import a_plan, a_run
from tests.fuzz.hostile import altered_bytes, altered_values, as_json, hostile_json
from tests.fuzz.kinds import stored

RESOURCES = {"Agent": AGENTS, "AgentRun": AGENT_RUNS, "Channel": CHANNELS}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
METADATA = {
    "name": "one",
    "namespace": "default",
    "uid": "11111111-2222-3333-4444-555555555555",
    "creationTimestamp": "2026-01-02T03:04:05Z",
    "labels": {"sympozium.ai/conversation": "abc"},
}
AGENT: Object = {
    "apiVersion": AGENTS.api_version,
    "kind": "Agent",
    "metadata": METADATA,
    "spec": {
        "agents": {
            "default": {
                "model": "m",
                "baseURL": "http://127.0.0.1:1/v1",
                "timeout": "5m",
                "systemPrompt": "Be brief.",
                "resources": {"requests": {"cpu": "50m"}, "limits": {"memory": "64Mi"}},
            }
        },
        "skills": [{"skillPackRef": "cluster-reader"}],
        "authRefs": [{"provider": "openai", "secret": "key"}],
        "channels": [{"type": "web"}],
    },
}
CHANNEL: Object = {
    "apiVersion": CHANNELS.api_version,
    "kind": "Channel",
    "metadata": METADATA,
    "spec": {
        "type": "slack",
        "agentRef": "helper",
        "access": {"users": ["U1"], "pairing": True},
        "routes": [{"agentRef": "other", "chat": "C1"}],
        "agents": ["third"],
        "mode": "queue",
        "configRef": {"secret": "tokens"},
        "slack": {"transport": "http", "port": 8401},
    },
    "status": {
        "pairings": [{"code": "ABC234", "userId": "U2", "expiresAt": "2026-01-03T00:00:00Z"}]
    },
}
RUN: Object = {
    "apiVersion": AGENT_RUNS.api_version,
    "kind": "AgentRun",
    "metadata": METADATA,
    "spec": {
        "agentRef": "helper",
        "task": "which pods run here?",
        "timeout": "5m",
        "model": {"provider": "openai", "model": "m", "baseURL": "", "authSecretRef": "key"},
        "skills": [{"skillPackRef": "cluster-reader"}],
        "toolPolicy": {"deny": ["get_logs"]},
        "source": {
            "channel": "web",
            "conversation": "c",
            "messageId": "web:default/web:c:1",
            "sequence": 7,
            "sender": {"platform": "web", "userId": "owner"},
        },
    },
    "status": {
        "phase": "Succeeded",
        "result": "three pods",
        "resultSequence": 0,
        "usage": {"inputTokens": 10, "outputTokens": 3},
        "startedAt": "2026-01-02T03:04:06Z",
        "finishedAt": "2026-01-02T03:04:09Z",
        "error": {"reason": "DeniedByPolicy", "message": "denied the request: no"},
        "absorbed": ["m2"],
        "files": [{"id": "f", "owner": METADATA["uid"], "name": "a", "sizeBytes": 1, "parts": 1}],
        "conditions": [{"type": "Complete", "status": "True", "reason": "Answered"}],
    },
}
PLACES = ("spec", "status")
"""What a person or a program may write; metadata is the API server's own."""


def altered(obj: Object) -> Any:
    """Return a strategy for *obj* with hostile contents, as the client of an API server has it."""

    def received(parts: Any) -> Object | None:
        changed = parts if isinstance(parts, dict) else {"spec": parts}
        try:
            found: Object = deepcopy(msgspec.json.decode(as_json({**obj, **changed})))
        except (msgspec.DecodeError, RecursionError):
            return None
        return found

    parts = hostile_json([{name: obj[name] for name in PLACES if name in obj}])
    return parts.map(received).filter(bool)


@given(run=altered(RUN))
def test_the_end_of_any_run_that_the_api_server_takes_can_be_told(run: Object) -> None:
    found = stored(run)
    if found is not None:
        run = found
        outcome_of(run)
        silence_ends_at(run, None)
        try:
            seen = Seen(run=read_run(run), plan=None)
        except msgspec.ValidationError:  # the controller ends it, with a reason
            return
        next_actions(seen, now=NOW)


@given(agent=altered(AGENT))
def test_any_agent_makes_a_run_or_a_refusal(agent: Object) -> None:
    try:
        run = build_run(agent, name="r", task="hello")
        msgspec.convert(agent["spec"], AgentSpec)
    except PermanentError:
        return
    assert run["spec"]["agentRef"] == "one"


JOB = build_job(a_run(), a_plan(), PodSettings(nats_url="nats://bus:4222"))
JOB_STATUS = {
    "conditions": [
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "x"}
    ]
}
POD_STATUS = {
    "phase": "Failed",
    "reason": "Evicted",
    "conditions": [{"type": "DisruptionTarget", "status": "True"}],
    "containerStatuses": [
        {
            "name": "agent",
            "restartCount": 1,
            "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }
    ],
}


NULLS: Object = {"conditions": None, "containerStatuses": None}


def test_jobs_and_pods_as_clusters_leave_them_are_read() -> None:
    """They are the cluster's own and typed by it; parts may be missing, or null."""
    metadata = {"name": "p", "uid": "u", "namespace": "default"}
    job_statuses: list[Object | None] = [{}, None, dict(NULLS), JOB_STATUS]
    for status in job_statuses:
        job = {**JOB, "metadata": {**JOB["metadata"], "uid": "u"}, "status": status}
        assert read_job(job, model_annotation=MODEL_ANNOTATION).uid == "u"
    pod_statuses: list[Object | None] = [{}, None, dict(NULLS), POD_STATUS]
    for status in pod_statuses:
        assert read_pod({"metadata": metadata, "spec": {}, "status": status}).name == "p"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Endpoint]:
    """An API server with our kinds."""
    async with serve(tmp_path / "api") as endpoint:
        administrator = Endpoint(endpoint.url, endpoint.ca_file, endpoint.token_file)
        async with connect(administrator) as kube:
            for definition in definition_objects():
                await kube.apply(CUSTOM_RESOURCE_DEFINITIONS, definition, manager="test")
        yield administrator


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", list(RESOURCES))
async def test_any_object_is_taken_or_refused_by_the_api_server(api: Endpoint, kind: str) -> None:
    source = random.Random(f"{kind} {os.environ.get('FUZZ_EXAMPLES', '')}")
    example = {"Agent": AGENT, "AgentRun": RUN, "Channel": CHANNEL}[kind]
    url = api.url + object_path(RESOURCES[kind], "default")
    assert api.token_file is not None
    headers = {"Authorization": f"Bearer {api.token_file.read_text().strip()}"}
    answers: Counter[int] = Counter()
    async with aiohttp.ClientSession(
        headers={**headers, "Content-Type": "application/json"},
        connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(api.ca_file))),
    ) as session:
        for number in range(settings().max_examples):
            metadata = {"name": f"o{number}", "namespace": "default"}
            obj = {**example, "metadata": metadata}
            body = as_json(altered_values(obj, source) if number else obj)
            if number and source.random() < 0.2:
                body = altered_bytes(body, source)
            async with session.post(url, data=body) as answer:
                answers[answer.status] += 1
                assert answer.status < 500, (number, await answer.text())
    assert answers[201], answers
