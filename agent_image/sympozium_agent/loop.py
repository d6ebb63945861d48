"""The agent's loop: ask the model, run the tools it asks for, until it answers."""

import logging
from collections.abc import Callable

import msgspec

from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_JOURNAL_LINE_BYTES, MAX_RESULT_BYTES
from sympozium.contract.messages import Entry, Role
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import (
    Absorbed,
    Failure,
    Progress,
    Result,
    RunContext,
    RunEvent,
    ToolAnswer,
    ToolCall,
    Usage,
    call_id,
)
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium_agent.attach_tool import ATTACH_FILE
from sympozium_agent.file_names import shown_name
from sympozium_agent.inbox import Came, Inbox
from sympozium_agent.live_text import LiveText
from sympozium_agent.patience import ask_patiently
from sympozium_agent.provider import (
    Answer,
    ModelCallError,
    Provider,
    Said,
    System,
    ToolRequest,
    ToolResult,
    ToolsRequested,
    Trouble,
    Turn,
)
from sympozium_agent.tools import Toolbox, progress_state

log = logging.getLogger(__name__)

MAX_STEPS = 20
"""Model calls of one run; a model that still wants tools then is going in circles."""

MAX_CALLS_PER_STEP = 8
"""Tool calls that one answer of the model may ask for; the others are refused to it."""

BETWEEN_ANSWERS = "\n\n"
"""Between the answer to the task and the answer to what came while that was given."""

CUT_SHORT = (
    "What came in the meantime is not answered: the model gave no further answer. "
    "Please ask that again."
)
"""In place of the last part of an answer, where the parts before it are there."""

UNSEEN = "(You cannot see pictures; say so if it matters.)"

MAX_TOOL_NAME_CHARS = 64
"""Longest name of a function. Source: the OpenAI protocol."""

MAX_ARGUMENTS_CHARS = 64 * 1024


class Conversation:
    """One run's exchange with its model."""

    def __init__(
        self,
        context: RunContext,
        provider: Provider,
        toolbox: Toolbox,
        inbox: Inbox,
        say: Callable[[RunEvent], None],
    ) -> None:
        self._context = context
        self._provider = provider
        self._toolbox = toolbox
        self._offered = toolbox.offered
        self._inbox = inbox
        self._say = say
        self._live = LiveText(say)
        self._turns = first_turns(context, inbox.task())
        self._answered = ""
        self._usage = Usage()
        self._calls = 0
        self._broken_calls = 0

    async def run(self) -> Result | Failure:
        """Return how the run ends. What happens on the way is said as it happens."""
        try:
            for step in range(MAX_STEPS):
                self._take_in(self._inbox.take())
                answer = await ask_patiently(self._ask)
                self._live.finish()
                self._count(answer.usage)
                if answer.requests:
                    end = await self._run_tools(answer)
                    if end is not None:
                        return end
                    continue
                came = self._inbox.take() if step < MAX_STEPS - 1 else []
                if not came:
                    return self._result(answer.text)
                self._answered += answer.text + BETWEEN_ANSWERS
                self._turns.append(Said(Role.ASSISTANT, answer.text))
                self._take_in(came)
        except ModelCallError as error:
            return self._failure(error.trouble.reason, str(error))
        finally:
            self._live.finish()
        return self._failure(
            Reason.TOO_MANY_STEPS, f"the model did not answer within {MAX_STEPS} steps"
        )

    def _take_in(self, came: list[Came]) -> None:
        """Have the next model call answer *came* too, and say so before it is made."""
        for message in came:
            self._turns.append(message.said)
            self._say(Absorbed(message_id=message.message_id))
            reach(Point.AGENT_AFTER_ABSORBED)
            log.info("message taken in", extra={"action": "absorb"})

    def _result(self, text: str) -> Result | Failure:
        files = self._toolbox.attachments.files
        return bounded(Result(text=self._answered + text, usage=self._usage, files=files))

    async def _ask(self) -> Answer:
        while True:
            self._restart_live()
            try:
                return await self._provider.ask(self._turns, self._offered, self._live.add)
            except ModelCallError as error:
                if error.trouble is not Trouble.REFUSED or not self._ask_for_less():
                    raise

    def _restart_live(self) -> None:
        gap = BETWEEN_ANSWERS if self._answered else ""
        self._live.restart(after=len(self._answered) - len(gap))
        if gap:
            self._live.add(gap)

    def _ask_for_less(self) -> bool:
        """Leave out what not every endpoint takes; False: there is nothing to leave out."""
        if any(isinstance(turn, Said) and turn.images for turn in self._turns):
            self._turns = [_without_images(turn) for turn in self._turns]
        elif [tool.name for tool in self._offered] == [ATTACH_FILE.name]:
            self._offered = ()
        else:
            return False
        log.info("model is asked for less", extra={"action": "degrade"})
        return True

    async def _run_tools(self, answer: Answer) -> Result | Failure | None:
        self._turns.append(ToolsRequested(answer.text, answer.requests))
        for number, request in enumerate(answer.requests):
            if number >= MAX_CALLS_PER_STEP:
                text = f"refused: at most {MAX_CALLS_PER_STEP} tools at once; ask again"
            else:
                text = (await self._run_tool(request)).text
            self._turns.append(ToolResult(request.id, text))
        if self._broken_calls > 1:
            return self._failure(
                Reason.MODEL_BAD_ANSWER, "the model asked for tools with arguments that are no JSON"
            )
        return None

    async def _run_tool(self, request: ToolRequest) -> ToolAnswer:
        self._calls += 1
        id = call_id(self._context.run_uid, self._calls)
        tool = request.tool[:MAX_TOOL_NAME_CHARS]
        progress = Progress(call_id=id, tool=tool, state="started")
        self._say(progress)
        arguments = read_arguments(request.arguments)
        if arguments is None:
            self._broken_calls += 1
            text = "the arguments are not a JSON object of at most 64 KiB; write them anew"
            answer = ToolAnswer(call_id=id, text=text, failed=True)
        else:
            call = ToolCall(call_id=id, tool=tool, arguments=arguments)
            reach(Point.AGENT_BEFORE_TOOL)
            answer = await self._toolbox.call(call)
            reach(Point.AGENT_AFTER_TOOL)
        state = progress_state(answer)
        self._say(msgspec.structs.replace(progress, state=state))
        log.info("tool call answered", extra={"action": state, "call": id})
        return answer

    def _count(self, usage: Usage) -> None:
        self._usage = Usage(
            input_tokens=self._usage.input_tokens + usage.input_tokens,
            output_tokens=self._usage.output_tokens + usage.output_tokens,
        )

    def _failure(self, reason: Reason, detail: str) -> Result | Failure:
        if self._answered:
            return self._result(CUT_SHORT)
        return Failure(reason=reason, detail=detail, usage=self._usage)


