"""Credentials and ways to a server, as kubeconfigs describe them, against a server with TLS."""

import base64
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import Object
from sympozium.kube.errors import ForbiddenError
from sympozium_local.cli.access.endpoint import endpoint_of
from sympozium_local.cli.access.kubeconfig import read_kubeconfig
from sympozium_local.cli.cluster import Cluster
from tests.cli.kubeconfigs import kubeconfig, write
from tests.cli.stand_in import Front, front

V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Front]:
    with front(tmp_path) as running:
        yield running


def trusted(server: Front, **more: object) -> Object:
    data = base64.b64encode(server.authority.pem).decode()
    address = f"https://127.0.0.1:{server.port}"
    return {"server": address, "certificate-authority-data": data, **more}


def cluster(folder: Path, entry: Object, user: Object) -> Cluster:
    file = write(folder / "kubeconfig", kubeconfig(entry, user))
    return Cluster(endpoint_of(read_kubeconfig([file]).context()))


def plugin(folder: Path, *answers: Object, **more: object) -> Object:
    """Describe a plugin that gives one of *answers* after the other, and the last for ever."""
    (folder / "answers").write_text("\n".join(map(json.dumps, answers)))
    script = folder / "plugin.py"
    script.write_text(
        "import os, pathlib, sys\n"
        f"here = pathlib.Path({str(folder)!r})\n"
        "(here / 'told').write_text(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "lines = (here / 'answers').read_text().splitlines()\n"
        "(here / 'answers').write_text('\\n'.join(lines[1:] or lines))\n"
        "print(lines[0])\n"
    )
    arguments = {"command": sys.executable, "args": [str(script)], "apiVersion": V1}
    return {"exec": {**arguments, **more}}


def credential(**status: str) -> Object:
    return {"apiVersion": V1, "kind": "ExecCredential", "status": status}


def test_a_token_is_presented(tmp_path: Path, server: Front) -> None:
    cluster(tmp_path, trusted(server), {"token": "t1"}).get("/version")
    assert server.seen[0]["Authorization"] == "Bearer t1"


def test_a_token_file_is_read_at_every_request(tmp_path: Path, server: Front) -> None:
    (tmp_path / "token").write_text("old\n")
    there = cluster(tmp_path, trusted(server), {"tokenFile": "token"})
    there.get("/version")
    (tmp_path / "token").write_text("new\n")
    there.get("/version")
    assert [one["Authorization"] for one in server.seen] == ["Bearer old", "Bearer new"]


def test_a_client_certificate_is_presented(tmp_path: Path, server: Front) -> None:
    pair = server.authority.issue("jane")
    data = {
        "client-certificate-data": base64.b64encode(pair.certificate).decode(),
        "client-key-data": base64.b64encode(pair.key).decode(),
    }
    cluster(tmp_path, trusted(server), data).get("/version")
    (tmp_path / "c.crt").write_bytes(pair.certificate)
    (tmp_path / "c.key").write_bytes(pair.key)
    files = {"client-certificate": "c.crt", "client-key": "c.key"}
    cluster(tmp_path, trusted(server), files).get("/version")
    assert [one["client"] for one in server.seen] == ["jane", "jane"]


def test_a_plugin_is_asked_once_and_again_when_its_credential_ends(
    tmp_path: Path, server: Front
) -> None:
    past = "2020-01-01T00:00:00Z"
    first = credential(token="short", expirationTimestamp=past)
    user = plugin(tmp_path, first, credential(token="long"))
    there = cluster(tmp_path, trusted(server), user)
    for _ in range(3):
        there.get("/version")
    tokens = [one["Authorization"] for one in server.seen]
    assert tokens[1:] == ["Bearer long", "Bearer long"]


def test_a_plugin_is_asked_again_when_the_server_refuses_what_it_gave(
    tmp_path: Path, server: Front
) -> None:
    server.refuses.add("revoked")
    user = plugin(tmp_path, credential(token="revoked"), credential(token="fresh"))
    cluster(tmp_path, trusted(server), user).get("/version")
    assert [one["Authorization"] for one in server.seen] == ["Bearer revoked", "Bearer fresh"]


def test_a_plugin_is_told_of_the_cluster_where_it_asks(tmp_path: Path, server: Front) -> None:
    user = plugin(tmp_path, credential(token="t"), provideClusterInfo=True)
    cluster(tmp_path, trusted(server), user).get("/version")
    told = json.loads((tmp_path / "told").read_text())
    assert (told["apiVersion"], told["kind"]) == (V1, "ExecCredential")
    assert told["spec"]["cluster"]["server"].endswith(str(server.port))
    assert told["spec"]["interactive"] is False


