"""Scripted answers: what the model does when the last user message holds a given text."""

from collections import Counter
from typing import Literal

import msgspec

from sympozium.contract.errors import PermanentError
from sympozium_local.demo_model.wire import Action, CallTool, Request, Say

Fault = Literal["", "hang", "drip", "truncate", "reset", "bad_json", "html", "empty"]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do about messages that contain *match*.

    Attributes:
        match: Substring of the last user message; "" matches every one.
        answer: The text; absent: the demonstration's own.
        repeat: Answer with what a person said last, word for word.
        delay_s: Pause before every token.
        tool: Tool to call when a person spoke last.
        arguments: JSON of its arguments; may be broken on purpose.
        repeat_tool: Call the tool again after every tool result, for ever.
        status: HTTP status; one from 400 on is an error answer.
        key: Whoever presents another is answered with 401; "": every key will do.
        retry_after_s: Sent as Retry-After with an error answer.
        fault: `hang` stops sending, `drip` sends signs of life and no tokens, `truncate` ends
            without a finish reason, `reset` breaks the connection, each after *after_tokens*
            tokens; `bad_json`, `html` and `empty` are the whole answer.
        after_tokens: 0: `hang` and `reset` come before any byte of the answer.
        times: Only the first so many calls that match; 0: all of them.
    """

    match: str = ""
    answer: str | None = None
    repeat: bool = False
    delay_s: float = 0.0
    tool: str = ""
    arguments: str = "{}"
    repeat_tool: bool = False
    status: int = 200
    key: str = ""
    retry_after_s: float | None = None
    fault: Fault = ""
    after_tokens: int = 0
    times: int = 0

    def action(self, request: Request, otherwise: Action) -> Action:
        """Return what is answered, where *otherwise* is the demonstration's own choice."""
        is_after_tool = bool(request.messages) and request.messages[-1].role == "tool"
        if self.tool and (self.repeat_tool or not is_after_tool):
            return CallTool(self.tool, self.arguments)
        if self.repeat:
            return Say(request.last_user_text)
        return otherwise if self.answer is None else Say(self.answer)


class Script:
    """The behaviours in force, and how often each was called."""

    def __init__(self, behaviours: list[Behaviour] | None = None) -> None:
        self._behaviours = behaviours or []
        self._used: Counter[int] = Counter()
        self.calls: Counter[str] = Counter()
        self.total = 0

    def replace(self, *behaviours: Behaviour) -> None:
        """Follow *behaviours* from now on, and count anew."""
        self._behaviours = list(behaviours)
        self._used.clear()
        self.calls.clear()
        self.total = 0

    def choose(self, request: Request) -> Behaviour:
        """Count the call and return the first behaviour that matches and is not used up."""
        self.total += 1
        text = request.last_user_text
        for index, behaviour in enumerate(self._behaviours):
            if behaviour.match not in text:
                continue
            if behaviour.times and self._used[index] >= behaviour.times:
                continue
            self._used[index] += 1
            self.calls[behaviour.match] += 1
            return behaviour
        return Behaviour()


def parse_script(text: str) -> list[Behaviour]:
    """Read behaviours: a JSON list, or one JSON object a line.

    Raises:
        PermanentError: The text is neither, or a field is unknown or of the wrong type.
    """
    try:
        if text.lstrip().startswith("["):
            return msgspec.json.decode(text, type=list[Behaviour])
        lines = (line for line in text.splitlines() if line.strip())
        return [msgspec.json.decode(line, type=Behaviour) for line in lines]
    except msgspec.MsgspecError as error:
        raise PermanentError(f"cannot read the script: {error}") from None
