"""Every call of a bot goes to its own address and nowhere else."""

import json
import os
from pathlib import Path

import pytest

from sympozium.contract.errors import PermanentError
from sympozium.testing.channels.driver import Handed
from sympozium_discord.addresses import addresses_of
from tests.discord.running import direct, running
from tests.platforms.discord.driver import DiscordDriver

WITNESS = """
import json, os, sys

def witness(event, arguments):
    if event == "socket.getaddrinfo":
        told = [arguments[0], arguments[1]]
    elif event == "socket.connect":
        told = list(arguments[1][:2])
    else:
        return
    file = os.open(os.environ["WITNESS_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (json.dumps(told) + "\\n").encode())
    os.close(file)

sys.addaudithook(witness)
"""
"""Loaded by the program as it starts: notes every name that it looks up and address it calls."""

PLATFORMS = "https://cdn.discordapp.com/attachments/1/2/a.txt?ex=1&hm=2"


@pytest.mark.timeout(60)
async def test_no_other_address_is_ever_called(tmp_path: Path) -> None:
    guard, seen = tmp_path / "guard", tmp_path / "seen"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(WITNESS)
    path = os.pathsep.join([str(guard), *filter(None, __import__("sys").path)])
    env = {"PYTHONPATH": path, "WITNESS_FILE": str(seen), "SYMPOZIUM_GATEWAY_URL": ""}
    ports: set[int] = set()

    def note(discord: DiscordDriver) -> None:
        ports.add(discord.port)

    async with running(tmp_path, prepare=note, env=env) as here:
        where = direct(here)
        files = [Handed("a.txt", "text/plain", b"words")]
        await here.discord.says("ada", where, "look", files=files)
        heard = await here.stage.heard(where)
        assert len(heard.files) == 1
        run = await here.stage.backstage.accept(heard)
        file = await here.stage.backstage.file(run, "b.txt", b"more words")
        await here.stage.backstage.finish(heard, run, "see", files=[file])
        await here.stage.sees(where, lambda seen: any(one.files for one in seen), "the file")
        here.gateway.cut()  # Discord named another host to resume at
        await here.barrier()
        assert here.gateway.resumed == 1
        ports.add(here.stage.nats.port)
    called = {tuple(json.loads(line)) for line in seen.read_text().splitlines()}
    assert {(host, int(port)) for host, port in called} == {("127.0.0.1", one) for one in ports}


def test_without_an_address_it_is_discords_own() -> None:
    addresses = addresses_of()
    assert addresses.api == "https://discord.com/api/v10"
    assert str(addresses.gateway) == "wss://gateway.discord.gg/"
    assert str(addresses.file(PLATFORMS)) == PLATFORMS
    resume = "wss://gateway-us-east1-b.discord.gg"
    assert str(addresses.resume(resume)).rstrip("/") == resume


@pytest.mark.parametrize("url", ["http://proxy:8080/d", "http://proxy:8080/d/api/v10"])
def test_an_address_stands_for_everything(url: str) -> None:
    addresses = addresses_of(url)
    assert addresses.api == "http://proxy:8080/d/api/v10"
    assert str(addresses.gateway) == "ws://proxy:8080/d"
    assert str(addresses.file(PLATFORMS)).startswith("http://proxy:8080/d/attachments/1/2/a.txt?")
    assert addresses.resume("wss://gateway-us-east1-b.discord.gg") == addresses.gateway


def test_a_gateway_of_ones_own_leaves_the_rest_at_discord() -> None:
    addresses = addresses_of(gateway_url="ws://gateway:1/x")
    assert addresses.api == "https://discord.com/api/v10"
    assert addresses.resume("wss://gateway-us-east1-b.discord.gg") == addresses.gateway


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "https://cdn.discordapp.com@evil.example/a",
        "https://evil.example/cdn.discordapp.com",
        "ftp://cdn.discordapp.com/a",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_file_elsewhere_is_refused(url: str) -> None:
    for addresses in (addresses_of(), addresses_of("http://proxy:8080")):
        with pytest.raises(PermanentError):
            addresses.file(url)


@pytest.mark.parametrize("url", ["ws://gateway-1.discord.gg", "wss://evil.example", "nonsense"])
def test_a_session_is_not_resumed_at_a_stranger(url: str) -> None:
    addresses = addresses_of()
    assert addresses.resume(url) == addresses.gateway


@pytest.mark.parametrize("name", ["a b.txt", "ü.txt", "a%2Fb.txt"])
def test_a_files_path_is_kept_as_it_is(name: str) -> None:
    url = f"https://cdn.discordapp.com/attachments/1/2/{name}?ex=1%202"
    assert str(addresses_of("http://proxy").file(url)).endswith(
        str(addresses_of().file(url)).removeprefix("https://cdn.discordapp.com")
    )
