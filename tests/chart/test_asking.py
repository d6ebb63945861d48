"""What `helm test` finds out with one message: an answer, an error, no model yet, or silence."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sympozium.bus.admin import ensure_bus, ensure_consumer
from sympozium.bus.nats import connect
from sympozium.contract.errors import PermanentError
from sympozium.contract.reasons import Reason
from sympozium.contract.subjects import ROUTER_GROUP, history, inbox_consumer, outbox_consumer
from sympozium_controller.setup.asking import EndedInErrorError, Question, outcome_of
from tests.chart.helm import named, objects
from tests.fixtures.nats_server import NatsServer
from tests.web.parts import CHANNEL, NAMESPACE, MemoryRouter, WebProgram

SENTENCE = "The model refuses the request."


@dataclass
class Chat:
    """A web channel as a pod has it, and the router behind it."""

    web: WebProgram
    router: MemoryRouter

    def question(self, *, has_model: bool) -> Question:
        """Return what the test pod asks."""
        page = self.web.url.removeprefix("http://")
        return Question(self.web.url, "Are you there?", "", page=page, has_model=has_model)

    async def outcome(self, question: Question, code: str) -> str:
        """Ask, and let the router end the message with an error, or with an answer."""

        async def end() -> None:
            message = await self.router.next_message(question.conversation)
            if code:
                await self.router.fail(message, code, SENTENCE)
            else:
                await self.router.finish(message, "Yes.")

        async with asyncio.TaskGroup() as group:
            group.create_task(end())
            outcome = group.create_task(_kept(question))
        result = outcome.result()
        if isinstance(result, PermanentError):
            raise result
        return result


async def _kept(question: Question) -> str | PermanentError:
    try:
        return await outcome_of(question)
    except PermanentError as error:
        return error


@pytest.fixture
async def chat(tmp_path: Path, nats_server: NatsServer) -> AsyncIterator[Chat]:
    """A web channel over a bus of its own, and a router from memory."""
    async with connect(nats_server.address("router")) as bus:
        await ensure_bus(bus.client)
        for consumer in (inbox_consumer(NAMESPACE), outbox_consumer(NAMESPACE, CHANNEL)):
            await ensure_consumer(bus.client, consumer)
        web = WebProgram(nats_server.url, tmp_path / "web.log")
        try:
            web.start()
            async with bus.consume(inbox_consumer(NAMESPACE)) as deliveries:
                router = MemoryRouter(bus, deliveries)
                subject = history(NAMESPACE, CHANNEL)
                async with bus.respond(subject, router.answer_history, group=ROUTER_GROUP):
                    yield Chat(web, router)
        finally:
            web.kill()


async def test_an_answer_is_what_the_test_prints(chat: Chat) -> None:
    question = chat.question(has_model=True)
    assert await chat.outcome(question, "") == "answered: Yes."


async def test_being_told_that_there_is_no_model_passes_where_there_is_none(chat: Chat) -> None:
    question = chat.question(has_model=False)
    said = await chat.outcome(question, Reason.MODEL_REFUSED)
    assert SENTENCE in said
    assert "NOBODY ANSWERS YET" in said


@pytest.mark.parametrize(
    ("has_model", "code"), [(True, Reason.MODEL_REFUSED), (False, Reason.IMAGE_PULL)]
)
async def test_an_error_that_a_model_would_not_mend_fails_the_test(
    chat: Chat, has_model: bool, code: Reason
) -> None:
    with pytest.raises(EndedInErrorError, match=SENTENCE):
        await chat.outcome(chat.question(has_model=has_model), code)


async def test_silence_fails_the_test_without_a_model_too() -> None:
    nobody = Question("http://127.0.0.1:9", "Are you there?", "", patience_s=1, has_model=False)
    with pytest.raises(PermanentError, match="within 1 s"):
        await outcome_of(nobody)


@pytest.mark.parametrize(
    ("given", "has_model"),
    [
        ((), "no"),
        (("--set", "example.model.secret=key"), "yes"),
        (("--set", "example.model.baseURL=https://models.example.org/v1"), "yes"),
    ],
)
def test_the_pod_knows_whether_there_is_a_model(
    helm: str, given: tuple[str, ...], has_model: str
) -> None:
    (container,) = named(objects(helm, *given), "Pod", "sympozium-test")["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["SYMPOZIUM_ASK_MODEL"] == has_model