def first_turns(context: RunContext, task: Said) -> list[Turn]:
    """Return what the model is told before it speaks: instructions, history and the task."""
    turns: list[Turn] = []
    if context.system_prompt:
        turns.append(System(context.system_prompt))
    turns += [Said(entry.role, text) for entry in context.history if (text := _remembered(entry))]
    turns.append(task)
    return turns


def _remembered(entry: Entry) -> str:
    """Return what is told of an earlier entry: its text, and which files it had."""
    named = ", ".join(repr(shown_name(file.name)) for file in entry.files)
    note = f"(With it came: {named}. The content is not shown again.)" if named else ""
    return "\n\n".join(part for part in (entry.text, note) if part)


def _without_images(turn: Turn) -> Turn:
    if not isinstance(turn, Said) or not turn.images:
        return turn
    return Said(turn.role, f"{turn.text}\n\n{UNSEEN}")


def read_arguments(text: str) -> dict[str, msgspec.Raw] | None:
    """Read a model's arguments; None: they are no JSON object, or too long.

    Every value is written anew, on one line: a journal line may hold no newline.
    """
    if len(text) > MAX_ARGUMENTS_CHARS:
        return None
    try:
        values = decode((text.strip() or "{}").encode(errors="replace"), dict[str, object])
        return {name: msgspec.Raw(encode(value)) for name, value in values.items()}
    except (PermanentError, UnicodeEncodeError):
        return None


def bounded(result: Result) -> Result | Failure:
    """Return *result*, or the failure that says it is longer than a result may be."""
    size_bytes = len(result.text.encode())
    if size_bytes <= MAX_RESULT_BYTES and len(encode(result)) <= MAX_JOURNAL_LINE_BYTES:
        return result
    return Failure(
        reason=Reason.RESULT_TOO_LARGE,
        detail=f"the answer has {size_bytes} bytes; a result has at most {MAX_RESULT_BYTES}",
        usage=result.usage,
    )
