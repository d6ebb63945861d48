"""A pod's volumes as folders of this machine.

Secrets, tokens and ``medium: Memory`` live in a folder in memory; the rest in the data folder.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import SERVICE_ACCOUNTS, Object
from sympozium.contract.times import parse_kube_time
from sympozium.kube.client import object_path
from sympozium_local.kubelet.environment import field_value, resource_value
from sympozium_local.kubelet.quantity import parse_quantity
from sympozium_local.kubelet.sources import Sources

_REFRESH_AT = 0.8
"""Share of a token's life after which it is replaced. Source: kubelet token manager."""
_RETRY_S = 5.0
_TOKENS_EVERY_S = 5.0
"""How often the clock is looked at: it goes on while a laptop sleeps, and a pause does not."""
_SECRET_EVERY_S = 5.0
"""How often a Secret that is mounted is read again; a cluster's kubelet does so each minute."""


class VolumeNotReadyError(TransientError):
    """The volume cannot be made yet, or refers to what is not there yet: FailedMount."""


@dataclass(frozen=True)
class Volume:
    """One volume of a pod."""

    path: Path
    is_read_only: bool = False
    size_limit_bytes: int = 0


@dataclass(frozen=True)
class Token:
    """A projected ServiceAccount token that must be replaced before it expires."""

    path: Path
    source: Object
    refresh_at: float
    """By `time.time`."""


class Volumes:
    """The volumes of one pod."""

    def __init__(self, pod: Object, disk: Path, memory: Path, owner: int) -> None:
        self._pod = pod
        self._disk = disk
        self._memory = memory
        self._owner = owner
        self.by_name: dict[str, Volume] = {}
        self._tokens: list[Token] = []
        self._secrets: list[tuple[Path, Object, int]] = []

    async def prepare(self, sources: Sources, allowed_host_paths: Sequence[Path]) -> None:
        """Make every volume of the pod.

        Raises:
            VolumeNotReadyError: A Secret or ConfigMap is not there; call again later.
            PermanentError: This node does not offer such a volume.
        """
        for volume in self._pod["spec"].get("volumes") or ():
            self.by_name[volume["name"]] = await self._prepare(volume, sources, allowed_host_paths)

    async def keep_tokens_fresh(self, sources: Sources) -> None:
        """Replace tokens before they expire; return at once where there are none."""
        while self._tokens:
            due = await self.replace_tokens(sources, now=time.time())
            await asyncio.sleep(min(max(0.0, due - time.time()), _TOKENS_EVERY_S))

    async def keep_secrets_fresh(self, sources: Sources) -> None:
        """Follow the Secrets that are mounted; return at once where there are none."""
        while self._secrets:
            await asyncio.sleep(_SECRET_EVERY_S)
            for folder, part, mode in self._secrets:
                with suppress(TransientError):
                    await self._write_files(folder, part, mode, sources)

    async def replace_tokens(self, sources: Sources, *, now: float) -> float:
        """Replace the tokens that are due at *now*; return when the next one is."""
        for token in [token for token in self._tokens if token.refresh_at <= now]:
            self._tokens.remove(token)
            try:
                await self._write_token(token.path, token.source, sources)
            except TransientError:
                self._tokens.append(replace(token, refresh_at=now + _RETRY_S))
        return min(token.refresh_at for token in self._tokens)

    async def _prepare(
        self, volume: Object, sources: Sources, allowed_host_paths: Sequence[Path]
    ) -> Volume:
        name = volume["name"]
        if "emptyDir" in volume:
            return self._empty_dir(name, volume["emptyDir"] or {})
        if "hostPath" in volume:
            found = _host_path(volume["hostPath"], allowed_host_paths)
            _give_to(found.path, self._owner)
            return found
        folder = self._memory / name
        if "projected" in volume:
            projected = volume["projected"]
            parts, mode = projected.get("sources") or (), projected.get("defaultMode", 0o644)
        else:
            kind = next((k for k in ("secret", "configMap", "downwardAPI") if k in volume), None)
            if kind is None:
                kinds = ", ".join(sorted(volume.keys() - {"name"}))
                raise PermanentError(f"cannot make volume {name!r}: this node has no {kinds}")
            part = volume[kind]
            parts, mode = ({kind: part},), part.get("defaultMode", 0o644)
        _make_folder(folder, self._owner, 0o755)
        for part in parts:
            await self._write_files(folder, part, mode, sources)
            if "secret" in volume:
                self._secrets.append((folder, part, mode))
        return Volume(folder, is_read_only=True)

    async def _write_files(self, folder: Path, part: Object, mode: int, sources: Sources) -> None:
        for path, (data, own_mode) in (await self._files(part, sources, folder)).items():
            write_file(folder, path, data, mode=own_mode or mode, owner=self._owner)

    def _empty_dir(self, name: str, spec: Object) -> Volume:
        parent = self._memory if spec.get("medium") == "Memory" else self._disk
        _make_folder(parent / name, self._owner, 0o777)
        return Volume(parent / name, size_limit_bytes=int(parse_quantity(spec.get("sizeLimit", 0))))

    async def _files(
        self, part: Object, sources: Sources, folder: Path
    ) -> dict[str, tuple[bytes, int | None]]:
        """Return the files of one source: path to content and mode (None: the volume's)."""
        if "serviceAccountToken" in part:
            token = part["serviceAccountToken"]
            await self._write_token(folder / token["path"], token, sources)
            return {}
        if "downwardAPI" in part:
            items = part["downwardAPI"].get("items") or ()
            return {i["path"]: (self._downward(i).encode(), i.get("mode")) for i in items}
        if "secret" in part:
            source = part["secret"]
            name = source.get("secretName") or source["name"]
            return _select("secret", name, source, await sources.secret(name))
        if "configMap" in part:
            source = part["configMap"]
            return _select(
                "configmap", source["name"], source, await sources.config_map(source["name"])
            )
        raise PermanentError(f"cannot make a volume from {', '.join(part)}: this node has none")

    def _downward(self, item: Object) -> str:
        if "fieldRef" in item:
            return field_value(self._pod, item["fieldRef"]["fieldPath"])
        reference = item["resourceFieldRef"]
        containers = self._pod["spec"]["containers"]
        return resource_value(
            reference, next(c for c in containers if c["name"] == reference["containerName"])
        )

    async def _write_token(self, path: Path, source: Object, sources: Sources) -> None:
        metadata = self._pod["metadata"]
        bound = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
        spec: Object = {
            "expirationSeconds": source.get("expirationSeconds", 3600),
            "boundObjectRef": bound,
        }
        if source.get("audience"):
            spec["audiences"] = [source["audience"]]
        account = self._pod["spec"].get("serviceAccountName") or "default"
        where = object_path(SERVICE_ACCOUNTS, metadata["namespace"], account, "token")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            status = (await sources.kube.request("POST", where, body=request))["status"]
        except PermanentError as error:
            raise VolumeNotReadyError(str(error)) from error
        write_file(path.parent, path.name, status["token"].encode(), mode=0o600, owner=self._owner)
        now = time.time()
        life_s = parse_kube_time(status["expirationTimestamp"]).timestamp() - now
        refresh_at = now + max(1.0, life_s * _REFRESH_AT)
        self._tokens.append(Token(path, source, refresh_at))


