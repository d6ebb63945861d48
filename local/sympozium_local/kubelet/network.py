"""A pod's network: what its containers find on their loopback, and how they are reached."""

import asyncio
import functools
import hashlib
import socket
from collections.abc import Mapping

from sympozium.contract.resources import Object
from sympozium_local.kubelet.forward import DIAL_TIMEOUT_S, Streams, dial_machine, forward
from sympozium_local.kubelet.policy import Egress
from sympozium_local.kubelet.proxy import PROXY_PORT, proxy_env, serve_proxy
from sympozium_local.kubelet.sandbox.client import Container

LOOPBACK = "127.0.0.1"
_OWN_ADDRESS = {"status.podIP", "status.podIPs"}


def pod_address(pod: Object) -> str:
    """Return the address of a pod; it stays the same for the pod's life.

    As a rule it is the machine's own. A pod that asks for its address, by the downward
    API, has one of the loopback's to itself: several that share the machine's network
    may so listen on the same port.
    """
    variables = [
        variable
        for container in pod["spec"]["containers"]
        for variable in container.get("env") or ()
    ]
    references = [(one.get("valueFrom") or {}).get("fieldRef") or {} for one in variables]
    if not any(one.get("fieldPath") in _OWN_ADDRESS for one in references):
        return LOOPBACK
    digest = hashlib.sha256(str(pod["metadata"]["uid"]).encode()).digest()
    return f"127.{1 + digest[0] % 254}.{digest[1]}.{1 + digest[2] % 254}"


class PodNetwork:
    """The network of one pod. Without *egress* it is the machine's own loopback."""

    def __init__(self, pod: Object, egress: Egress | None) -> None:
        spec: Object = pod["spec"]
        self._address = pod_address(pod)
        self.egress = egress
        specs = [*(spec.get("initContainers") or ()), *spec["containers"]]
        self._ports: dict[str, list[int]] = {
            c["name"]: [p["containerPort"] for p in c.get("ports") or ()] for c in specs
        }
        self._running: dict[str, Container] = {}

    @property
    def is_isolated(self) -> bool:
        """True if each container has a network of its own."""
        return self.egress is not None

    def listen_ports(self, container: str) -> list[int]:
        """Return the ports on which *container* finds something: siblings, then the machine."""
        return [*self._siblings(container), *self._outside(container)]

    def env(self, container: str) -> Mapping[str, str]:
        """Return the variables that lead *container* to its proxy, if it has one."""
        return proxy_env() if PROXY_PORT in self._outside(container) else {}

    async def attach(self, name: str, container: Container) -> list[asyncio.Server]:
        """Make *container* reachable for its siblings, and serve what it finds."""
        self._running[name] = container
        siblings = self._siblings(name)
        servers: list[asyncio.Server] = []
        for port, listening in zip(self.listen_ports(name), container.listening, strict=True):
            if port in siblings:
                dial = functools.partial(self._dial_sibling, siblings[port], port)
                servers.append(await forward(listening, dial))
            elif port == PROXY_PORT and self.egress is not None and self.egress.internet:
                servers.append(await serve_proxy(listening, self.egress.internet))
            else:
                servers.append(await forward(listening, functools.partial(dial_machine, port)))
        container.listening = []
        return servers

    async def dial(self, name: str, port: int) -> socket.socket:
        """Connect to *port* of a container from outside.

        Raises:
            OSError: Nothing listens there.
        """
        if self.is_isolated:
            container = self._running.get(name)
            if container is None:
                raise ConnectionRefusedError(f"container {name!r} does not run")
            return await container.dial(port)
        sock = socket.socket()
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (self._address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    async def serve_host_ports(self, container: Object) -> list[asyncio.Server]:
        """Listen on the machine's loopback for the host ports of *container*.

        Raises:
            OSError: A port is taken.
        """
        servers: list[asyncio.Server] = []
        for port in container.get("ports") or ():
            outer, inner = port.get("hostPort"), port["containerPort"]
            if not outer or (outer == inner and not self.is_isolated):
                continue
            listening = socket.socket()
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind(("127.0.0.1", outer))
            except OSError:
                listening.close()
                for server in servers:
                    server.close()
                raise
            dial = functools.partial(self._dial_sibling, container["name"], inner)
            servers.append(await forward(listening, dial))
        return servers

    async def _dial_sibling(self, name: str, port: int) -> Streams:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            return await asyncio.open_connection(sock=await self.dial(name, port))

    def _siblings(self, container: str) -> dict[int, str]:
        """Return the ports that other containers declare, and which one does."""
        own = self._ports[container]
        others = ((p, name) for name, ports in self._ports.items() for p in ports if p not in own)
        return dict(others)

    def _outside(self, container: str) -> list[int]:
        if self.egress is None or not self.egress.serves(container):
            return []
        ports = set(self.egress.loopback_ports)
        if self.egress.internet is not None:
            ports.add(PROXY_PORT)
        return sorted(ports - self._siblings(container).keys() - set(self._ports[container]))
