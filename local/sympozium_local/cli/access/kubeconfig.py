"""Kubeconfig files, merged and read as kubectl does.

Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import Object

VARIABLE = "KUBECONFIG"
DEFAULT_NAMESPACE = "default"
IN_CLUSTER = "in-cluster"
"""Name of the context that a pod has without any file."""

_PATH_KEYS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_POD_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Context:
    """Where a context leads, and as whom.

    Attributes:
        cluster: Its entry in `clusters`, with the paths in it made absolute.
        user: Its entry in `users`, likewise; {} where nobody is named.
    """

    name: str
    namespace: str
    cluster: Object
    user: Object = field(repr=False)

    @property
    def server(self) -> str:
        """Address of the API server."""
        return str(self.cluster["server"]).rstrip("/")


@dataclass
class Kubeconfig:
    """What one or several files say together; of two entries of a name the first counts."""

    files: Sequence[Path]
    current: str = ""
    contexts: dict[str, Object] = field(default_factory=dict)
    clusters: dict[str, Object] = field(default_factory=dict)
    users: dict[str, Object] = field(default_factory=dict, repr=False)

    def context(self, name: str = "") -> Context:
        """Return a context by its name, or the current one.

        Raises:
            PermanentError: There is no such context, or what it names is missing.
        """
        wanted = name or self.current
        if not wanted:
            raise PermanentError(
                f"cannot choose a cluster: {self._shown()} has no current context; name one with "
                f"--context ({self._known()}), or run kubectl config use-context"
            )
        if wanted not in self.contexts:
            raise PermanentError(
                f"cannot use context {wanted!r}: {self._shown()} has {self._known()}; "
                "name one of these with --context"
            )
        context = self.contexts[wanted]
        cluster = self.clusters.get(str(context.get("cluster", "")), {})
        if not cluster.get("server"):
            raise PermanentError(
                f"cannot use context {wanted!r}: {self._shown()} does not say which server its "
                f"cluster {context.get('cluster', '')!r} has; mend the file"
            )
        user = self.users.get(str(context.get("user", "")), {})
        namespace = str(context.get("namespace") or DEFAULT_NAMESPACE)
        return Context(wanted, namespace, cluster, user)

    def _shown(self) -> str:
        return f"the kubeconfig '{os.pathsep.join(map(str, self.files))}'"

    def _known(self) -> str:
        return ", ".join(sorted(self.contexts)) or "no contexts"


def kubeconfig_files(environ: Mapping[str, str] | None = None) -> list[Path]:
    """Return where kubectl looks without a flag: what `KUBECONFIG` lists, else ~/.kube/config."""
    environ = os.environ if environ is None else environ
    named = [Path(one) for one in environ.get(VARIABLE, "").split(os.pathsep) if one]
    return named or [Path(environ.get("HOME") or "~").expanduser() / ".kube" / "config"]


def find_kubeconfig(file: str = "") -> Kubeconfig | None:
    """Return what kubectl would use: *file*, or those of the environment, or a pod's own.

    None: there is none of them.

    Raises:
        PermanentError: *file* is not there, or a file cannot be read.
    """
    if file:
        return read_kubeconfig([Path(file).expanduser()])
    files = [path for path in kubeconfig_files() if path.exists()]
    return read_kubeconfig(files) if files else _of_this_pod()


def read_kubeconfig(files: Iterable[Path]) -> Kubeconfig:
    """Read files and merge them.

    Raises:
        PermanentError: One cannot be read.
    """
    merged = Kubeconfig([*files])
    for path in merged.files:
        content = _content(path)
        merged.current = merged.current or str(content.get("current-context") or "")
        for part, known in (
            ("context", merged.contexts),
            ("cluster", merged.clusters),
            ("user", merged.users),
        ):
            for entry in content.get(f"{part}s") or ():
                known.setdefault(str(entry["name"]), _absolute(entry.get(part) or {}, path.parent))
    return merged


def _content(path: Path) -> Object:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content: Any = yaml.load(path.read_text(), Loader=loader)  # noqa: S506 - both are safe
    except (OSError, ValueError, yaml.YAMLError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no YAML"
        raise PermanentError(
            f"cannot read the kubeconfig '{path}': {cause}; name another with --kubeconfig"
        ) from None
    if not isinstance(content, dict | None):
        raise PermanentError(f"cannot read the kubeconfig '{path}': it is no kubeconfig")
    return content or {}


def _absolute(entry: Object, folder: Path) -> Object:
    """Return *entry* with its paths seen from the *folder* of its file."""
    changed: Object = {key: str(folder / entry[key]) for key in _PATH_KEYS if entry.get(key)}
    plugin = entry.get("exec") or {}
    command = str(plugin.get("command", ""))
    if "/" in command:
        changed["exec"] = plugin | {"command": str(folder / command)}
    return entry | changed


def _of_this_pod() -> Kubeconfig | None:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port or not (_POD_FOLDER / "token").exists():
        return None
    host = f"[{host}]" if ":" in host else host
    ca_file = str(_POD_FOLDER / "ca.crt")
    namespace = (_POD_FOLDER / "namespace").read_text().strip()
    context = {"cluster": IN_CLUSTER, "user": IN_CLUSTER, "namespace": namespace}
    return Kubeconfig(
        [_POD_FOLDER],
        IN_CLUSTER,
        {IN_CLUSTER: context},
        {IN_CLUSTER: {"server": f"https://{host}:{port}", "certificate-authority": ca_file}},
        {IN_CLUSTER: {"tokenFile": str(_POD_FOLDER / "token")}},
    )
