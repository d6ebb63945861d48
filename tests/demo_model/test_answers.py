import json

import pytest

from sympozium_local.demo_model.answers import NOTICE, decide
from sympozium_local.demo_model.tables import Item, items_in, numbered, numbered_items
from sympozium_local.demo_model.wire import Action, CallTool, Function, Message, Request, Say, Tool

TABLE = "NAME     STATUS     AGE\nweb-1    Running    5m\nrouter   CrashLoop  1h\n(cut)"
ALL_TOOLS = ("list_pods", "list_runs", "list_jobs", "get_events", "pod_logs", "describe_pod")


def asked(*messages: tuple[str, str], tools: tuple[str, ...] = ALL_TOOLS) -> Action:
    return decide(
        Request(
            model="demo",
            messages=[Message(role=role, content=text) for role, text in messages],
            tools=[Tool(function=Function(name=name)) for name in tools],
        )
    )


def said(*messages: tuple[str, str], tools: tuple[str, ...] = ALL_TOOLS) -> str:
    action = asked(*messages, tools=tools)
    assert isinstance(action, Say)
    return action.text


@pytest.mark.parametrize(
    ("question", "tool", "arguments"),
    [
        ("which pods run here?", "list_pods", {}),
        ("Which pods run in namespace kube-system?", "list_pods", {"namespace": "kube-system"}),
        ("list the runs", "list_runs", {}),
        ("any agent runs?", "list_runs", {}),
        ("what jobs are there", "list_jobs", {}),
        ("recent events please", "get_events", {}),
        ("show the logs of web-1", "pod_logs", {"pod": "web-1"}),
        ("show me logs from pod `web-1`", "pod_logs", {"pod": "web-1"}),
        ("describe pod web-1", "describe_pod", {"name": "web-1"}),
    ],
)
def test_a_question_about_the_cluster_calls_the_fitting_tool(
    question: str, tool: str, arguments: dict[str, str]
) -> None:
    assert asked(("user", question)) == CallTool(tool, json.dumps(arguments))


def test_without_the_tool_on_offer_it_says_so() -> None:
    assert "list_pods was not offered" in said(("user", "which pods run here?"), tools=())


def test_a_table_is_summarised_with_names_statuses_and_a_count() -> None:
    text = said(("user", "which pods?"), ("tool", TABLE))
    assert "2 entries" in text
    assert "1. web-1: Running\n2. router: CrashLoop" in text


def test_a_text_that_is_no_table_is_passed_on() -> None:
    assert "line 1\nline 2" in said(("user", "logs"), ("tool", "line 1\nline 2"))


def test_an_empty_list_is_called_empty() -> None:
    text = said(("user", "which pods?"), ("tool", "No pods in namespace 'default'."))
    assert "There are none: No pods in namespace 'default'." in text


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("and the second one?", "The second one is router; its status is CrashLoop."),
        ("what about the first pod?", "The first one is web-1; its status is Running."),
        ("the last one?", "The last one is router"),
        ("and the third?", "There is no third one: the list has 2 entries."),
    ],
)
def test_a_follow_up_is_answered_from_the_list_in_the_history(question: str, expected: str) -> None:
    listed = said(("user", "which pods?"), ("tool", TABLE))
    text = said(("user", "which pods?"), ("assistant", listed), ("user", question))
    assert expected in text


@pytest.mark.parametrize("text", ["hello", "help", "tell me a joke", "my password is hunter2", ""])
def test_every_answer_says_once_what_it_is_and_repeats_nothing_private(text: str) -> None:
    answer = said(("user", text))
    assert answer.count(NOTICE) == 1
    assert "hunter2" not in answer
    assert answer == said(("user", text))


def test_lists_read_back_as_they_were_written() -> None:
    items = [Item("a", "Running"), Item("b", "Failed: OOM")]
    assert numbered_items(numbered(items)) == items
    assert items_in("no table here") == []
