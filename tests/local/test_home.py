"""Where state is kept, and that one system holds it at a time."""

import os
import socket
from pathlib import Path

import pytest

from sympozium_local.system.errors import AlreadyRunningError, StartError
from sympozium_local.system.home import Home, find_home, is_running, locked
from sympozium_local.system.ports import choose_ports, web_port
from tests.fixtures.nats_server import free_port


def test_the_environment_names_the_home(tmp_path: Path) -> None:
    assert find_home({"SYMPOZIUM_HOME": str(tmp_path)}).path == tmp_path
    assert find_home({"XDG_STATE_HOME": str(tmp_path)}).path == tmp_path / "sympozium"
    assert find_home({}).path == Path.home() / ".local" / "state" / "sympozium"


def test_a_home_is_for_its_user_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    assert home.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", ["/proc/sympozium", "{file}/home"])
def test_a_home_that_cannot_be_written_is_told_with_the_way_out(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    home = Home(Path(place.format(file=tmp_path / "file")))
    with pytest.raises(StartError, match="set SYMPOZIUM_HOME to another folder"):
        home.prepare()


def test_a_name_that_is_too_long_for_a_socket_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="its name is too long"):
        Home(tmp_path / ("x" * 100)).prepare()


def test_a_second_instance_is_told_where_the_first_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with locked(home, url="http://127.0.0.1:8400"):
        assert is_running(home)
        with pytest.raises(AlreadyRunningError) as caught, locked(home, url="other"):
            pass
    assert f"at http://127.0.0.1:8400 (process {os.getpid()})" in str(caught.value)
    assert not is_running(home)


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            StartError, match=f"on port {port}: another program uses it.*SYMPOZIUM_PORT="
        ):
            choose_ports(Home(tmp_path), web=port)


def test_ports_are_kept_from_start_to_start(tmp_path: Path) -> None:
    web = free_port()
    first = choose_ports(Home(tmp_path), web=web)
    assert choose_ports(Home(tmp_path), web=web) == first
    assert len({first.web, first.api, first.nats, first.model, first.controller, first.router}) == 6


def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    web = free_port()
    first = choose_ports(Home(tmp_path), web=web)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first.nats))
        other.listen()
        second = choose_ports(Home(tmp_path), web=web)
    assert second.nats != first.nats
    assert second.api == first.api


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "8 400"])
def test_what_is_no_port_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(StartError, match="SYMPOZIUM_PORT is "):
        web_port({"SYMPOZIUM_PORT": text})


def test_the_port_is_8400_unless_told(tmp_path: Path) -> None:
    assert web_port({}) == 8400
    assert web_port({"SYMPOZIUM_PORT": "9000"}) == 9000
