"""What a container cannot reach, and what its pod's policy lets it reach."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.resources import (
    EGRESS_CONTAINERS_ANNOTATION,
    NETWORK_POLICIES,
    SECRETS,
    Object,
)
from tests.fixtures.nats_server import free_port
from tests.fixtures.sockets import bare_connection

Build = Callable[..., Object]

PEEK = """
import json, os, socket, pathlib

def attempt(f):
    try:
        return repr(f())
    except OSError as error:
        return type(error).__name__

def new_user_namespace():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000):
        raise OSError(ctypes.get_errno(), "unshare")

def dial(host, port):
    with socket.create_connection((host, port), timeout=10) as s:
        return s.recv(100)

def look():
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            for name in ("environ", "cmdline"):
                try:
                    found.append((entry / name).read_bytes().decode(errors="replace"))
                except OSError:
                    pass
    return found

print(json.dumps({
    "machine": attempt(lambda: dial("127.0.0.1", MACHINE_PORT)),
    "closed": attempt(lambda: dial("127.0.0.1", CLOSED_PORT)),
    "internet": attempt(lambda: dial("1.1.1.1", 443)),
    "metadata": attempt(lambda: dial("169.254.169.254", 80)),
    "own address": attempt(lambda: dial(OWN_ADDRESS, MACHINE_PORT)),
    "name": attempt(lambda: socket.getaddrinfo("example.com", 443)),
    "abstract": attempt(lambda: socket.socket(socket.AF_UNIX).connect("\\0planted")),
    "processes": look(),
    "root": attempt(lambda: open("/planted", "w")),
    "usr": attempt(lambda: open("/usr/planted", "w")),
    "home": attempt(lambda: os.listdir(HOME)),
    "data": attempt(lambda: os.listdir(DATA)),
    "sibling": attempt(lambda: os.listdir("/only-s")),
    "shm": attempt(lambda: os.listdir("/dev/shm")),
    "tmp": attempt(lambda: os.listdir("/tmp")),
    "sysctl": attempt(lambda: open("/proc/sys/kernel/core_pattern", "w")),
    "fds": sorted(os.listdir("/proc/self/fd")),
    "uid": os.getuid(),
    "status": pathlib.Path("/proc/self/status").read_text(),
    "first": attempt(lambda: os.kill(1, 9)),
    "namespaces": attempt(lambda: new_user_namespace()),
    "mount": attempt(lambda: os.listdir("/sys")),
}))
"""


@pytest.fixture
async def greeter() -> AsyncIterator[int]:
    """A program of the machine that says its name to whoever connects; its port."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"machine")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def policy(*rules: Object) -> Object:
    """Select the egress of every pod of the namespace."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": "default"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": list(rules)},
    }


def loopback(*ports: int) -> Object:
    block = {"ipBlock": {"cidr": "127.0.0.1/32"}}
    return {"to": [block], "ports": [{"protocol": "TCP", "port": port} for port in ports]}


def peek(node: Any, machine_port: int) -> str:
    """Return a program that tries everything and prints what came of it."""
    planted = {
        "MACHINE_PORT": machine_port,
        "CLOSED_PORT": node.api_port,
        "OWN_ADDRESS": socket.gethostbyname(socket.gethostname()),
        "HOME": str(Path.home()),
        "DATA": str(node.settings.data_dir),
    }
    return "".join(f"{name} = {value!r}\n" for name, value in planted.items()) + PEEK


def ways_to_the_project(folder: str) -> set[str]:
    """Return what a container must see in *folder* where the project itself lies below it."""
    roots = (Path(__file__).resolve(), Path(sys.prefix), Path(sys.base_prefix))
    return {root.relative_to(folder).parts[0] for root in roots if root.is_relative_to(folder)}


def owners_of_children(pid: str) -> set[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {Path(f"/proc/{child}").stat().st_uid for child in children}


async def test_a_container_reaches_nothing_but_what_it_was_given(
    node: Any, pod: Build, py: Build, sh: Build, greeter: int
) -> None:
    metadata = {"name": "s", "namespace": "default"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    await node.kube.create(SECRETS, {**secret, "stringData": {"key": "planted-secret"}})
    await node.kube.create(NETWORK_POLICIES, policy(loopback(greeter)))
    key = {"secretKeyRef": {"name": "s", "key": "key"}}
    sidecar = sh(
        "s",
        "sleep 60",
        restartPolicy="Always",
        env=[{"name": "PLANTED", "valueFrom": key}],
        volumeMounts=[{"name": "only-s", "mountPath": "/only-s"}],
    )
    made = pod(
        "p",
        py("a", peek(node, greeter)),
        initContainers=[sidecar],
        volumes=[{"name": "only-s", "secret": {"secretName": "s"}}],
    )
    made["metadata"]["annotations"] = {EGRESS_CONTAINERS_ANNOTATION: "s"}
    done, printed = await node.run(made)
    assert done["status"]["phase"] == "Succeeded", printed["a"]
    found = json.loads(printed["a"])
    assert found["machine"] == "ConnectionRefusedError"
    assert found["closed"] == "ConnectionRefusedError"
    for place in ("internet", "metadata", "own address"):
        assert found[place] in {"OSError", "ConnectionRefusedError"}, place
    assert found["name"] == "gaierror"
    assert found["abstract"] == "ConnectionRefusedError"
    for path in ("root", "usr"):
        assert found[path] in {"OSError", "PermissionError"}, path
    assert found["sysctl"] in {"OSError", "PermissionError"}
    for path in ("data", "sibling", "mount"):
        assert found[path] == "FileNotFoundError", path
    assert ".bashrc" not in found["home"]
    assert found["shm"] == "[]"
    assert set(json.loads(found["tmp"].replace("'", '"'))) <= ways_to_the_project("/tmp")
    assert found["uid"] != 0
    # Where both are the same user the kernel ignores it: a namespace's first process is immune.
    assert found["first"] == ("PermissionError" if os.getuid() == 0 else "None")
    seen = "\n".join(found["processes"])
    assert "planted-secret" not in seen
    assert "sleep" not in seen
    fields = dict(line.split(":\t", 1) for line in found["status"].splitlines() if ":\t" in line)
    assert {fields[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2", "system calls are filtered"
    assert found["namespaces"] == "PermissionError"
    assert len(found["fds"]) == 4  # the standard three, and the listing's own


async def test_an_allowed_container_reaches_the_allowed_port_and_no_other(
    node: Any, pod: Build, py: Build, greeter: int
) -> None:
    await node.kube.create(NETWORK_POLICIES, policy(loopback(greeter)))
    done, printed = await node.run(pod("p", py("a", peek(node, greeter))))
    assert done["status"]["phase"] == "Succeeded", printed["a"]
    found = json.loads(printed["a"])
    assert found["machine"] == "b'machine'"
    assert found["closed"] == "ConnectionRefusedError"


async def test_a_pod_that_no_policy_selects_shares_the_machines_loopback(
    node: Any, pod: Build, py: Build, greeter: int
) -> None:
    dial = f"socket.create_connection(('127.0.0.1', {greeter}))"
    _, printed = await node.run(pod("p", py("a", f"import socket; print({dial}.recv(99))")))
    assert printed["a"] == "b'machine'"


async def test_siblings_of_an_isolated_pod_meet_at_their_declared_ports(
    node: Any, pod: Build, py: Build
) -> None:
    await node.kube.create(NETWORK_POLICIES, policy())
    serve = "import socket\ns = socket.create_server(('127.0.0.1', 8081))\n"
    serve += "while True:\n c, _ = s.accept()\n d = c.recv(9)\n c.sendall(d + b' back'); c.close()"
    probe = {"tcpSocket": {"port": "talk"}, "periodSeconds": 1}
    ports = [{"name": "talk", "containerPort": 8081}]
    sidecar = py("s", serve, restartPolicy="Always", ports=ports, startupProbe=probe)
    ask = "import socket\nc = socket.create_connection(('127.0.0.1', 8081))\n"
    ask += "c.sendall(b'forth'); print(c.recv(99).decode())"
    done, printed = await node.run(pod("p", py("a", ask), initContainers=[sidecar]))
    assert printed["a"] == "forth back"
    assert done["status"]["phase"] == "Succeeded"


async def test_a_host_port_of_an_isolated_pod_is_reached_from_the_machine(
    node: Any, pod: Build, py: Build
) -> None:
    port = free_port()
    await node.kube.create(NETWORK_POLICIES, policy())
    page = "import http.server as h\n"
    page += "h.HTTPServer(('127.0.0.1', 8080), h.SimpleHTTPRequestHandler).serve_forever()"
    ports = [{"containerPort": 8080, "hostPort": port}]
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    web = py("a", page, ports=ports, readinessProbe=probe, workingDir="/tmp")
    await node.create(pod("p", web))
    await node.wait_for(
        "p", lambda p: any(c.get("ready") for c in p["status"].get("containerStatuses", ()))
    )
    async with bare_connection(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200 OK" in await reader.readline()


async def test_large_answers_and_half_closed_connections_pass_through_whole(
    node: Any, pod: Build, py: Build
) -> None:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got = await reader.read()  # until the other side has said all
        writer.write(str(len(got)).encode())
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await node.kube.create(NETWORK_POLICIES, policy(loopback(port)))
    say = f"import socket\nc = socket.create_connection(('127.0.0.1', {port}))\n"
    say += "c.sendall(b'x' * 5_000_000); c.shutdown(socket.SHUT_WR); print(c.recv(99).decode())"
    async with server:
        _, printed = await node.run(pod("p", py("a", say)))
    assert printed["a"] == "5000000"


async def test_the_way_to_the_internet_refuses_addresses_that_are_not_public(
    node: Any, pod: Build, py: Build, greeter: int
) -> None:
    everywhere = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}
    await node.kube.create(NETWORK_POLICIES, policy(everywhere))
    ask = (
        "import os, urllib.request, urllib.error\n"
        "os.environ['NO_PROXY'] = os.environ['no_proxy'] = ''\n"
        f"for host in ('127.0.0.1:{greeter}', '169.254.169.254', '10.0.0.1', '[::1]:{greeter}',\n"
        f" 'localhost:{greeter}', '0.0.0.0:{greeter}', '[::ffff:127.0.0.1]:{greeter}'):\n"
        "  proxies = urllib.request.ProxyHandler({'http': os.environ['HTTP_PROXY']})\n"
        "  opener = urllib.request.build_opener(proxies)\n"
        "  try: print(opener.open(f'http://{host}/').read())\n"
        "  except urllib.error.HTTPError as error: print(error.code)\n"
    )
    _, printed = await node.run(pod("p", py("a", ask)))
    assert printed["a"].split() == ["403"] * 7


async def test_a_link_planted_in_a_volume_leads_a_sibling_nowhere(
    node: Any, pod: Build, sh: Build
) -> None:
    await node.kube.create(NETWORK_POLICIES, policy())
    mount = {"name": "v", "mountPath": "/v"}
    planted = sh("i", "ln -s / /v/way", volumeMounts=[mount])
    inside = {"name": "v", "mountPath": "/in", "subPath": "way"}
    await node.create(
        pod(
            "p",
            sh("a", "ls /in", volumeMounts=[inside]),
            initContainers=[planted],
            volumes=[{"name": "v", "emptyDir": {}}],
        )
    )
    done = await node.wait_for("p", lambda p: p["status"]["phase"] in {"Succeeded", "Failed"})
    ended = done["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["reason"] == "StartError"
    assert "subPath 'way' is a link" in ended["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="who else a container is matters only under root")
async def test_a_container_of_a_kubelet_run_by_root_is_nobody_else_on_the_machine(
    node: Any, pod: Build, sh: Build
) -> None:
    await node.create(pod("p", sh("a", "sleep 60")))
    found = await node.wait_for(
        "p", lambda p: any(c.get("ready") for c in p["status"].get("containerStatuses", ()))
    )
    first = found["status"]["containerStatuses"][0]["containerID"].removeprefix("process://")
    owners = owners_of_children(first)
    assert owners
    assert all(owner > 65536 for owner in owners)
