"""Values for decisions: builders, Hypothesis strategies, and a world that obeys decisions."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from sympozium.contract.agent import Resources
from sympozium.contract.agentrun import AgentRunSpec, AgentRunStatus, ModelSpec, Phase, ToolPolicy
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.run_events import Failure, Result
from sympozium_controller.runs import decide
from sympozium_controller.runs.decide import Action, Seen, next_actions
from sympozium_controller.runs.endings import Ending, Silence
from sympozium_controller.runs.plan import Plan
from sympozium_controller.runs.view import ContainerView, JobView, PodView, Run

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UID = RunUid("11111111-2222-3333-4444-555555555555")


def a_run(*, cancel: bool = False, phase: Phase = Phase.PENDING) -> Run:
    return Run(
        namespace="default",
        name=RunName("web-abc"),
        uid=UID,
        created=START,
        spec=AgentRunSpec(agent_ref="helper", task="hello", cancel=cancel),
        status=AgentRunStatus(phase=phase),
    )


def a_plan(*, skills: tuple[str, ...] = (), timeout: timedelta = timedelta(minutes=10)) -> Plan:
    return Plan(
        model=ModelSpec(model="m", base_url="http://127.0.0.1:1/v1", auth_secret_ref=""),
        skills=skills,
        tools=ToolPolicy(),
        timeout=timeout,
        resources=Resources(),
    )


def a_job(**changes: object) -> JobView:
    job = JobView(
        uid="job-uid", owner_uid=UID, created=START, timeout=timedelta(minutes=10), model="m"
    )
    return replace(job, **changes)  # type: ignore[arg-type] # checked by the dataclass at run time


def a_pod(agent: ContainerView | None = None, **changes: object) -> PodView:
    containers = (agent,) if agent is not None else ()
    pod = PodView(name="web-abc-1", created=START, containers=containers)
    return replace(pod, **changes)  # type: ignore[arg-type] # checked by the dataclass at run time


def an_ending(text: str = "answer") -> Ending:
    return Ending(Result(text=text), sequence=7)


agents = st.builds(
    ContainerView,
    name=st.just("agent"),
    waiting=st.sampled_from(
        ["", "ImagePullBackOff", "CreateContainerConfigError", "PodInitializing"]
    ),
    terminated=st.sampled_from(["", "", "Completed", "Error", "OOMKilled"]),
    exit_code=st.sampled_from([0, 1, 78, 137]),
    started=st.sampled_from([None, START]),
    ended=st.sampled_from([None, START]),
)
pods = st.builds(
    PodView,
    name=st.just("web-abc-1"),
    phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]),
    reason=st.sampled_from(["", "", "Evicted"]),
    created=st.just(START),
    is_unschedulable=st.booleans(),
    scheduled=st.sampled_from([None, START, START + timedelta(seconds=100)]),
    is_disrupted=st.booleans(),
    containers=st.tuples(agents) | st.just(()),
)
jobs = st.builds(
    a_job,
    owner_uid=st.sampled_from([UID, UID, UID, "another"]),
    is_complete=st.booleans(),
    failure=st.sampled_from(["", "", "DeadlineExceeded", "BackoffLimitExceeded"]),
    is_deleting=st.booleans(),
)
endings = st.sampled_from(
    [
        Silence.NOTHING,
        an_ending(),
        Ending(Failure(reason="ModelTimeout", detail="no token for 30 s"), sequence=9),
        Ending(Failure(reason="made up"), sequence=9),
    ]
)
runs = st.builds(a_run, cancel=st.booleans(), phase=st.sampled_from(Phase))
situations = st.builds(
    Seen,
    run=runs,
    plan=st.sampled_from([None, a_plan()]),
    job=st.none() | jobs,
    pod=st.none() | pods,
    has_predecessor=st.booleans(),
    has_turn=st.booleans(),
    waits_since=st.just(START),
    started=st.sampled_from([None, START]),
)


@dataclass
class World:
    """One run and its surroundings, in which decisions take effect at once.

    Attributes:
        on_bus: What the bus answers when it is asked for the run's ending.
    """

    seen: Seen
    on_bus: Ending | Silence = Silence.NOTHING
    now: datetime = START
    terminal_writes: int = 0
    jobs_created: int = 0

    def obey(self) -> float | None:
        """Decide and obey until at rest; return in how many seconds to look again."""
        for _ in range(10):
            actions = next_actions(self.seen, now=self.now)
            resting = [one.after_s for one in actions if isinstance(one, decide.LookAgain)]
            for action in actions:
                self._do(action)
            if len(resting) == len(actions):
                self.seen = replace(self.seen, ending=Silence.NOT_ASKED, refusal=Silence.NOT_ASKED)
                return min(resting, default=None)
        raise AssertionError(f"decisions do not come to rest: {actions}")

    def _do(self, action: Action) -> None:
        match action:
            case decide.CreateJob():
                self.jobs_created += 1
                self.seen = replace(self.seen, job=a_job(created=self.now))
            case decide.WriteStatus(status=status):
                run = replace(self.seen.run, status=status)
                self.terminal_writes += run.is_finished
                self.seen = replace(self.seen, run=run)
            case decide.DeleteJob() | decide.RemoveJob():
                self.seen = replace(self.seen, job=None, pod=None)
            case decide.LookAtBus():
                self.seen = replace(self.seen, ending=self.on_bus)
            case decide.LookAtEvents():
                self.seen = replace(self.seen, refusal=Silence.NOTHING)
            case decide.GiveBack():
                self.seen = replace(self.seen, job=None, pod=None, has_turn=False)
            case decide.LookAgain():
                pass
