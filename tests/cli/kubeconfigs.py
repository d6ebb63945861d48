"""Kubeconfig files for tests."""

from pathlib import Path

import yaml

from sympozium.contract.resources import Object


def kubeconfig(
    cluster: Object, user: Object, *, name: str = "there", namespace: str = ""
) -> Object:
    """Describe a kubeconfig with one context, which is the current one."""
    context = {"cluster": name, "user": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": context}],
    }


def write(path: Path, config: Object) -> Path:
    """Write a kubeconfig, for this user alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path