def _host_path(spec: Object, allowed: Sequence[Path]) -> Volume:
    path = Path(os.path.realpath(spec["path"]))
    if not any(path.is_relative_to(os.path.realpath(place)) for place in allowed):
        raise PermanentError(
            f"cannot mount hostPath {spec['path']!r}: this node shows no folder of the machine; "
            "start it with --allow-host-path to allow one"
        )
    if spec.get("type") == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        raise VolumeNotReadyError(f"hostPath {spec['path']!r} does not exist")
    return Volume(path)


def _select(
    kind: str, name: str, source: Object, data: Mapping[str, bytes] | None
) -> dict[str, tuple[bytes, int | None]]:
    is_optional = source.get("optional", False)
    if data is None:
        if is_optional:
            return {}
        raise VolumeNotReadyError(f"{kind} {name!r} not found")
    items = source.get("items")
    if items is None:
        return {key: (value, None) for key, value in data.items()}
    files: dict[str, tuple[bytes, int | None]] = {}
    for item in items:
        if item["key"] in data:
            files[item["path"]] = (data[item["key"]], item.get("mode"))
        elif not is_optional:
            raise VolumeNotReadyError(f"{kind} {name!r} has no key {item['key']!r}")
    return files


def write_file(folder: Path, path: str, data: bytes, *, mode: int, owner: int) -> None:
    """Put *data* at *path* in *folder* in one step: a reader sees the old or the new content.

    Raises:
        PermanentError: *path* leads out of the folder.
    """
    if ".." in Path(path).parts or Path(path).is_absolute():
        raise PermanentError(f"cannot write {path!r} into a volume: it leads out of it")
    target = folder / path
    for parent in reversed([p for p in target.parents if p != folder and folder in p.parents]):
        _make_folder(parent, owner, 0o755)
    fresh = target.with_name(f".{target.name}.new")
    fd = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
        os.fchmod(fd, mode)
        if owner:
            os.fchown(fd, owner, owner)
    finally:
        os.close(fd)
    fresh.rename(target)


def _give_to(path: Path, owner: int) -> None:
    """Make everything at *path* belong to the pod, which is another user each time."""
    if owner:
        for place in (path, *path.rglob("*")):
            os.chown(place, owner, owner, follow_symlinks=False)


def _make_folder(path: Path, owner: int, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    if owner:
        os.chown(path, owner, owner)
