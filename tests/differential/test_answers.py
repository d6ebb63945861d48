"""The embedded API server answers as the real one did when it was recorded."""

import asyncio
from pathlib import Path

import pytest

from tests.differential.compare import differences, sort_out
from tests.differential.embedded import embedded_server
from tests.differential.play import Transcripts, load_cases, play_all
from tests.differential.recordings import load

CASES = {name: one for name, one in load_cases().items() if one.topic not in {"kubectl", "pods"}}

pytestmark = pytest.mark.timeout(120)  # the first test plays all cases


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Transcripts, dict[str, str]]:
    """Return what the embedded server answers to every case."""

    async def play() -> tuple[Transcripts, dict[str, str]]:
        async with embedded_server(tmp_path_factory.mktemp("server")) as server:
            return await play_all(server, CASES.values())

    return asyncio.run(play())


@pytest.mark.parametrize("name", CASES)
def test_the_embedded_server_answers_as_the_real_one(
    name: str, played: tuple[Transcripts, dict[str, str]]
) -> None:
    transcripts, failures = played
    recorded = load(CASES[name].topic)
    assert name in recorded, "nothing is recorded of this case: python -m tests.differential.record"
    found = differences(recorded[name], transcripts[name])
    unlisted, stale = sort_out(found, CASES[name].differs)
    assert (unlisted, stale, failures.get(name)) == ({}, [], None)
