"""What a person sees of an answer, from "working on it" to its end."""

import pytest

from sympozium.chat.platform import Mark
from sympozium.contract.messages import Choice, Command, InboundKind
from sympozium.testing.channels.driver import Seen, Spot, Where
from sympozium.testing.channels.stage import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


async def test_an_answer_is_shown_once_and_leaves_nothing_else_behind(shared: Stage) -> None:
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    if shared.driver.capabilities.can_edit:
        await shared.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    await shared.backstage.finish(heard, run, "two pods run here")
    await shared.sees_once(where, "two pods run here")
    assert len(shared.driver.seen(where)) == 1


async def test_an_answer_grows_and_its_end_replaces_what_was_seen(shared: Stage) -> None:
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    if shared.driver.capabilities.can_edit:
        await shared.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    await shared.backstage.starts(run)
    await shared.sees_live(
        where, "there are two", lambda: shared.backstage.writes(run, "there are two pods ")
    )
    await shared.backstage.finish(heard, run, "in truth three pods")
    await shared.sees_once(where, "in truth three pods")
    assert not any("there are two" in one.text for one in shared.driver.seen(where))


async def test_progress_of_a_tool_is_seen(shared: Stage) -> None:
    if not shared.driver.capabilities.can_edit:
        pytest.skip("there is no placeholder that could say so")
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    await shared.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    await shared.backstage.starts(run)
    await shared.sees_live(where, "list_pods", lambda: shared.backstage.uses(run, "list_pods"))
    await shared.backstage.finish(heard, run, "two pods")
    await shared.sees_once(where, "two pods")


async def test_who_waits_for_capacity_sees_that_and_no_more_when_work_begins(
    shared: Stage,
) -> None:
    if not shared.driver.capabilities.can_edit:
        pytest.skip("there is no placeholder that could say so")
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    await shared.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    await shared.sees_live(
        where,
        "waiting for capacity: 3 before you",
        lambda: shared.backstage.waits(run, 3, for_capacity=True),
    )
    await shared.backstage.finish(heard, run, "two pods")
    await shared.sees_once(where, "two pods")
    assert not any("before you" in one.text for one in shared.driver.seen(where))


async def test_an_answer_is_seen_in_the_thread_of_its_question_and_nowhere_else(
    shared: Stage,
) -> None:
    if not shared.driver.traits.has_threads:
        pytest.skip("there are no threads there")
    here, elsewhere = shared.somewhere(), shared.somewhere()
    said, heard = await shared.asks("ada", here)
    other_said, other = await shared.asks("bob", elsewhere)
    await shared.backstage.finish(heard, await shared.backstage.accept(heard), "for ada")
    await shared.backstage.finish(other, await shared.backstage.accept(other), "for bob")
    ada, bob = await shared.sees_once(here, "for ada"), await shared.sees_once(elsewhere, "for bob")
    assert (ada.in_thread_of, bob.in_thread_of) == (said, other_said)
    assert not any("for bob" in one.text for one in shared.driver.seen(here))
    assert not any("for ada" in one.text for one in shared.driver.seen(elsewhere))


async def test_two_people_at_once_each_get_their_own_answers_in_order(shared: Stage) -> None:
    ada, bob = shared.somewhere(direct=True), shared.somewhere(direct=True)
    if Spot.CHANNEL in shared.driver.traits.spots:
        bob = shared.somewhere()
    asked = []
    for number in range(3):
        asked.append((ada, f"ada {number}", (await shared.asks("ada", ada))[1]))
        asked.append((bob, f"bob {number}", (await shared.asks("bob", bob))[1]))
    for _, answer, heard in asked:
        await shared.backstage.finish(heard, await shared.backstage.accept(heard), answer)
    for where, answer, _ in asked:
        await shared.sees_once(where, answer)
    for where, name in ((ada, "ada"), (bob, "bob")):
        texts = [one.text for one in shared.driver.seen(where)]
        assert sorted(texts) == [f"{name} {number}" for number in range(3)]
        talks = {heard.conversation for at, _, heard in asked if at is where}
        for talk in talks:  # a mention may begin a thread of its own, which waits for no other
            answers = [answer for _, answer, heard in asked if heard.conversation == talk]
            assert [text for text in texts if text in answers] == answers


