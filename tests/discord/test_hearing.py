"""Who and what is heard in Discord, and what is not."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from sympozium.contract.messages import Command, InboundKind
from sympozium.testing.channels.driver import Handed, Where
from tests.discord.running import Running, direct, running
from tests.platforms.discord.ids import new_id
from tests.platforms.discord.world import Json

pytestmark = pytest.mark.timeout(60)

ALERT: Json = {
    "title": "Disk is full",
    "description": "node-3 has 1 % left",
    "fields": [{"name": "severity", "value": "critical"}],
}


def bot(name: str) -> Json:
    return {"id": new_id(), "username": name, "discriminator": "0002", "bot": True}


async def test_bots_webhooks_and_the_system_are_not_heard(here: Running) -> None:
    where, room = here.channel()
    other = bot("other")
    here.writes(room, other, "one")
    here.writes(room, other, "two", webhook_id=other["id"])
    here.writes(room, here.world.person("ada"), "three", type=6)
    here.writes(room, here.world.bot_user, "four")
    _, heard = await here.stage.asks("ada", where, "five")
    assert heard.text == "five"


async def test_a_bot_that_is_listed_is_heard_where_it_names_the_bot(tmp_path: Path) -> None:
    alerts = bot("alerts")
    async with running(tmp_path, env={"SYMPOZIUM_BOTS": f"{alerts['id']}, 1"}) as here:
        where, room = here.channel()
        here.world.write(room, alerts, "nobody is named")
        here.writes(room, alerts, "look", embeds=[ALERT])
        heard = await here.stage.heard(where)
        assert heard.text == "look"
        assert heard.quoted == "Disk is full\nnode-3 has 1 % left\nseverity: critical"
        assert heard.sender.user_id == alerts["id"]


async def test_two_bots_that_follow_each_other_come_to_rest(here: Running) -> None:
    where, _room = here.channel()
    asked, heard = await here.stage.asks("ada", where)
    await here.stage.backstage.finish(heard, await here.stage.backstage.accept(heard), "an answer")
    await here.stage.sees_once(where, "an answer")
    here.writes(here.world.thread_on(asked), bot("other"), "and I answer you")
    assert (await here.barrier()).text == "barrier"
    assert len(here.discord.seen(where)) == 1


async def test_an_alert_that_somebody_replies_to_is_quoted(here: Running) -> None:
    where, room = here.channel()
    webhook = new_id()
    alert = here.world.write(room, bot("alerts") | {"id": webhook}, "", webhook_id=webhook)
    alert["embeds"] = [ALERT]
    reference = {"message_id": alert["id"], "channel_id": room.id}
    said = {"type": 19, "message_reference": reference, "referenced_message": alert}
    here.writes(room, here.world.person("ada"), "why?", **said)
    heard = await here.stage.heard(where)
    assert heard.text == "why?"
    assert "node-3 has 1 % left" in heard.quoted


async def test_a_reply_to_the_bot_is_for_the_bot(here: Running) -> None:
    where, room = here.channel()
    ours = here.world.write(room, here.world.bot_user, "shall I?")
    reference = {"message_id": ours["id"], "channel_id": room.id}
    said = {"type": 19, "message_reference": reference, "referenced_message": ours}
    here.world.write(room, here.world.person("ada"), "yes", **said)
    heard = await here.stage.heard(where)
    assert (heard.text, heard.addressed) == ("yes", True)


async def test_a_bare_mention_asks_for_help(here: Running) -> None:
    where, room = here.channel()
    here.writes(room, here.world.person("ada"), "")
    heard = await here.stage.heard(where)
    assert (heard.kind, heard.command) == (InboundKind.COMMAND, Command(name="help"))


async def test_the_role_that_was_made_for_the_bot_names_the_bot(here: Running) -> None:
    where, room = here.channel()
    tags = {"bot_id": here.world.bot}
    here.world.server_roles.append({"id": "7007", "name": "helper", "tags": tags})
    await here.stage.program.stop()
    here.gateway.sessions.clear()  # the next one is told of the roles as they are now
    await here.stage.program.start()
    ada = here.world.person("ada")
    here.world.write(room, ada, "<@&7007> which pods?", mention_roles=["7007"])
    assert (await here.stage.heard(where)).text == "which pods?"


async def test_a_sender_is_known_by_id_whatever_they_call_themselves(here: Running) -> None:
    where, room = here.channel()
    mallory = here.world.person("mallory") | {"username": "ada", "global_name": "Ada"}
    here.writes(room, mallory, "let me in")
    heard = await here.stage.heard(where)
    assert heard.sender.user_id == here.discord.user_id("mallory")
    assert heard.sender.workspace == here.world.guild


async def test_people_who_are_named_are_readable_and_counted(here: Running) -> None:
    where, room = here.channel()
    here.world.person("bob")
    bob = here.discord.user_id("bob")
    here.writes(room, here.world.person("ada"), f"ask <@{bob}> <:party:123456789>")
    heard = await here.stage.heard(where)
    assert (heard.text, heard.mentions_others) == ("ask @Bob :party:", True)


async def test_every_message_is_heard_where_the_channel_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, env={"SYMPOZIUM_TRIGGER": "all"}) as here:
        where, _ = here.channel()
        await here.discord.says("ada", where, "nobody is named")
        heard = await here.stage.heard(where)
        assert (heard.text, heard.addressed) == ("nobody is named", True)


async def test_threads_are_not_followed_where_the_channel_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, env={"SYMPOZIUM_FOLLOW_THREADS": "no"}) as here:
        where, room = here.channel()
        asked, _ = await here.stage.asks("ada", where)
        here.world.begin_thread(room, asked, "a thread")
        thread = Where(where.spot, where.name, thread=asked)
        await here.discord.says("ada", thread, "nobody is named")
        await here.discord.says("ada", thread, "now", mention=True)
        assert (await here.stage.heard(where)).text == "now"


async def test_a_preview_of_a_link_is_no_edit(here: Running) -> None:
    where, room = here.channel()
    said, _ = await here.stage.asks("ada", where, "see https://example.com")
    _, known = here.world.find(said)
    here.world.dispatch("MESSAGE_UPDATE", here.world.event_of(room, known | {"embeds": [ALERT]}))
    here.world.dispatch("MESSAGE_UPDATE", {"id": said, "channel_id": room.id, "embeds": [ALERT]})
    await here.discord.edits(said, "see nothing")
    edit = await here.stage.heard(where)
    assert (edit.kind, edit.text) == (InboundKind.EDIT, "see nothing")


async def test_deletions_of_messages_that_were_not_for_the_bot_are_not_stored(
    here: Running,
) -> None:
    where, _ = here.channel()
    private = await here.discord.says("ada", where, "between us")
    await here.discord.deletes(private)
    said, heard = await here.stage.asks("ada", where)
    await here.discord.deletes(said)
    deletion = await here.stage.heard(where)
    assert (deletion.kind, deletion.target) == (InboundKind.DELETE, heard.message_id)
    assert deletion.sender.user_id == heard.sender.user_id


async def test_files_come_without_the_token_and_from_the_channels_own_address(
    here: Running,
) -> None:
    where = direct(here)
    await here.discord.says("ada", where, "", files=[Handed("a.txt", "text/plain", b"words")])
    heard = await here.stage.heard(where)
    assert await here.stage.backstage.read(heard.files[0]) == b"words"
    assert [path.rsplit("/", 1)[1] for path in here.discord.fetched] == ["a.txt"]


async def test_a_file_that_takes_long_holds_nobody_else(here: Running) -> None:
    where = direct(here)
    here.discord.files_are_open.clear()
    await here.discord.says("ada", where, "look", files=[Handed("a.txt", "text/plain", b"words")])
    await here.discord.says("ada", where, "and then?")
    await here.discord.commands("ada", where, "status")
    assert (await here.stage.heard(where)).command == Command(name="status")
    assert (await here.barrier()).text == "barrier"
    here.discord.files_are_open.set()
    assert [(await here.stage.heard(where)).text for _ in range(2)] == ["look", "and then?"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://cdn.discordapp.com.evil.example/attachments/1/2/a.txt",
        "file:///etc/passwd",
        "https://evil.example/@cdn.discordapp.com/a.txt",
    ],
)
async def test_a_file_that_is_not_at_discord_is_named_and_not_fetched(
    here: Running, url: str
) -> None:
    room = here.world.channel("files")
    file = {"id": new_id(), "filename": "a.txt", "size": 5, "url": url}
    here.writes(room, here.world.person("ada"), "look", attachments=[file])
    heard = await here.stage.heard(Where(direct(here).spot.CHANNEL, "files"))
    assert heard.text == "look\n[the file a.txt could not be fetched]"
    assert heard.files == []
    assert here.discord.fetched == []


async def test_events_that_nobody_can_read_are_kept_and_stop_nothing(here: Running) -> None:
    nonsense: list[object] = [{}, [], "x", 7, {"id": "1"}, {"id": {}, "channel_id": []}]
    names = ["MESSAGE_CREATE", "MESSAGE_UPDATE", "INTERACTION_CREATE", "GUILD_CREATE"]
    for name in names:
        for data in nonsense:
            here.world.dispatch(name, data)  # type: ignore[arg-type] # that is the point
    here.gateway.send("this is not JSON {")
    here.gateway.send(json.dumps([1, 2, 3]))
    assert (await here.barrier()).text == "barrier"
    while await here.stage.backstage.dead_letters() <= len(names):  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.05)  # what is in other lanes than the barrier may come after it


async def test_mutated_events_never_stop_what_follows(here: Running) -> None:
    room = here.world.channel("mutated")
    chance = random.Random(7)
    event = here.world.event_of(room, here.world.write(room, bot("other"), "hello"))
    for _ in range(300):
        mutated = dict(event) | {"id": new_id()}
        for key in chance.sample(sorted(mutated), 3):
            mutated[key] = chance.choice([None, 1, -1.5, "", "\x00\ud800", [], {}, [[]], True])
        here.world.dispatch("MESSAGE_CREATE", mutated)
    assert (await here.barrier()).text == "barrier"


async def test_a_very_long_message_is_cut_and_said_so(here: Running) -> None:
    where = direct(here)
    await here.discord.says("ada", where, "\N{GRINNING FACE}" * 40_000)
    heard = await here.stage.heard(where)
    assert heard.text.endswith("[cut here: the message is longer than 64 KiB]")
