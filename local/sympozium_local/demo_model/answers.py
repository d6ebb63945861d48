"""What the demonstration model answers: a pure function of the conversation."""

import json
import re

from sympozium_local.demo_model.tables import Item, items_in, numbered, numbered_items
from sympozium_local.demo_model.wire import Action, CallTool, Message, Request, Say

NOTICE = (
    "I am the demonstration model, which follows fixed rules. For a real one, set OPENAI_API_KEY "
    "and, where needed, OPENAI_BASE_URL and SYMPOZIUM_MODEL."
)

_TOPICS = (
    ("logs", r"\blogs?\b", "pod_logs"),
    ("events", r"\bevents?\b", "get_events"),
    ("runs", r"\b(?:agent)?runs\b|\bagent runs?\b|\bagentrun\b", "list_runs"),
    ("jobs", r"\bjobs?\b", "list_jobs"),
    ("pods", r"\bpods?\b", "list_pods"),
)
"""Word for people, pattern in the question, and the tool that answers it, in this order."""

_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}
_ORDINAL = re.compile(rf"\b({'|'.join(_ORDINALS)})\b", re.IGNORECASE)
_NAMESPACE = re.compile(r"\bnamespace\s+['\"`]?([a-z0-9][a-z0-9-]*)", re.IGNORECASE)
_POD_NAME = re.compile(
    r"\b(?:of|from|for|describe)\s+(?:the\s+)?(?:pod\s+)?['\"`]?([a-z0-9][a-z0-9.-]*[a-z0-9])"
)
_DESCRIBE = re.compile(r"\bdescribe\b", re.IGNORECASE)
_GREETING = re.compile(r"^\W*(hi|hello|hey|good (morning|evening|day))\b", re.IGNORECASE)
_HELP = re.compile(r"\bhelp\b|\bwhat can you do\b", re.IGNORECASE)
_MAX_QUOTED_LINES = 40


def decide(request: Request) -> Action:
    """Return what to answer. The same conversation always gets the same answer."""
    if request.messages and request.messages[-1].role == "tool":
        return _say(_summary(request))
    text = request.last_user_text
    return _follow_up(request, text) or _tool_answer(request, text) or _say(_small_talk(text))


def _say(text: str) -> Say:
    return Say(f"{text}\n\n{NOTICE}")


def _follow_up(request: Request, text: str) -> Say | None:
    ordinal = _ORDINAL.search(text)
    known = _last_list(request)
    if ordinal is None or not known:
        return None
    word = ordinal[1].lower()
    index = _ORDINALS[word]
    if index >= len(known):
        return _say(f"There is no {word} one: the list has {_count(len(known), 'entry')}.")
    item = known[index]
    return _say(f"The {word} one is {item.name}; its status is {item.status}.")


def _last_list(request: Request) -> list[Item]:
    answers = (m.text for m in reversed(request.messages) if m.role == "assistant")
    return next((found for answer in answers if (found := numbered_items(answer))), [])


def _tool_answer(request: Request, text: str) -> Action | None:
    if _DESCRIBE.search(text) and (named := _POD_NAME.search(text)):
        return _call(request, "pods", "describe_pod", {"name": named[1]})
    lowered = text.lower()
    topic, tool = next(
        ((topic, tool) for topic, pattern, tool in _TOPICS if re.search(pattern, lowered)),
        ("", ""),
    )
    if not topic:
        return None
    arguments = {}
    if named := _NAMESPACE.search(text):
        arguments["namespace"] = named[1]
    if tool == "pod_logs":
        pod = _POD_NAME.search(text)
        if pod is None:
            return _say("To read logs I need a pod's name. Ask: show the logs of <pod>.")
        arguments["pod"] = pod[1]
    return _call(request, topic, tool, arguments)


def _call(request: Request, topic: str, tool: str, arguments: dict[str, str]) -> Action:
    if tool not in request.tool_names:
        return _say(f"I cannot read {topic}: the tool {tool} was not offered to me in this run.")
    return CallTool(tool, json.dumps(arguments))


def _small_talk(text: str) -> str:
    if _HELP.search(text):
        return (
            "I can list pods, jobs, runs and events with the cluster tools, show the logs of a "
            'pod, and tell more about an entry of a list ("and the second one?").'
        )
    if _GREETING.search(text):
        return "Hello. Ask me which pods run here, or say help."
    return "I have no rule for that. Ask me which pods run here, or say help."


def _summary(request: Request) -> str:
    results: list[Message] = []
    for message in reversed(request.messages):
        if message.role == "user":
            break
        if message.role == "tool":
            results.append(message)
    return "\n\n".join(summarise(result.text) for result in reversed(results))


def summarise(output: str) -> str:
    """Say what a tool's *output* holds: its list with statuses, or the text itself."""
    items = items_in(output)
    if items:
        return f"I asked the cluster and found {_count(len(items), 'entry')}:\n{numbered(items)}"
    lines = output.strip().splitlines()
    if not lines:
        return "I asked the cluster, and the tool answered nothing."
    if lines[0].startswith("No "):
        return f"I asked the cluster. There are none: {lines[0]}"
    quoted = "\n".join(lines[:_MAX_QUOTED_LINES])
    left_out = len(lines) - _MAX_QUOTED_LINES
    more = f"\n({left_out} more lines are left out.)" if left_out > 0 else ""
    return f"I asked the cluster. The tool answered:\n{quoted}{more}"


def _count(number: int, noun: str) -> str:
    plural = noun.removesuffix("y") + "ies"
    return f"{number} {noun if number == 1 else plural}"