async def test_a_long_answer_keeps_its_words_and_its_code(shared: Stage) -> None:
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    code = "\n".join(f"line{number} = {number}" for number in range(400))
    prose = " ".join(f"word{number}" for number in range(200))
    await shared.backstage.finish(heard, run, f"{prose}\n\n```python\n{code}\n```\n\nthe end")
    await shared.sees(where, lambda seen: _whole(seen).endswith("the end"), "the end of the answer")
    words = _whole(shared.driver.seen(where)).split()
    assert [word for word in words if word.startswith("word")] == prose.split()
    assert [word for word in words if word.startswith("line")] == [
        f"line{number}" for number in range(400)
    ]


async def test_an_answer_without_measure_becomes_a_file(shared: Stage) -> None:
    if not shared.driver.capabilities.max_file_bytes:
        pytest.skip("no files can be sent there")
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    text = "\n\n".join(f"paragraph {number} " + "x" * 500 for number in range(500))
    await shared.backstage.finish(heard, run, text)
    await shared.sees(where, lambda seen: any(one.files for one in seen), "a file")
    assert len(shared.driver.seen(where)) <= shared.driver.capabilities.max_pieces + 1


async def test_an_error_is_said_in_its_own_words(shared: Stage) -> None:
    where = shared.somewhere()
    said, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    await shared.backstage.fail(heard, run, "The model stopped answering. (stage-1)")
    await shared.sees_once(where, "The model stopped answering. (stage-1)")
    await shared.marked(said, Mark.FAILED)


async def test_the_reaction_follows_the_message(shared: Stage) -> None:
    where = shared.somewhere()
    said, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    await shared.marked(said, Mark.RUNNING)
    await shared.backstage.finish(heard, run, "done")
    await shared.marked(said, Mark.DONE)


async def test_what_a_model_writes_pings_nobody(shared: Stage) -> None:
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    me = shared.driver.user_id("ada")
    text = f"hello <!channel> @everyone @here <@{me}> <@!{me}> @ada [x](tg://user?id={me}) end"
    await shared.backstage.finish(heard, run, text)
    seen = await shared.sees_once(where, "end")
    assert seen.pings == ()


async def test_markup_is_applied_and_not_shown(shared: Stage) -> None:
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    await shared.backstage.finish(heard, run, "this is **very** important")
    seen = await shared.sees_once(where, "important")
    assert " ".join(seen.text.split()) == "this is very important"
    assert seen.has_markup


async def test_buttons_ask_for_what_they_say(shared: Stage) -> None:
    if not shared.driver.capabilities.has_choices:
        pytest.skip("there are no buttons there")
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    choice = Choice(label="Use small", command=Command(name="model", arguments="small"))
    await shared.backstage.finish(heard, None, "Which model?", choices=[choice], is_notice=True)
    seen = await shared.sees_once(where, "Which model?")
    assert seen.buttons == ("Use small",)
    await shared.driver.presses("bob", seen.id, "Use small")
    pressed = await shared.heard(where)
    assert (pressed.kind, pressed.command) == (InboundKind.COMMAND, choice.command)
    assert pressed.sender.user_id == shared.driver.user_id("bob")
    assert pressed.conversation == heard.conversation


async def test_choices_are_written_out_where_there_are_no_buttons(shared: Stage) -> None:
    if shared.driver.capabilities.has_choices:
        pytest.skip("there are buttons there")
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    choice = Choice(label="Use small", command=Command(name="model", arguments="small"))
    await shared.backstage.finish(heard, None, "Which model?", choices=[choice], is_notice=True)
    await shared.sees_once(where, "!model small")


