"""The skills that this image holds."""

from typing import Annotated

import msgspec

from sympozium_agent.skills.manifest import (
    Arguments,
    LabelName,
    ObjectName,
    Selector,
    Skill,
    ToolSpec,
)

MAX_LOG_LINES = 200

_NAMESPACE = msgspec.Meta(description="Namespace; absent: that of this run.")
_SELECTOR = msgspec.Meta(description="Label selector, like `app=web`; absent: all.")


class ListArguments(Arguments, frozen=True, kw_only=True):
    """Of the tools that list one kind."""

    namespace: Annotated[LabelName | msgspec.UnsetType, _NAMESPACE] = msgspec.UNSET
    label_selector: Annotated[Selector | msgspec.UnsetType, _SELECTOR] = msgspec.UNSET


class EventArguments(Arguments, frozen=True, kw_only=True):
    """Of `get_events`."""

    namespace: Annotated[LabelName | msgspec.UnsetType, _NAMESPACE] = msgspec.UNSET
    object_name: Annotated[
        ObjectName | msgspec.UnsetType,
        msgspec.Meta(description="Only events about the object of this name."),
    ] = msgspec.UNSET


class LogArguments(Arguments, frozen=True, kw_only=True):
    """Of `pod_logs`."""

    pod: Annotated[ObjectName, msgspec.Meta(description="Name of the pod.")]
    namespace: Annotated[LabelName | msgspec.UnsetType, _NAMESPACE] = msgspec.UNSET
    container: Annotated[
        LabelName | msgspec.UnsetType,
        msgspec.Meta(description="Name of the container; needed where the pod has several."),
    ] = msgspec.UNSET
    tail_lines: Annotated[
        int,
        msgspec.Meta(description="How many of the newest lines.", ge=1, le=MAX_LOG_LINES),
    ] = 50


class PodArguments(Arguments, frozen=True, kw_only=True):
    """Of `describe_pod`."""

    name: Annotated[ObjectName, msgspec.Meta(description="Name of the pod.")]
    namespace: Annotated[LabelName | msgspec.UnsetType, _NAMESPACE] = msgspec.UNSET


CLUSTER_READER = Skill(
    "cluster-reader",
    (
        ToolSpec("list_pods", "List pods with status, restarts, age and node.", ListArguments),
        ToolSpec("list_runs", "List agent runs with phase, agent and age.", ListArguments),
        ToolSpec("list_jobs", "List jobs with status, completions and age.", ListArguments),
        ToolSpec("get_events", "List recent events, the newest first.", EventArguments),
        ToolSpec("pod_logs", "Read the newest log lines of a pod's container.", LogArguments),
        ToolSpec("describe_pod", "Show a pod: containers, states, conditions.", PodArguments),
    ),
)

SKILLS = (CLUSTER_READER,)
