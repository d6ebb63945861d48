"""What two servers cannot say alike, replaced by names that both share.

Uids, times, resource versions, generated names, addresses, tokens and the like are numbered in
the order in which a case sees them, so that what was equal stays equal and what differed differs.
Nothing is left out. The order of the entries of managedFields (their times') and of the causes of a
refusal (a map's) is not looked at.
"""

import re
from typing import Any

_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+")
_AGE = re.compile(r"\d+[sd]|\d+y(\d+d)?")
_VERSION = re.compile(r'(?<=resourceVersion)(\\*":\\*")\d+')
_VOLUME = re.compile(r"\bkube-api-access-[a-z0-9]{5}\b")
_OPAQUE = {
    "continue": "<continue>",
    "podIP": "<ip>",
    "hostIP": "<ip>",
    "ip": "<ip>",
    "clusterIP": "<ip>",
    "clusterIPs": "<ip>",
    "containerID": "<container>",
    "imageID": "<image>",
    "nodeName": "<node>",
}
"""Fields whose value is the machine's own business; that they are there is compared."""


class Normal:
    """The names that one case has given to what it saw."""

    def __init__(self, namespace: str) -> None:
        self._names: dict[str, str] = {namespace: "<namespace>"}
        self._counts: dict[str, int] = {}
        self._versions: dict[str, list[str]] = {}
        self.counts_versions = True
        """False where controllers write at times of their own."""

    def name(self, value: str, kind: str) -> str:
        """Return the name of *value* among those of its *kind*."""
        if value not in self._names:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[value] = f"<{kind}-{number}>"
        return self._names[value]

    def value(self, value: Any) -> Any:
        """Return *value* with names for all that differs from server to server."""
        self._learn(value)
        return self._value(value, "")

    def text(self, text: str) -> str:
        """Return *text* likewise."""
        if _AGE.fullmatch(text):
            return "<age>"
        text = _TOKEN.sub("<token>", text)
        text = _VERSION.sub(r"\1<version>", text)  # of an object that a message quotes
        text = _VOLUME.sub("kube-api-access-<five>", text)
        text = _UUID.sub(lambda found: self.name(found[0], "uid"), text)
        text = _TIME.sub("<time>", text)
        for known, name in self._names.items():
            if known in text:
                text = re.sub(rf"(?<![\w]){re.escape(known)}(?![\w])", name, text)
        return text

    def _learn(self, value: Any) -> None:
        """Take notice of generated names, before any text is read that holds them."""
        if isinstance(value, dict):
            metadata = value.get("metadata")
            if isinstance(metadata, dict) and metadata.get("generateName"):
                prefix, name = metadata["generateName"], metadata.get("name", "")
                if len(name) == len(prefix) + 5 and name.startswith(prefix):
                    self.name(name, "generated")
            for key in sorted(value):
                self._learn(value[key])
        elif isinstance(value, list):
            for item in value:
                self._learn(item)

    def _value(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            value = _ordered(value)
            version = self._version(value) if key == "metadata" else None
            changed = {name: self._value(value[name], name) for name in sorted(value)}
            if version:
                changed["resourceVersion"] = version
            return {self.text(name): item for name, item in changed.items()}
        if key == "managedFields" and isinstance(value, list):
            return sorted(self.text(_one_line(entry)) for entry in value)  # else by their times
        if isinstance(value, list):
            return [self._value(item, key) for item in value]
        if key in _OPAQUE and value and value != "None":
            return _OPAQUE[key]
        return self.text(value) if isinstance(value, str) else value

    def _version(self, metadata: dict[str, Any]) -> str:
        version, uid = metadata.get("resourceVersion"), metadata.get("uid")
        if not isinstance(version, str) or not version:
            return ""
        if uid is None or not self.counts_versions:
            return "<version>"
        seen = self._versions.setdefault(uid, [])
        if version not in seen:
            seen.append(version)
        return f"<version-{seen.index(version) + 1}>"


def _ordered(value: dict[str, Any]) -> dict[str, Any]:
    """Put several causes of a refusal in an order: a map's is another each time with the real one.

    The message then says where the causes are, and not in which order they came.
    """
    causes = (value.get("details") or {}).get("causes") if value.get("kind") == "Status" else None
    if not isinstance(causes, list) or len(causes) < 2:
        return value
    pairs = {(one.get("field", ""), one["message"], one.get("reason", "")) for one in causes}
    keys = ("field", "message", "reason")
    listed = [dict(zip(keys, pair, strict=True)) for pair in sorted(pairs)]
    message = value["message"].partition(" is invalid: ")[0]
    details = {**value["details"], "causes": listed}
    return {**value, "message": f"{message} is invalid: <causes>", "details": details}


def _one_line(entry: dict[str, Any]) -> str:
    """Write an entry of managedFields as the list of what it owns."""
    rest = {key: value for key, value in entry.items() if key not in _MANAGED}
    words = [str(entry.get(key, "-")) for key in ("manager", "operation", "apiVersion")]
    words += [entry["subresource"]] if entry.get("subresource") else []
    words += [f"{key}={value}" for key, value in sorted(rest.items())]
    return f"{' '.join(words)}: {' '.join(_leaves(entry.get('fieldsV1') or {}, ''))}"


_MANAGED = {"manager", "operation", "apiVersion", "subresource", "time", "fieldsType", "fieldsV1"}


def _leaves(fields: dict[str, Any], path: str) -> list[str]:
    found = []
    for key in sorted(fields):
        here = f"{path}.{key[2:]}" if key != "." else path
        found += _leaves(fields[key], here) if fields[key] else [f"{here}:" if key == "." else here]
    return found
