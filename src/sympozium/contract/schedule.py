"""`SympoziumSchedule`: a task that an agent is given again and again. Not supported yet."""

from typing import Annotated

from sympozium.contract.schema import KubeModel, described


class SympoziumScheduleSpec(KubeModel, frozen=True, kw_only=True):
    """What is to be run, and when."""

    agent_ref: Annotated[str, described("Name of the Agent, in the same namespace.")] = ""
    schedule: Annotated[str, described("When, in the five fields of cron: `0 * * * *`.")] = ""
    task: Annotated[str, described("What the agent is asked each time.")] = ""
    type: Annotated[
        str, described("What the task is for: `heartbeat`, `scheduled` or `sweep`.")
    ] = ""
    include_memory: Annotated[bool, described("Whether the agent's memory is with it.")] = False
    concurrency_policy: Annotated[
        str,
        described("What becomes of a slot while a run is at work: `Forbid`, `Allow`, `Replace`."),
    ] = ""
