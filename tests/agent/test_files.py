"""Files of messages and answers, and what a stranger on the volume may do to them: nothing."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.envelope import encode
from sympozium.contract.limits import FILE_PART_BYTES, MAX_FILE_BYTES, MAX_FILES
from sympozium.contract.messages import Entry, FileRef, Role
from sympozium.contract.names import RunName
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import Failure, ModelAccess, Result, RunContext
from sympozium.contract.subjects import FILES, file_part
from sympozium_agent.attached import MAX_TEXT_BYTES, fenced, image_type, read_attached
from sympozium_agent.file_names import incoming_name, path_name, shown_name
from sympozium_agent.journal import JournalWriter
from sympozium_agent.loop import first_turns
from sympozium_agent.provider import Image, Said
from sympozium_agent.volume import FileRefusedError, new_file, open_file, open_folder
from sympozium_local.demo_model.script import Behaviour
from tests.agent.pod import NAMESPACE, RUN_UID, Pod, terminated

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def a_ref(name: str, *, id: str = "f", size_bytes: int = 3) -> FileRef:
    return FileRef(id=id, owner="web", name=name, size_bytes=size_bytes, parts=1)


def an_output(id: str, name: str = "report.txt") -> FileRef:
    return FileRef(id=id, owner="", name=name, media_type="text/plain", size_bytes=0, parts=0)


def put(folder: Path, ref: FileRef, data: bytes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / incoming_name(ref)).write_bytes(data)


async def stored(pod: Pod, ref: FileRef) -> bytes:
    """Return the bytes of a file, as the router reads them."""
    parts = [
        await pod.bus.last(FILES, file_part(NAMESPACE, ref.owner, ref.id, number))
        for number in range(ref.parts)
    ]
    return b"".join(part.data for part in parts if part is not None)


async def result_of(pod: Pod, *files: FileRef) -> Result:
    """Have an agent that is none of ours end with *files*, and return what is recorded."""
    bridge = pod.start("bridge")
    journal = JournalWriter(pod.layout.from_agent)
    journal.append(encode(Result(text="mine", files=list(files))))
    journal.close()
    end = await pod.end()
    assert await terminated(bridge) == 0
    assert isinstance(end, Result)
    return end


async def test_a_text_file_of_a_message_is_quoted_to_the_model(pod: Pod) -> None:
    pod.files = [pod.has_file("notes.txt", b"the secret word is xyzzy")]
    pod.model.script.replace(Behaviour(match="xyzzy", answer="I read it"))
    bridge = pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == "I read it"
    assert await terminated(bridge) == 0


async def test_a_large_file_comes_whole_and_one_that_is_gone_is_told(pod: Pod) -> None:
    data = os.urandom(FILE_PART_BYTES + 5)
    whole = pod.has_file("dump.bin", data, media_type="application/x-dump")
    gone = FileRef(id="gone", owner="web", name="gone.txt", size_bytes=10, parts=1)
    pod.files = [gone, whole]
    pod.model.script.replace(Behaviour(match="gone.txt", answer="told"))
    bridge = pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == "told"
    assert (pod.layout.incoming_files / incoming_name(whole)).read_bytes() == data
    assert not (pod.layout.incoming_files / incoming_name(gone)).exists()
    assert await terminated(bridge) == 0


async def test_a_file_is_asked_for_until_the_router_can_read_it(pod: Pod) -> None:
    pod.files = [pod.has_file("notes.txt", b"the secret word is xyzzy")]
    pod.busy_times = 2
    pod.model.script.replace(Behaviour(match="xyzzy", answer="I read it"))
    bridge = pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == "I read it"
    assert pod.asked_for_parts == 3
    assert await terminated(bridge) == 0


@pytest.mark.parametrize(
    "lie",
    [
        {"size_bytes": 5},
        {"size_bytes": 500},
        {"size_bytes": -1},
        {"size_bytes": MAX_FILE_BYTES + 1},
        {"parts": 1_000_000},
        {"parts": 0},
    ],
)
async def test_a_file_that_is_not_as_announced_is_left_out_and_the_next_comes(
    pod: Pod, lie: dict[str, int]
) -> None:
    wrong = msgspec.structs.replace(pod.has_file("wrong.txt", b"sixteen letters!"), **lie)
    right = pod.has_file("right.txt", b"the word is plugh")
    pod.files = [wrong, right]
    pod.model.script.replace(Behaviour(match="plugh", answer="got it"))
    bridge = pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == "got it"
    assert [path.name for path in pod.layout.incoming_files.iterdir()] == [incoming_name(right)]
    assert await terminated(bridge) == 0


async def test_a_file_that_comes_with_a_later_message_is_there_before_it(pod: Pod) -> None:
    file = pod.has_file("late.txt", b"the word is plugh")
    pod.model.script.replace(
        Behaviour(match="plugh", answer="got it"), Behaviour(answer="one two three", delay_s=0.1)
    )
    bridge = pod.start("bridge")
    await pod.until_listening()
    await pod.steer("slack:1", "see the file", file)
    await pod.until_told("slack:1")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text.endswith("got it")
    assert await terminated(bridge) == 0


async def test_what_the_model_attaches_is_stored_before_the_answer_names_it(pod: Pod) -> None:
    pod.environment["SYMPOZIUM_ATTACHMENTS"] = "yes"
    arguments = '{"name": "../../pods.csv", "text": "a,b\\n"}'
    pod.model.script.replace(Behaviour(tool="attach_file", arguments=arguments, answer="here"))
    bridge = pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    (file,) = end.files
    assert (file.name, file.media_type, file.size_bytes) == ("pods.csv", "text/csv", 4)
    assert file.owner == RUN_UID
    assert await stored(pod, file) == b"a,b\n"
    assert await terminated(bridge) == 0


async def test_without_somebody_to_show_it_to_nothing_is_attached(pod: Pod) -> None:
    pod.model.script.replace(
        Behaviour(tool="attach_file", arguments='{"name": "x", "text": "y"}', answer="done")
    )
    bridge = pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.files == []
    assert await terminated(bridge) == 0


async def test_policy_that_does_not_allow_attaching_forbids_it(pod: Pod) -> None:
    pod.environment["SYMPOZIUM_ATTACHMENTS"] = "yes"
    pod.allowed_tools = ["list_pods"]
    pod.model.script.replace(
        Behaviour(tool="attach_file", arguments='{"name": "x", "text": "y"}', answer="done")
    )
    bridge = pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.files == []
    assert await terminated(bridge) == 0


async def test_a_file_of_several_parts_is_stored_once_though_the_bridge_is_killed(
    pod: Pod,
) -> None:
    data = os.urandom(2 * FILE_PART_BYTES + 1)
    folder = pod.layout.outgoing_files
    folder.mkdir()
    (folder / "big").write_bytes(data)
    first = pod.start("bridge")
    journal = JournalWriter(pod.layout.from_agent)
    journal.append(encode(Result(text="mine", files=[an_output("big", "big.bin")])))
    journal.close()
    end = await pod.end()
    first.kill()
    first.wait()
    pod.layout.recorded.unlink(missing_ok=True)
    again = pod.start("bridge")
    assert await pod.ends_recorded(again) == [end]
    assert isinstance(end, Result)
    (file,) = end.files
    assert (file.parts, await stored(pod, file)) == (3, data)


@pytest.mark.parametrize(
    "id", ["../secret", "/etc/hostname", "..", "", "link", "pipe", "folder", "missing", "a\0b"]
)
async def test_an_answer_gets_no_file_that_is_none_of_its_folder(pod: Pod, id: str) -> None:
    folder = pod.layout.outgoing_files
    folder.mkdir()
    (pod.layout.root / "secret").write_text("planted")
    (folder / "link").symlink_to(pod.layout.root / "secret")
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "good").write_text("good")
    end = await result_of(pod, an_output(id), an_output("good"))
    (file,) = end.files
    assert await stored(pod, file) == b"good"


async def test_a_link_in_the_place_of_the_folder_is_not_followed(pod: Pod, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("planted")
    pod.layout.outgoing_files.symlink_to(elsewhere)
    assert (await result_of(pod, an_output("secret"))).files == []


async def test_a_file_that_is_too_long_and_an_eleventh_file_are_left_out(pod: Pod) -> None:
    folder = pod.layout.outgoing_files
    folder.mkdir()
    with (folder / "0").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    for number in range(1, MAX_FILES + 2):
        (folder / str(number)).write_text(str(number))
    named = [an_output(str(number), f"{number}.txt") for number in range(MAX_FILES + 2)]
    names = [file.name for file in (await result_of(pod, *named)).files]
    assert names == [f"{number}.txt" for number in range(1, MAX_FILES)]


def test_files_of_earlier_messages_are_named_and_not_shown_again() -> None:
    earlier = Entry(
        id="m1",
        role=Role.USER,
        text="",
        time=datetime(2026, 1, 2, tzinfo=UTC),
        files=[a_ref("notes.txt")],
    )
    context = RunContext(
        run_name=RunName("r"),
        run_uid=RUN_UID,
        task="and now?",
        model=ModelAccess(provider="openai", model="demo"),
        history=[earlier],
    )
    remembered, task = first_turns(context, Said(Role.USER, "and now?"))
    assert isinstance(remembered, Said)
    assert "'notes.txt'" in remembered.text
    assert task == Said(Role.USER, "and now?")


def test_a_picture_is_shown_whatever_it_is_called(tmp_path: Path) -> None:
    ref = a_ref("notes.txt", size_bytes=len(PNG))
    put(tmp_path / "files", ref, PNG)
    attached = read_attached([ref], tmp_path / "files")
    assert attached.images == (Image("image/png", PNG),)
    assert "notes.txt" in attached.text


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"a\0b", b"x" * (MAX_TEXT_BYTES + 1)])
def test_what_is_neither_picture_nor_short_text_is_named(tmp_path: Path, data: bytes) -> None:
    ref = a_ref("dump.bin", size_bytes=len(data))
    put(tmp_path / "files", ref, data)
    attached = read_attached([ref], tmp_path / "files")
    assert attached.images == ()
    assert "'dump.bin' (application/octet-stream" in attached.text
    assert len(attached.text) < 200


def test_a_link_in_the_place_of_a_file_is_a_missing_file(tmp_path: Path) -> None:
    ref, secret = a_ref("notes.txt"), tmp_path / "secret"
    secret.write_text("planted")
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / incoming_name(ref)).symlink_to(secret)
    text = read_attached([ref], folder).text
    assert "planted" not in text
    assert "missing" in text


def test_a_file_half_written_bears_no_name(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    with open_folder(folder, create=True) as opened:

        def write_half() -> None:
            with new_file(opened, "name") as file:
                file.write(b"half")
                raise FileRefusedError("the rest does not come")

        with pytest.raises(FileRefusedError):
            write_half()
        with (
            pytest.raises(FileRefusedError),
            open_file(opened, "name", max_bytes=10),
        ):
            pass
    assert list(folder.iterdir()) == []


@given(st.text(max_size=300))
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    for made in (path_name(name), incoming_name(a_ref(name))):
        assert "/" not in made
        assert made not in {"", ".", ".."}
        assert not made.startswith("-")
        assert len(made.encode()) < 255
    assert "/" not in shown_name(name)


@given(st.text(alphabet="`a\n", max_size=200))
def test_nothing_in_a_file_closes_its_fence(text: str) -> None:
    opening, *inner, closing = fenced(text).split("\n")
    assert opening == closing
    assert opening not in {line.strip() for line in inner}
    assert "\n".join(inner) == text


@given(st.binary(max_size=40))
def test_a_picture_is_known_by_its_bytes_alone(data: bytes) -> None:
    assert image_type(data) in {"", "image/png", "image/jpeg", "image/gif", "image/webp"}


async def test_a_model_that_takes_no_pictures_is_asked_again_without(pod: Pod) -> None:
    pod.files = [pod.has_file("photo.png", PNG, media_type="image/png")]
    seen: list[Mapping[str, Any]] = []

    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        seen.append(body)
        if not isinstance(body["messages"][-1]["content"], str):
            return web.json_response({"error": {"message": "text only"}}, status=400)
        chunk = b'data: {"choices":[{"delta":{"content":"blind"},"finish_reason":"stop"}]}\n\n'
        return web.Response(body=chunk, content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        pod.environment["SYMPOZIUM_MODEL_BASE_URL"] = f"http://127.0.0.1:{port}/v1"
        bridge = pod.start("bridge")
        pod.start("agent")
        end = await pod.end()
        assert await terminated(bridge) == 0
    finally:
        await runner.cleanup()
    assert isinstance(end, Result)
    assert end.text == "blind"
    shown, without = (body["messages"][-1]["content"] for body in seen)
    assert shown[1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert "photo.png" in without


async def test_a_model_that_takes_no_tools_is_asked_without_ours(pod: Pod) -> None:
    pod.environment["SYMPOZIUM_ATTACHMENTS"] = "yes"
    pod.model.script.replace(Behaviour(status=400, times=1), Behaviour(answer="plain"))
    bridge = pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == "plain"
    assert await terminated(bridge) == 0


async def test_a_model_that_refuses_everything_is_not_asked_for_ever(pod: Pod) -> None:
    pod.environment["SYMPOZIUM_ATTACHMENTS"] = "yes"
    pod.files = [pod.has_file("photo.png", PNG)]
    pod.model.script.replace(Behaviour(status=400))
    bridge = pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Failure)
    assert end.reason == Reason.MODEL_REFUSED
    assert pod.model.script.total == 3
    assert await terminated(bridge) == 0
