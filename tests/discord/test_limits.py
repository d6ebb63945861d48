"""Answers under Discord's limits: all of them come, and nothing is called that would be refused."""

import pytest

from sympozium.testing.channels.driver import Fault
from tests.discord.running import Running, direct

pytestmark = pytest.mark.timeout(60)


async def test_answers_keep_within_the_limits_that_discord_tells(here: Running) -> None:
    limits = here.discord.api.limits
    limits.by_route["POST /channels/{room}/messages"] = (2, 1.0)
    limits.by_route["PATCH /channels/{room}/messages/{message}"] = (2, 1.0)
    reactions = "/channels/{room}/messages/{message}/reactions/{emoji}/@me"
    for method in ("PUT", "DELETE"):
        limits.by_route[method + " " + reactions] = (1, 0.25)
    places = [direct(here) for _ in range(3)]
    asked = []
    for number in range(3):
        for where in places:
            _, heard = await here.stage.asks("ada", where, f"question {number}")
            asked.append((where, f"answer {number}.", heard))
    for _, text, heard in asked:
        run = await here.stage.backstage.accept(heard)
        await here.stage.backstage.finish(heard, run, text)
    for where, text, _ in asked:
        await here.stage.sees_once(where, text)
    assert limits.exceeded == 0


async def test_a_penalty_is_kept_and_every_answer_comes(here: Running) -> None:
    places = [direct(here) for _ in range(4)]
    heard = [(where, (await here.stage.asks("ada", where))[1]) for where in places]
    here.discord.fail(Fault.BUSY, times=4, retry_after_s=0.5)
    for _, message in heard:
        run = await here.stage.backstage.accept(message)
        await here.stage.backstage.finish(message, run, "the answer")
    for where, _ in heard:
        await here.stage.sees_once(where, "the answer")
    assert here.discord.counts.calls_in_penalty == 0
