"""The bus: its servers, streams, consumers and disk, as the servers themselves tell it."""

import http.client
import json
from collections.abc import Iterator

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import SERVICES, Object
from sympozium.contract.subjects import (
    DEAD,
    INBOX,
    LINE_PREFIX,
    RUNS_CONSUMER,
    STREAMS,
    namespace_of_line,
)
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.checks.check import Check, bad, good, warning
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.forwarding import PodPort, forwarded
from sympozium_local.cli.operator import BUS_SERVICE
from sympozium_local.cli.paths import path_of, system_namespace
from sympozium_local.cli.pods import is_ready, pods_with

MONITOR_PORT = 8222
TIMEOUT_S = 10.0
NEARLY_FULL = 0.8
LONG_QUEUE = 1000
"""Messages that nobody has taken yet; a router takes hundreds a second."""


def bus_checks(cluster: Cluster) -> Iterator[Check]:
    """Look at the bus through its servers' monitor ports.

    Raises:
        ForbiddenError: The caller may not reach them.
    """
    namespace = system_namespace()
    try:
        pods = bus_pods(cluster)
    except NotFoundError:
        yield warning(
            "bus",
            "it is not in this cluster (nats.external), so only its use is looked at",
            "look at it with its own tools: nats stream report",
        )
        return
    down = [pod["metadata"]["name"] for pod in pods if not is_ready(pod)]
    if down or not pods:
        yield bad(
            "bus",
            f"not ready: {', '.join(down) or 'it has no server'}",
            f"see kubectl -n {namespace} describe pods and logs; a full disk stops it",
        )
    told = [_told(cluster, namespace, pod["metadata"]["name"]) for pod in pods if is_ready(pod)]
    if told:
        yield from server_checks(told)


def bus_pods(cluster: Cluster) -> list[Object]:
    """Return the pods of the bus's servers.

    Raises:
        NotFoundError: The bus is not in this cluster.
        ForbiddenError: The caller may not look.
    """
    namespace = system_namespace()
    service = cluster.get(path_of(SERVICES, namespace, BUS_SERVICE))
    return pods_with(cluster, namespace, service["spec"]["selector"])


def server_checks(told: list[Object]) -> Iterator[Check]:
    """Look at what servers say of themselves on `/jsz`, one answer a server."""
    for server in told:
        yield _disk(server)
    streams = _streams(told)
    for stream in STREAMS:
        yield _stream(stream.name, streams.get(stream.name))
    yield _lines(streams.get(INBOX))
    yield _consumer(RUNS_CONSUMER.stream, RUNS_CONSUMER.name, streams.get(RUNS_CONSUMER.stream))


def _told(cluster: Cluster, namespace: str, pod: str) -> Object:
    at = PodPort(namespace, pod, MONITOR_PORT)
    with forwarded(cluster.endpoint, lambda: at) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", "/jsz?accounts=true&streams=true&consumers=true&config=true")
            answer: Object = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise TransientError(
                f"cannot ask bus server {pod!r} how it is: {type(error).__name__}; try again"
            ) from error
        finally:
            connection.close()
    return answer | {"pod": pod}


def _streams(told: list[Object]) -> dict[str, Object]:
    """Return every stream, as the server that leads it tells of it."""
    found: dict[str, Object] = {}
    for server in told:
        for account in server.get("account_details") or ():
            for stream in account.get("stream_detail") or ():
                leader = (stream.get("cluster") or {}).get("leader", "")
                if stream["name"] not in found or leader == server["pod"]:
                    found[stream["name"]] = stream
    return found


def _disk(server: Object) -> Check:
    about = f"disk of {server['pod']}"
    if server.get("disabled"):
        return bad(
            about,
            "JetStream is disabled: its volume was full or cannot be written",
            "enlarge the volume (nats.storage.size) and delete the pod",
        )
    used = int(server.get("store", 0))
    limit = int((server.get("config") or {}).get("max_storage") or 0)
    text = f"{used / 2**20:.0f} MiB of {limit / 2**20:.0f} MiB used"
    if limit and used > NEARLY_FULL * limit:
        return bad(about, text, "enlarge the volume: nats.storage.size")
    return good(about, text)


def _stream(name: str, stream: Object | None) -> Check:
    about = f"stream {name}"
    if stream is None:
        return bad(
            about,
            "it is not there; the controller makes it when it starts",
            f"see kubectl -n {system_namespace()} logs deployment/sympozium-controller",
        )
    late = [
        one["name"]
        for one in (stream.get("cluster") or {}).get("replicas") or ()
        if one.get("offline") or not one.get("current")
    ]
    if late:
        return bad(about, f"copies that lag or are away: {', '.join(late)}", "look at those pods")
    count, used = int(stream["state"]["messages"]), int(stream["state"]["bytes"])
    text = f"{count} messages, {used / 2**20:.1f} MiB"
    if name == DEAD and count:
        return warning(about, f"{count} dead letters", "look at them: sympozium dead list")
    return good(about, text)


def _lines(stream: Object | None) -> Check:
    """Look at the consumers in which the messages of namespaces wait, all together."""
    about = f"consumers {INBOX}/{LINE_PREFIX}*"
    found = [
        one for one in (stream or {}).get("consumer_detail") or () if namespace_of_line(one["name"])
    ]
    if not found:
        return warning(
            about,
            "there is none, so nobody's messages are taken",
            "label a namespace: kubectl label namespace NAME sympozium.ai/tenant=true",
        )
    longest = max(found, key=lambda one: int(one.get("num_pending", 0)))
    waiting = int(longest.get("num_pending", 0))
    in_hand = sum(int(one.get("num_ack_pending", 0)) for one in found)
    if waiting > LONG_QUEUE:
        whose = namespace_of_line(longest["name"])
        return bad(
            about,
            f"{waiting} messages of namespace {whose} wait, {in_hand} of all are in hand",
            "see that the routers are ready, and scale them",
        )
    return good(about, f"{len(found)} namespaces, {waiting} wait at the most, {in_hand} in hand")


def _consumer(stream_name: str, name: str, stream: Object | None) -> Check:
    about = f"consumer {stream_name}/{name}"
    consumers = {one["name"]: one for one in (stream or {}).get("consumer_detail") or ()}
    if name not in consumers:
        return bad(
            about,
            "it is not there, so nobody takes these messages",
            f"restart what makes it: kubectl -n {system_namespace()} rollout restart deployment",
        )
    waiting = int(consumers[name].get("num_pending", 0))
    in_hand = int(consumers[name].get("num_ack_pending", 0))
    if waiting > LONG_QUEUE:
        return bad(
            about,
            f"{waiting} messages wait, {in_hand} are in hand",
            "see that its program is ready, and scale it",
        )
    return good(about, f"{waiting} wait, {in_hand} in hand")
