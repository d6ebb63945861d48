"""Whatever the model does, the person hears one clear sentence, with the run's name."""

from typing import Any

import pytest

from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("hangs", {"fault": "hang"}, "ModelTimeout"),
    ("hangs in the middle", {"fault": "hang", "after_tokens": 2}, "ModelTimeout"),
    ("is overloaded", {"status": 429, "retry_after_s": 0.1}, "ModelOverloaded"),
    ("fails", {"status": 500}, "ModelOverloaded"),
    ("refuses the key", {"status": 401}, "ModelRefused"),
    ("truncates its stream", {"fault": "truncate", "after_tokens": 2}, "ModelBadAnswer"),
    ("sends broken JSON", {"fault": "bad_json"}, "ModelBadAnswer"),
    ("sends a web page", {"fault": "html"}, "ModelBadAnswer"),
    ("says nothing", {"fault": "empty"}, "ModelBadAnswer"),
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("name", "behaviour", "code"), FAULTS, ids=[fault[0] for fault in FAULTS])
async def test_a_model_that_misbehaves_is_told_in_a_sentence(
    person: Person, model: ScriptedModel, name: str, behaviour: dict[str, Any], code: str
) -> None:
    await model.script({"match": "question", **behaviour})
    answer = await person.ask(f"model-{name.replace(' ', '-')}", "a question")
    assert answer["error"]["code"] == code
    sentence = answer["error"]["message"]
    assert "web-" in sentence, "the run's name is there to quote"
    for internal in ("Traceback", "127.0.0.1", "Error(", "httpx", "openai."):
        assert internal not in sentence


@pytest.mark.timeout(120)
async def test_a_model_that_recovers_is_asked_again_and_answers(
    person: Person, model: ScriptedModel
) -> None:
    await model.script(
        {"match": "question", "status": 503, "times": 1}, {"match": "question", "answer": "Fine."}
    )
    answer = await person.ask("model-recovers", "a question")
    assert (answer["error"], answer["text"]) == (None, "Fine.")