async def test_a_stop_button_names_the_run(shared: Stage) -> None:
    if not (shared.driver.capabilities.has_choices and shared.driver.capabilities.can_edit):
        pytest.skip("there is no placeholder with buttons there")
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    seen = await shared.sees(where, lambda seen: any(one.buttons for one in seen), "a button")
    await shared.driver.presses("ada", seen[0].id, seen[0].buttons[0])
    pressed = await shared.heard(where)
    assert pressed.command == Command(name="stop", arguments=run.name)
    await shared.backstage.fail(heard, run, "Cancelled. (stage-2)")
    ended = await shared.sees_once(where, "Cancelled. (stage-2)")
    assert ended.buttons == ()


async def test_a_message_that_waits_has_no_placeholder_until_its_run_starts(shared: Stage) -> None:
    if not shared.driver.capabilities.can_edit:
        pytest.skip("there are no placeholders there")
    where = shared.somewhere(direct=True)
    _, first = await shared.asks("ada", where)
    _, second = await shared.asks("ada", where)
    one = await shared.backstage.accept(first)
    two = await shared.backstage.accept(second, waiting_for=1)
    await shared.backstage.finish(first, one, "first answer")
    await shared.sees_once(where, "first answer")
    assert len(shared.driver.seen(where)) == 1
    await shared.backstage.finish(second, two, "second answer")
    await shared.sees_once(where, "second answer")
    assert len(shared.driver.seen(where)) == 2


async def test_a_message_that_another_answer_covers_says_nothing_more(shared: Stage) -> None:
    where = shared.somewhere(direct=True)
    _, first = await shared.asks("ada", where)
    said, second = await shared.asks("ada", where)
    await shared.backstage.accept(second)
    await shared.backstage.finish(first, await shared.backstage.accept(first), "both answered")
    await shared.backstage.join(second, first)
    await shared.sees_once(where, "both answered")
    await shared.sees(where, lambda seen: len(seen) == 1, "nothing but the answer")
    await shared.marked(said, Mark.DONE)


async def test_a_withdrawn_message_leaves_nothing(shared: Stage) -> None:
    where = shared.somewhere()
    said, heard = await shared.asks("ada", where)
    await shared.backstage.accept(heard)
    if shared.driver.capabilities.can_edit:
        await shared.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    await shared.backstage.drop(heard)
    await shared.sees(where, lambda seen: seen == [], "nothing")
    await shared.marked(said, Mark.NONE)


async def test_a_file_of_an_answer_is_sent_with_it(shared: Stage) -> None:
    if not shared.driver.capabilities.max_file_bytes:
        pytest.skip("no files can be sent there")
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    file = await shared.backstage.file(run, "pods.txt", b"pod a\npod b\n" * 50_000)
    await shared.backstage.finish(heard, run, "see the file", files=[file])
    await shared.sees_once(where, "see the file")
    await shared.sees(
        where, lambda seen: sum("pods.txt" in one.files for one in seen) == 1, "pods.txt once"
    )


async def test_a_notice_is_for_its_asker_where_the_platform_can_do_that(shared: Stage) -> None:
    where = shared.somewhere()
    if shared.driver.traits.has_commands:
        await shared.driver.commands("ada", where, "help")
        heard = await shared.heard(where)
    else:
        _, heard = await shared.asks("ada", where)
    await shared.backstage.finish(heard, None, "This is help.", is_notice=True, is_private=True)
    seen = await shared.sees_once(where, "This is help.")
    can = shared.driver.capabilities.has_private and where.spot is Spot.CHANNEL
    assert seen.only_for in (("ada",) if can else ("", "ada"))


async def test_an_end_that_is_said_again_is_shown_once(shared: Stage) -> None:
    where = shared.somewhere()
    _, heard = await shared.asks("ada", where)
    run = await shared.backstage.accept(heard)
    said = await shared.backstage.finish(heard, run, "only once")
    await shared.backstage.repeat(said, times=4)
    _, barrier = await shared.asks("ada", Where(where.spot, where.name))
    await shared.backstage.finish(barrier, await shared.backstage.accept(barrier), "barrier")
    await shared.sees_once(where, "barrier")
    assert sum("only once" in one.text for one in shared.driver.seen(where)) == 1


def _whole(seen: list[Seen]) -> str:
    return "\n".join(one.text for one in seen).strip()
