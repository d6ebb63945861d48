"""Credentials that a program of the user's hands out, as managed clusters want it.

Source: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import Object
from sympozium_local.cli.screen import quiet

API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
TIMEOUT_S = 300.0
"""How long a plugin may take: it may have a person log in with a browser."""

EARLY_S = 10.0
"""How long before its end a credential is asked for anew."""


@dataclass(frozen=True)
class ExecCredential:
    """What a plugin answered.

    Attributes:
        expires_at: Seconds since the epoch; infinite where the plugin says nothing.
    """

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expires_at: float = float("inf")

    @property
    def is_good(self) -> bool:
        """Whether it may be used now."""
        return time.time() < self.expires_at - EARLY_S


def run_plugin(plugin: Object, cluster: Object) -> ExecCredential:
    """Run the plugin that a kubeconfig's user names, and return what it answers.

    What it writes on standard error is shown; it may ask on the terminal.

    Raises:
        PermanentError: It is not installed, fails, or answers with something else.
    """
    command, version = str(plugin.get("command", "")), str(plugin.get("apiVersion", ""))
    if version not in API_VERSIONS:
        raise _unusable(command, f"it speaks {version!r}, not {API_VERSIONS[0]!r}", "update it")
    try:
        with quiet():
            done = subprocess.run(
                [command, *map(str, plugin.get("args") or ())],
                env={**os.environ, **_variables(plugin), **_told(plugin, cluster, version)},
                stdin=None if _may_ask(plugin, command) else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=TIMEOUT_S,
                check=False,
            )
    except FileNotFoundError:
        hint = str(plugin.get("installHint") or "install it").strip()
        raise _unusable(command, "it is not installed", hint) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unusable(command, type(error).__name__, "run it by hand to see why") from None
    if done.returncode:
        cause = f"it ended with exit code {done.returncode}"
        raise _unusable(command, cause, "run it by hand to see why")
    return _read(command, version, done.stdout)


def _variables(plugin: Object) -> dict[str, str]:
    return {str(one["name"]): str(one["value"]) for one in plugin.get("env") or ()}


def _told(plugin: Object, cluster: Object, version: str) -> dict[str, str]:
    spec: Object = {"interactive": sys.stdin.isatty() and _mode(plugin) != "Never"}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = {key: cluster[key] for key in _CLUSTER_KEYS if key in cluster}
        if extension := _extension(cluster):
            spec["cluster"]["config"] = extension
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    return {"KUBERNETES_EXEC_INFO": json.dumps(info)}


_CLUSTER_KEYS = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
)


def _extension(cluster: Object) -> Any:
    found = [
        one.get("extension")
        for one in cluster.get("extensions") or ()
        if one.get("name") == "client.authentication.k8s.io/exec"
    ]
    return found[0] if found else None


def _mode(plugin: Object) -> str:
    return str(plugin.get("interactiveMode") or "IfAvailable")


def _may_ask(plugin: Object, command: str) -> bool:
    mode, is_terminal = _mode(plugin), sys.stdin.isatty()
    if mode == "Always" and not is_terminal:
        raise _unusable(command, "it must ask, and there is no terminal", "run this on one")
    return is_terminal and mode != "Never"


def _read(command: str, version: str, raw: bytes) -> ExecCredential:
    try:
        answer = json.loads(raw)
        status = answer["status"]
        expires = status.get("expirationTimestamp")
        expires_at = datetime.fromisoformat(expires).timestamp() if expires else float("inf")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _unusable(command, "its answer is no ExecCredential", "update it") from None
    if answer.get("apiVersion") != version:
        cause = f"it answers with {answer.get('apiVersion')!r} where {version!r} is asked for"
        raise _unusable(command, cause, "make the kubeconfig and it agree")
    certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
    if not status.get("token") and not (certificate and key):
        raise _unusable(command, "it answers with no credential", "run it by hand to see why")
    return ExecCredential(status.get("token") or "", certificate or "", key or "", expires_at)


def _unusable(command: str, cause: str, remedy: str) -> PermanentError:
    return PermanentError(
        f"cannot get credentials from {command!r}, which the kubeconfig names: {cause}; {remedy}"
    )
