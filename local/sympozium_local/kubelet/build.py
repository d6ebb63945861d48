"""From a container's manifest to the plan that the sandbox builds."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sympozium.contract.resources import Object
from sympozium_local.kubelet.environment import ConfigError, container_env, expand
from sympozium_local.kubelet.images import Image, agent_module, find_image
from sympozium_local.kubelet.limits import Group, amounts
from sympozium_local.kubelet.network import PodNetwork
from sympozium_local.kubelet.node import Node
from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.plan import Bind, ContainerPlan
from sympozium_local.kubelet.sources import Sources
from sympozium_local.kubelet.volumes import Volumes

_DEFAULT_UID = 65532
"""Who a container is where its manifest does not say: ``nonroot`` of the distroless images."""
_TERMINATION_LOG = "/dev/termination-log"
_RUN_INSIDE = ("lifecycle", "startupProbe", "readinessProbe", "livenessProbe")
"""Fields of a container that may have commands in them, to be run beside its own."""


@dataclass
class PodParts:
    """What the containers of one pod share."""

    node: Node
    pod: Object
    host_uid: int
    network: PodNetwork
    volumes: Volumes
    changed: Callable[[], None]
    """Called after each change of a container's state."""
    warn: Callable[[str, str], None]
    """Called with reason and message for what people should see in the pod's events."""

    @property
    def folder(self) -> Path:
        """The pod's own folder."""
        return self.node.pod_dir(self.pod["metadata"]["uid"])


def termination_log(folder: Path, container: str) -> Path:
    """Return the file in which *container* may say why it ended."""
    return folder / container / "termination-log"


async def build_plan(
    spec: Object, parts: PodParts, sources: Sources, group: Group
) -> ContainerPlan:
    """Decide everything about one execution of a container.

    Raises:
        UnknownImageError: This node cannot run its image.
        ConfigError: It refers to what is not there, or asks for what this node does not give.
    """
    image = find_image(spec["image"])
    _check_security(spec, parts.pod)
    env = await container_env(spec, parts.pod, sources, _base_env(spec, parts, image))
    command = spec.get("command") or image.entrypoint
    argv = [expand(word, env) for word in (*command, *(spec.get("args") or ()))]
    if not command:
        raise ConfigError(f"image {spec['image']!r} has no entrypoint; set the container's command")
    uid, gid = _user(spec, parts.pod)
    memory_bytes = 0 if parts.node.limits.has_groups else amounts(spec).memory_bytes
    module = agent_module(spec["image"], argv)
    return ContainerPlan(
        hostname=_hostname(parts.pod),
        argv=argv,
        env=env,
        module=module,
        is_alone=is_alone(spec, module, is_privileged=syscalls.is_privileged()),
        cwd=spec.get("workingDir") or "/",
        uid=uid,
        gid=gid,
        host_uid=parts.host_uid,
        kubelet_uid=os.getuid(),
        kubelet_gid=os.getgid(),
        image_binds=list(image.binds),
        volume_binds=_volume_binds(spec, parts, env),
        staging=str(parts.node.data_dir / "staging"),
        is_isolated=parts.network.is_isolated,
        listen_ports=parts.network.listen_ports(spec["name"]),
        cgroup_procs=group.procs_files(),
        memory_rlimit_bytes=memory_bytes,
        most_processes=parts.node.limits.most_processes,
    )


def is_alone(spec: Object, module: str, *, is_privileged: bool) -> bool:
    """Return whether nobody needs a helper inside the container that runs *module* ("": none).

    A kubelet without privileges needs one to connect to the container's ports.
    """
    if not module or any(spec.get(field) for field in _RUN_INSIDE):
        return False
    return is_privileged or not spec.get("ports")


def _base_env(spec: Object, parts: PodParts, image: Image) -> dict[str, str]:
    host, port = parts.node.api_address
    return {
        "PATH": image.path,
        "HOME": "/tmp",  # noqa: S108 - the container's own
        "LANG": "C.UTF-8",
        "HOSTNAME": _hostname(parts.pod),
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
        **parts.network.env(spec["name"]),
    }


def _hostname(pod: Object) -> str:
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63]


def _check_security(spec: Object, pod: Object) -> None:
    """Refuse what would need more than this node's sandbox ever gives."""
    context = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
    seccomp = context.get("seccompProfile") or {}
    asked = {
        "securityContext.privileged": context.get("privileged"),
        "securityContext.capabilities.add": (context.get("capabilities") or {}).get("add"),
        "securityContext.seccompProfile.localhostProfile": seccomp.get("localhostProfile"),
        "volumeDevices": spec.get("volumeDevices"),
        "hostPID": pod["spec"].get("hostPID"),
        "hostIPC": pod["spec"].get("hostIPC"),
        "shareProcessNamespace": pod["spec"].get("shareProcessNamespace"),
    }
    for name, value in asked.items():
        if value:
            raise ConfigError(f"this node does not offer {name}; remove it or use a cluster")


def _user(spec: Object, pod: Object) -> tuple[int, int]:
    context = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
    uid = context.get("runAsUser", _DEFAULT_UID)
    if context.get("runAsNonRoot") and uid == 0:
        raise ConfigError("container has runAsNonRoot and runAsUser 0")
    return uid, context.get("runAsGroup", uid)


def _volume_binds(spec: Object, parts: PodParts, env: dict[str, str]) -> list[Bind]:
    message_file = termination_log(parts.folder, spec["name"])
    message_file.parent.mkdir(parents=True, exist_ok=True)
    message_file.write_bytes(b"")
    if parts.host_uid:
        os.chown(message_file, parts.host_uid, parts.host_uid)
    target = spec.get("terminationMessagePath") or _TERMINATION_LOG
    binds = [Bind(str(message_file), target, is_writable=True)]
    for mount in spec.get("volumeMounts") or ():
        volume = parts.volumes.by_name.get(mount["name"])
        if volume is None:
            raise ConfigError(f"container mounts volume {mount['name']!r}, which the pod has not")
        inner = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
        is_writable = not (mount.get("readOnly") or volume.is_read_only)
        path = os.path.normpath(mount["mountPath"])
        binds.append(Bind(str(volume.path), path, is_writable, sub_path=inner))
    return binds
