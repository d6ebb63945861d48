"""What a person sees when the platform, the bus or the channel itself fails."""

import pytest

from sympozium.chat.platform import Mark
from sympozium.contract.messages import Command, InboundMessage
from sympozium.contract.subjects import OUTBOX
from sympozium.testing.channels.driver import Fault, Spot, Where
from sympozium.testing.channels.stage import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]

PASSING = [Fault.BUSY, Fault.BROKEN, Fault.RESET, Fault.LOST_ANSWER]


@pytest.mark.parametrize("fault", PASSING)
async def test_an_answer_is_shown_once_whatever_its_sending_meets(own: Stage, fault: Fault) -> None:
    _needs_faults(own)
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    run = await own.backstage.accept(heard)
    await own.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    own.driver.fail(fault, times=2)
    await own.backstage.finish(heard, run, "the one answer")
    await own.sees_once(where, "the one answer")
    _, barrier = await own.asks("ada", own.somewhere())
    assert barrier is not None
    assert sum("the one answer" in one.text for one in own.driver.seen(where)) == 1
    assert own.driver.counts.calls_in_penalty == 0


@pytest.mark.parametrize("fault", PASSING)
async def test_an_answer_is_shown_once_whatever_its_placeholder_meets(
    own: Stage, fault: Fault
) -> None:
    _needs_faults(own)
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    own.driver.fail(fault, times=2)
    run = await own.backstage.accept(heard)
    await own.backstage.finish(heard, run, "the one answer")
    await own.sees_once(where, "the one answer")
    assert own.driver.counts.calls_in_penalty == 0


async def test_words_come_without_markup_where_the_markup_is_refused(own: Stage) -> None:
    _needs_faults(own)
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    run = await own.backstage.accept(heard)
    await own.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    own.driver.fail(Fault.MARKUP, times=1)
    await own.backstage.finish(heard, run, "this is **plain** text")
    seen = await own.sees_once(where, "plain")
    assert " ".join(seen.text.split()) == "this is plain text"


async def test_a_closed_chat_ends_in_the_dead_letters_and_holds_nobody_else(own: Stage) -> None:
    _needs_faults(own)
    closed, open_ = own.somewhere(), own.somewhere()
    _, heard = await own.asks("ada", closed)
    _, other = await own.asks("bob", open_)
    own.driver.fail(Fault.GONE, times=1)
    await own.backstage.finish(heard, None, "never seen")
    await own.backstage.desk.told_of_trouble()
    assert await own.backstage.dead_letters(OUTBOX) == 1
    await own.backstage.finish(other, await own.backstage.accept(other), "still seen")
    await own.sees_once(open_, "still seen")
    assert not any("never seen" in one.text for one in own.driver.seen(closed))


async def test_a_revoked_token_is_reported(own: Stage) -> None:
    _needs_faults(own)
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    own.driver.fail(Fault.REVOKED, times=1)
    await own.backstage.finish(heard, None, "never seen")
    assert (await own.backstage.desk.told_of_trouble()).reason


async def test_a_killed_channel_finishes_what_it_had_begun(own: Stage) -> None:
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    run = await own.backstage.accept(heard)
    if own.driver.capabilities.can_edit:
        await own.sees(where, lambda seen: len(seen) == 1, "a placeholder")
        await own.backstage.desk.noted(
            heard.message_id
        )  # before, nobody could know of the placeholder
    own.program.kill()
    await own.backstage.finish(heard, run, "after the crash")
    await own.program.start()
    await own.sees_once(where, "after the crash")
    assert len(own.driver.seen(where)) == 1


async def test_messages_written_while_the_channel_is_away_are_heard(own: Stage) -> None:
    _needs_faults(own)
    where = own.somewhere(direct=True)
    await own.asks("ada", where, "before")
    await own.program.stop()
    await own.driver.says("ada", where, "meanwhile")
    await own.program.start()
    assert (await own.heard(where)).text == "meanwhile"


async def test_a_message_is_confirmed_only_when_the_bus_has_it(own: Stage) -> None:
    _needs_faults(own)
    where = own.somewhere(direct=True)
    await own.asks("ada", where, "before")
    own.nats.kill()
    said = await own.driver.says("ada", where, "is anybody there?")
    await own.program.unready()
    confirmed = list(own.driver.counts.accepted)
    await own.nats.start()
    assert (await own.heard(where)).text == "is anybody there?"
    assert said not in confirmed
    await own.program.ready()


async def test_messages_are_heard_after_every_connection_was_cut(own: Stage) -> None:
    where = own.somewhere(direct=True)
    await own.asks("ada", where, "before")
    await own.driver.cuts_connections()
    _, heard = await own.asks("ada", where, "after")
    assert heard.text == "after"


async def test_an_answer_follows_a_bus_that_comes_back(own: Stage) -> None:
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    own.nats.kill()
    await own.nats.start()
    await own.program.ready()
    run = await own.backstage.accept(heard)
    await own.backstage.finish(heard, run, "the bus is back")
    await own.sees_once(where, "the bus is back")


@pytest.mark.timeout(240)
async def test_who_writes_to_a_full_inbox_sees_that_it_is_not_stored_yet_until_it_is(
    own: Stage,
) -> None:
    _needs_faults(own)
    where = own.somewhere()
    await own.asks("ada", where, "before")
    await own.backstage.fill()
    mention = where.spot is Spot.CHANNEL
    texts = ("is anybody there?", "and now?")
    said = [await own.driver.says("ada", where, text, mention=mention) for text in texts]
    for one in said:
        await own.marked(one, Mark.HELD)
    private = own.somewhere(direct=True)
    command = await own.driver.says("ada", private, "!status")
    await own.marked(command, Mark.HELD)
    await own.backstage.make_room()
    for one, text in zip(said, texts, strict=True):
        assert (await _heard_in_the_end(own, where)).text == text
        await own.marked(one, Mark.STORED)
    assert (await _heard_in_the_end(own, private)).command == Command(name="status")
    await own.marked(command, Mark.NONE)


async def test_a_channel_that_is_asked_to_stop_ends_without_a_fault(own: Stage) -> None:
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    await own.backstage.accept(heard)
    assert await own.program.stop() == 0


async def test_no_secret_is_in_the_log(own: Stage) -> None:
    _, heard = await own.asks("ada", own.somewhere(), "a question nobody should log")
    own.driver.fail(Fault.BROKEN, times=1)
    await own.backstage.finish(heard, await own.backstage.accept(heard), "an answer")
    await own.program.stop()
    secrets = [value for name, value in own.driver.env.items() if _is_secret(name)]
    assert not [secret for secret in secrets if secret in own.program.log]
    assert "a question nobody should log" not in own.program.log


async def _heard_in_the_end(stage: Stage, where: Where) -> InboundMessage:
    """Return the next message of a place, which is tried again at longer and longer intervals."""
    return await stage.backstage.heard(stage.driver.chat_id(where), patience_s=60.0)


def _is_secret(name: str) -> bool:
    return name.endswith(("_TOKEN", "_SECRET"))


def _needs_faults(stage: Stage) -> None:
    if not stage.driver.traits.has_commands:
        pytest.skip("the channel is its own platform")
