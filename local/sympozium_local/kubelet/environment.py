"""A container's environment variables and arguments, from its manifest."""

import math
import re
from collections.abc import Mapping
from decimal import Decimal

from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import Object
from sympozium_local.kubelet.network import LOOPBACK, pod_address
from sympozium_local.kubelet.quantity import parse_quantity
from sympozium_local.kubelet.sources import Sources

_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")


class ConfigError(PermanentError):
    """The manifest refers to what is not there (yet): CreateContainerConfigError."""


async def container_env(
    container: Object, pod: Object, sources: Sources, base: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of *container*: *base*, then ``envFrom``, then ``env``, in order.

    Raises:
        ConfigError: A referenced Secret, ConfigMap, key or field is not there.
    """
    env = dict(base)
    for origin in container.get("envFrom") or ():
        env.update(await _from_all(origin, sources))
    for variable in container.get("env") or ():
        if "valueFrom" in variable:
            value = await _from_one(variable["valueFrom"], container, pod, sources)
            if value is None:
                continue
        else:
            value = expand(variable.get("value") or "", env)
        env[variable["name"]] = value
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by the variable's value; leave unknown names, make ``$$`` a ``$``."""
    return _REFERENCE.sub(
        lambda m: "$" if m[1] == "$" else env.get(m[2], m[0]),
        text,
    )


async def _from_all(origin: Object, sources: Sources) -> dict[str, str]:
    kind, reference, data = await _read(origin, sources, "secretRef", "configMapRef")
    if data is None and not reference.get("optional"):
        raise ConfigError(f'{kind} "{reference["name"]}" not found')
    prefix = origin.get("prefix") or ""
    return {prefix + key: value.decode() for key, value in (data or {}).items()}


async def _from_one(origin: Object, container: Object, pod: Object, sources: Sources) -> str | None:
    if "fieldRef" in origin:
        return field_value(pod, origin["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in origin:
        return resource_value(origin["resourceFieldRef"], container)
    kind, reference, data = await _read(origin, sources, "secretKeyRef", "configMapKeyRef")
    if data is not None and reference["key"] in data:
        return data[reference["key"]].decode()
    if reference.get("optional"):
        return None
    if data is None:
        raise ConfigError(f'{kind} "{reference["name"]}" not found')
    raise ConfigError(f"couldn't find key {reference['key']} in {kind} {reference['name']!r}")


async def _read(
    origin: Object, sources: Sources, secret_field: str, config_map_field: str
) -> tuple[str, Object, Mapping[str, bytes] | None]:
    if secret_field in origin:
        reference = origin[secret_field]
        return "secret", reference, await sources.secret(reference["name"])
    if config_map_field in origin:
        reference = origin[config_map_field]
        return "configmap", reference, await sources.config_map(reference["name"])
    raise ConfigError(f"this node cannot take a value from {', '.join(origin)}")


def field_value(pod: Object, path: str) -> str:
    """Return what the downward API says about *pod* at *path*.

    Raises:
        ConfigError: The downward API has no such field.
    """
    metadata = pod["metadata"]
    entry = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if entry:
        return str((metadata.get(entry[1]) or {}).get(entry[2], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        entries: Mapping[str, str] = metadata.get(path.partition(".")[2]) or {}
        return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(entries.items()))
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        **dict.fromkeys(("status.hostIP", "status.hostIPs"), LOOPBACK),
        **dict.fromkeys(("status.podIP", "status.podIPs"), pod_address(pod)),
    }
    if path not in fields:
        raise ConfigError(f"the downward API has no field {path!r}")
    return str(fields[path])


def resource_value(reference: Object, container: Object) -> str:
    """Return a container's limit or request, in units of the divisor, rounded up.

    Raises:
        ConfigError: The container sets neither, or there is no such resource.
    """
    where, _, name = reference["resource"].partition(".")
    resources = container.get("resources") or {}
    amount = (resources.get(where) or {}).get(name) or (resources.get("limits") or {}).get(name)
    if where not in {"limits", "requests"} or amount is None:
        raise ConfigError(f"container {container['name']!r} sets no {reference['resource']}")
    divisor = parse_quantity(reference.get("divisor") or 1) or Decimal(1)
    return str(math.ceil(parse_quantity(amount) / divisor))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
