"""The Secrets and ConfigMaps that a pod's manifest refers to, each read once per attempt."""

import base64
from collections.abc import Mapping

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import CONFIG_MAPS, SECRETS, Resource
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError, UnavailableError


class SourceAwayError(TransientError):
    """The API server does not say what is in a Secret or ConfigMap; as a kubelet words it."""


class Sources:
    """What one attempt to start a pod has read so far."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self._read: dict[tuple[str, str], Mapping[str, bytes] | None] = {}

    async def secret(self, name: str) -> Mapping[str, bytes] | None:
        """Return the content of a Secret, or None where there is no such Secret."""
        return await self._get(SECRETS, name)

    async def config_map(self, name: str) -> Mapping[str, bytes] | None:
        """Return the content of a ConfigMap, or None where there is no such ConfigMap."""
        return await self._get(CONFIG_MAPS, name)

    async def _get(self, resource: Resource, name: str) -> Mapping[str, bytes] | None:
        key = (resource.kind, name)
        if key not in self._read:
            try:
                found = await self.kube.get(resource, self.namespace, name)
            except NotFoundError:
                self._read[key] = None
            except UnavailableError as error:
                text = f"failed to sync {resource.kind.lower()} cache: {error}"
                raise SourceAwayError(text) from error
            else:
                is_secret = resource is SECRETS
                data = found.get("data") or {}
                plain = {
                    k: base64.b64decode(v) if is_secret else v.encode() for k, v in data.items()
                }
                binary = found.get("binaryData") or {}
                self._read[key] = plain | {k: base64.b64decode(v) for k, v in binary.items()}
        return self._read[key]
