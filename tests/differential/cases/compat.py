"""Manifests that people have, on our own kinds: what is said of them, not what they hold."""

from pathlib import Path
from typing import Any

import yaml

from tests.differential.case import APPLY, Sitting, case

SAMPLES = Path(__file__).parents[1] / "samples"


def plural_of(kind: str) -> str:
    """Return how the paths name a kind of ours."""
    return f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"


async def _apply(s: Sitting, name: str) -> None:
    for document in yaml.safe_load_all((SAMPLES / name).read_text()):
        if document is None:
            continue
        metadata = document["metadata"]
        metadata.pop("namespace", None)
        path = s.path(plural_of(document["kind"]), document["apiVersion"])
        apply = {"Content-Type": APPLY}
        for method, url, headers in (
            ("PATCH", f"{path}/{metadata['name']}?fieldManager=people&dryRun=All", apply),
            ("POST", path, {}),
        ):
            status, found, answer = await s.ask(method, url, document, **headers)
            said = [status, found["Warning"], _why(answer) if status >= 400 else ""]
            s.say(f"{method} {document['kind']}", said)


def _why(answer: Any) -> Any:
    """Return why something was refused; several causes sorted, for they come in any order."""
    if isinstance(answer, str):
        return answer
    causes = (answer.get("details") or {}).get("causes") or ()
    several = sorted(f"{one.get('field')}: {one['message']}" for one in causes)
    return several if len(several) > 1 else answer["message"]


@case()
async def agent_sample(s: Sitting) -> None:
    await _apply(s, "agent_sample.yaml")


@case()
async def agent_sandbox_sample(s: Sitting) -> None:
    await _apply(s, "agent_sandbox_sample.yaml")


@case()
async def agentrun_agent_sandbox(s: Sitting) -> None:
    await _apply(s, "agentrun_agent_sandbox.yaml")


@case()
async def agentrun_sample(s: Sitting) -> None:
    await _apply(s, "agentrun_sample.yaml")


@case()
async def skillpack_k8s_ops(s: Sitting) -> None:
    await _apply(s, "skillpack_k8s-ops.yaml")


@case()
async def skillpack_sample(s: Sitting) -> None:
    await _apply(s, "skillpack_sample.yaml")


@case()
async def sympoziumpolicy_sample(s: Sitting) -> None:
    await _apply(s, "sympoziumpolicy_sample.yaml")


@case()
async def sympoziumschedule_sample(s: Sitting) -> None:
    await _apply(s, "sympoziumschedule_sample.yaml")