def test_a_plugin_may_give_a_certificate(tmp_path: Path, server: Front) -> None:
    pair = server.authority.issue("by-plugin")
    given = credential(
        clientCertificateData=pair.certificate.decode(), clientKeyData=pair.key.decode()
    )
    cluster(tmp_path, trusted(server), plugin(tmp_path, given)).get("/version")
    assert server.seen[0]["client"] == "by-plugin"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"command": "/no/such/plugin", "installHint": "get it there"}, "get it there"),
        ({"command": "false", "args": []}, "exit code 1"),
        ({"command": "true", "args": []}, "its answer is no ExecCredential"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1"),
        ({"interactiveMode": "Always"}, "there is no terminal"),
    ],
)
def test_a_plugin_that_does_not_work_is_one_sentence(
    tmp_path: Path, server: Front, change: Object, says: str
) -> None:
    user = plugin(tmp_path, credential(token="t"), **change)
    with pytest.raises(PermanentError, match="cannot get credentials from") as caught:
        cluster(tmp_path, trusted(server), user).get("/version")
    assert says in str(caught.value)


def test_a_user_is_impersonated(tmp_path: Path, server: Front) -> None:
    user = {"token": "t", "as": "eve", "as-groups": ["a"], "as-user-extra": {"why": ["x"]}}
    cluster(tmp_path, trusted(server), user).get("/version")
    (seen,) = server.seen
    assert (seen["Impersonate-User"], seen["Impersonate-Group"]) == ("eve", "a")
    assert seen["Impersonate-Extra-why"] == "x"


def test_what_kubectl_dropped_is_refused(tmp_path: Path, server: Front) -> None:
    with pytest.raises(PermanentError, match=r"auth-provider 'gcp'.*exec plugin"):
        cluster(tmp_path, trusted(server), {"auth-provider": {"name": "gcp"}})


def test_credentials_that_are_not_accepted_say_so(tmp_path: Path, server: Front) -> None:
    server.refuses.add("stale")
    there = cluster(tmp_path, trusted(server), {"token": "stale"})
    with pytest.raises(ForbiddenError, match="does not accept these credentials"):
        there.get("/api/v1/namespaces")


def test_a_server_of_another_authority_is_not_spoken_to(tmp_path: Path, server: Front) -> None:
    (tmp_path / "other").mkdir()
    with front(tmp_path / "other") as other:
        entry = trusted(other) | {"server": f"https://127.0.0.1:{server.port}"}
        with pytest.raises(TransientError, match="cannot reach the cluster"):
            cluster(tmp_path, entry, {"token": "t"}).get("/version")
    assert server.seen == []


def test_verification_can_be_left_out_and_a_name_be_given(tmp_path: Path, server: Front) -> None:
    entry = {"server": f"https://127.0.0.1:{server.port}", "insecure-skip-tls-verify": True}
    cluster(tmp_path, entry, {"token": "t"}).get("/version")
    (tmp_path / "named").mkdir()
    with front(tmp_path / "named", names=("kube.internal",)) as named:
        with pytest.raises(TransientError, match="cannot reach"):
            cluster(tmp_path, trusted(named), {"token": "t"}).get("/version")
        entry = trusted(named, **{"tls-server-name": "kube.internal"})
        cluster(tmp_path, entry, {"token": "t"}).get("/version")


def test_a_path_of_the_address_comes_before_every_path(tmp_path: Path, server: Front) -> None:
    entry = trusted(server) | {"server": f"https://127.0.0.1:{server.port}/k8s/clusters/c1/"}
    server.answers["/k8s/clusters/c1/version"] = {}
    cluster(tmp_path, entry, {"token": "t"}).get("/version")
    assert server.seen[0]["path"] == "/k8s/clusters/c1/version"


def test_a_proxy_is_asked_for_the_way_and_told_who_asks(tmp_path: Path, server: Front) -> None:
    with proxy(server.port) as (port, heard):
        entry = trusted(server, **{"proxy-url": f"http://me:secret@127.0.0.1:{port}"})
        cluster(tmp_path, entry, {"token": "t"}).get("/version")
    assert heard[0].startswith(f"CONNECT 127.0.0.1:{server.port} ")
    assert base64.b64encode(b"me:secret").decode() in heard[0]
    assert server.seen[0]["Authorization"] == "Bearer t"


def test_a_proxy_of_another_kind_is_refused_without_its_password(
    tmp_path: Path, server: Front
) -> None:
    entry = trusted(server, **{"proxy-url": "socks5://me:secret@127.0.0.1:1"})
    with pytest.raises(PermanentError, match="only http:// proxies") as caught:
        cluster(tmp_path, entry, {"token": "t"})
    assert "secret" not in str(caught.value)


@contextmanager
def proxy(target: int) -> Iterator[tuple[int, list[str]]]:
    """A proxy that carries one connection to *target*."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def carry() -> None:
            client, _ = listening.accept()
            heard.append(client.recv(4096).decode())
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            server = socket.create_connection(("127.0.0.1", target))
            back = threading.Thread(target=copy, args=(server, client))
            back.start()
            copy(client, server)
            back.join()
            client.close()
            server.close()

        thread = threading.Thread(target=carry)
        thread.start()
        yield listening.getsockname()[1], heard
        thread.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
