"""A message through a web channel, as its page sends one, and its answer.

| variable | meaning |
|---|---|
| `SYMPOZIUM_WEB_URL` | where the channel is |
| `SYMPOZIUM_WEB_TOKEN` | what it asks callers for |
| `SYMPOZIUM_ASK` | the message |
| `SYMPOZIUM_ASK_PATIENCE_S` | how long its answer may take; default 120 |
| `SYMPOZIUM_ASK_MODEL` | `yes`, the default: the Agent has a model, which has to answer; `no`: |
| | it has none yet, and the sentence that says so is all that can come back |
"""

import asyncio
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from sympozium.contract.errors import PermanentError
from sympozium.contract.reasons import Reason
from sympozium.runtime.settings import Reader

RETRY_S = 0.5
REQUEST_TIMEOUT_S = 10.0
DONE = "done"

WITHOUT_MODEL = frozenset(
    {Reason.MODEL_REFUSED, Reason.MODEL_UNREACHABLE, Reason.MODEL_TIMEOUT, Reason.CONFIGURATION}
)
"""How a message ends whose Agent has no model: only after all else has worked."""


class EndedInErrorError(PermanentError):
    """The message was answered with an error, which came back through the whole system.

    Attributes:
        code: A `Reason`.
        sentence: What people read.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"the answer is an error: {sentence}")
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True)
class Question:
    """What to ask, and where.

    Attributes:
        page: `host:port` under which the page knows itself, wherever it is reached.
        has_model: Whether anybody can answer; if not, being told so is all there is to get.
        conversation: One of its own.
    """

    url: str
    text: str
    token: str = field(repr=False)
    patience_s: int = 120
    page: str = "127.0.0.1:8400"
    has_model: bool = True
    conversation: str = field(default_factory=lambda: f"trial-{uuid.uuid4().hex}")


async def ask() -> None:
    """Ask, print the answer and how long it took.

    Raises:
        PermanentError: The message ended with an error, or not in time.
    """
    reader = Reader()
    question = Question(
        url=reader.text("SYMPOZIUM_WEB_URL").rstrip("/"),
        text=reader.text("SYMPOZIUM_ASK", "Are you there?"),
        token=reader.text("SYMPOZIUM_WEB_TOKEN"),
        patience_s=reader.number("SYMPOZIUM_ASK_PATIENCE_S", 120, low=1, high=3600),
        has_model=reader.choice("SYMPOZIUM_ASK_MODEL", "yes", ("yes", "no")) == "yes",
    )
    reader.finish()
    begun = time.monotonic()
    outcome = await outcome_of(question)
    sys.stdout.write(f"asked:    {question.text}\n{outcome}\n")
    sys.stdout.write(f"took:     {time.monotonic() - begun:.1f} s\n")


async def outcome_of(question: Question) -> str:
    """Return what came of a question, in words for whoever runs the test.

    An error passes only where there is no model to answer, and only if that is what it says.

    Raises:
        PermanentError: As `answer_to`.
    """
    try:
        return f"answered: {await answer_to(question)}"
    except EndedInErrorError as error:
        if question.has_model or error.code not in WITHOUT_MODEL:
            raise
        return (
            f"answered: {error.sentence}\n"
            "The whole way of a message works, there and back. NOBODY ANSWERS YET: the Agent has "
            "no model; set example.model.secret or example.model.baseURL."
        )


async def answer_to(question: Question) -> str:
    """Return the answer to a question that opens a conversation of its own.

    Raises:
        EndedInErrorError: The message ended with an error.
        PermanentError: It did not end in time; the text says how far it came.
    """
    headers = {
        "Authorization": f"Bearer {question.token}",
        "Host": question.page,
    }
    path = f"/api/conversations/{question.conversation}/messages"
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    dialogue = _Dialogue(question, path)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        try:
            async with asyncio.timeout(question.patience_s):
                return await dialogue.hold(session)
        except TimeoutError:
            raise PermanentError(
                f"cannot get an answer through {question.url} within {question.patience_s} s: "
                f"{dialogue.state}"
            ) from None


class _Dialogue:
    """One question and its answer, across answers that do not come."""

    def __init__(self, question: Question, path: str) -> None:
        self._question = question
        self._url = question.url + path
        self._id = uuid.uuid4().hex  # the same at every attempt, so it is answered once
        self.state = "nothing was sent"

    async def hold(self, session: aiohttp.ClientSession) -> str:
        """Send until it is accepted, and look until it is answered."""
        message_id = (await self._until_done(session, "post"))["message_id"]
        self.state = "the message was accepted, and is not answered"
        while True:
            for message in (await self._until_done(session, "get"))["messages"]:
                if message["in_reply_to"] == message_id and message["error"]:
                    error = message["error"]
                    raise EndedInErrorError(error["code"], error["message"])
                if message["in_reply_to"] == message_id and message["state"] == DONE:
                    return str(message["text"])
            await asyncio.sleep(RETRY_S)

    async def _until_done(self, session: aiohttp.ClientSession, method: str) -> Any:
        body = {"text": self._question.text, "id": self._id} if method == "post" else None
        while True:
            try:
                async with session.request(method, self._url, json=body) as response:
                    if response.status < 300:
                        return await response.json()
                    said = f"{response.status} {await response.text()}"
                    if response.status < 500:
                        raise PermanentError(f"the web channel refuses the request: {said}")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                said = f"{type(error).__name__} {error}"
            self.state = f"the web channel does not take requests: {said}"
            await asyncio.sleep(RETRY_S)
