"""Much history in a running system, made quickly: finished runs, and threads with their rows."""

import asyncio
import uuid
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime, timedelta

from sympozium.contract.agentrun import Source
from sympozium.contract.messages import InboundMessage, Sender
from sympozium.contract.names import ConversationId, MessageId, RunUid, run_name, web_message_id
from sympozium.contract.new_run import build_run
from sympozium.contract.resources import AGENT_RUNS, AGENTS, Object
from sympozium.kube.client import Kube
from sympozium.store.ports import Conversation, End, Message
from sympozium.store.sql import SqlStore, open_store
from sympozium_local.system.home import Home

NAMESPACE, CHANNEL = "default", "web"
SENDER = Sender(platform="web", user_id="local", display_name="you")
AT_ONCE = 16
KEEP = 20_000

FIRST_SEQUENCE = 10**9
"""Far above the sequences of INBOX, which are those of other messages."""

ANSWER = "Three pods run here, and none of them was restarted. " * 8


class History:
    """Finished runs and threads; it only grows."""

    def __init__(self, kube: Kube, home: Home) -> None:
        self._kube = kube
        self._url = f"sqlite:///{home.router}/router.db"
        self._runs = 0
        self._threads = 0
        self._agent: Object = {}

    async def grow(self, *, runs: int, threads: int) -> None:
        """Add finished runs and open threads until there are so many; return when all is quiet."""
        if not self._agent:
            self._agent = await self._keeping_agent()
        async with open_store(self._url) as store:
            messages = [_message(n, max(threads, 1)) for n in range(self._runs, runs)]
            await _in_turns(self._run(message) for message in messages)
            await _in_turns(_row(store, message) for message in messages)
            names = [ConversationId(f"thread-{n}") for n in range(self._threads, threads)]
            await _in_turns(_thread(store, name) for name in names)
        self._runs, self._threads = runs, threads
        while await self._are_unfinished():  # noqa: ASYNC110 - the other side has no event
            await asyncio.sleep(1)

    async def _run(self, message: Message) -> None:
        """Create a run that is cancelled, so that it ends without a pod."""
        inbound = message.inbound
        source = Source(
            channel=CHANNEL,
            conversation=inbound.conversation,
            message_id=message.id,
            sequence=message.sequence,
            sender=SENDER,
        )
        run = build_run(self._agent, name=message.run_name, task=inbound.text, source=source)
        run["spec"]["cancel"] = True
        await self._kube.create(AGENT_RUNS, run)

    async def _keeping_agent(self) -> Object:
        """Return the system's agent, after it was told to keep all of its runs."""
        (agent,) = (await self._kube.list(AGENTS, NAMESPACE)).items
        limits = {"successfulRunsHistoryLimit": KEEP, "failedRunsHistoryLimit": KEEP}
        name = agent["metadata"]["name"]
        return await self._kube.patch(AGENTS, NAMESPACE, name, {"spec": limits})

    async def _are_unfinished(self) -> bool:
        return any(not _is_finished(run) for run in (await self._kube.list(AGENT_RUNS)).items)


def _message(number: int, threads: int) -> Message:
    talk = ConversationId(f"thread-{number % threads}")
    id_ = web_message_id(NAMESPACE, CHANNEL, talk, f"old-{number}")
    now = datetime.now(UTC) - timedelta(minutes=5)
    inbound = InboundMessage(
        message_id=MessageId(id_),
        conversation=talk,
        sender=SENDER,
        text="which pods run here, and was one of them restarted?",
        time=now,
    )
    return Message(
        namespace=NAMESPACE,
        channel=CHANNEL,
        inbound=inbound,
        sequence=FIRST_SEQUENCE + number,
        recorded_at=now,
        agent="assistant",
        run_name=run_name(CHANNEL, id_),
        run_uid=RunUid(str(uuid.uuid4())),
        end=End(time=now, text=ANSWER),
        outbox_sequence=FIRST_SEQUENCE + number,
    )


async def _row(store: SqlStore, message: Message) -> None:
    await store.record(message)


async def _thread(store: SqlStore, name: ConversationId) -> None:
    """Have something be known of a conversation beside its messages."""
    await store.leave(Conversation(NAMESPACE, CHANNEL, name), 1, now=datetime.now(UTC))


async def _in_turns(work: Iterable[Awaitable[None]]) -> None:
    """Do all of *work*, some of it at once."""
    left = iter(work)

    async def some() -> None:
        for one in left:
            await one

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())


def _is_finished(run: Object) -> bool:
    return bool((run.get("status") or {}).get("finishedAt"))
