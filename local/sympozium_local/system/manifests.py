"""The objects that make an empty cluster a running system."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import yaml

from sympozium.contract.resources import TENANT_LABEL
from sympozium_local.system.bus_access import CONTROLLER_USER, BusAccess
from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home
from sympozium_local.system.keeping import Keeping
from sympozium_local.system.model import ModelSettings
from sympozium_local.system.ports import Ports

Object = dict[str, Any]

SYSTEM_NAMESPACE = "sympozium-system"
MODEL_SECRET = "assistant-model"  # noqa: S105 - the name of a Secret
MODEL_ANNOTATION = "sympozium.ai/model-settings"
"""On the Agent: of which settings its model was set at a start, to see when they change."""
WEB_ANNOTATION = "sympozium.ai/web-settings"
"""On the Channel: of which settings its port and token were set at a start."""
WEB_SECRET = "web-token"  # noqa: S105 - the name of a Secret
MIN_TOKEN_CHARS = 16

_HERE = Path(__file__).parent.parent / "manifests"
_RIGHTS = ("rbac", "admission")
_CHART = Path(__file__).parents[3] / "helm" / "sympozium"


@dataclass(frozen=True)
class Deployment:
    """What one start of the system is made of."""

    home: Home
    ports: Ports
    access: BusAccess
    model: ModelSettings
    web_token: str = field(default="", repr=False)
    """What callers of the web chat must present; empty: none is asked for."""
    keeping: Keeping = field(default_factory=Keeping)


def web_token(environ: Mapping[str, str] | None = None) -> str:
    """Return what `SYMPOZIUM_WEB_TOKEN` says.

    Raises:
        StartError: It is too short to keep anybody out.
    """
    token = (os.environ if environ is None else environ).get("SYMPOZIUM_WEB_TOKEN", "")
    if token and len(token) < MIN_TOKEN_CHARS:
        raise StartError(
            f"cannot start: SYMPOZIUM_WEB_TOKEN has {len(token)} characters; use "
            f"{MIN_TOKEN_CHARS} or more, for example those that `openssl rand -hex 16` prints"
        )
    return token


def addons(deployment: Deployment) -> Object:
    """Return what the node does at its start.

    `apply`: objects of the system, made so whatever they were. `create`: an `object`
    of the user, made where it is missing, and the fields of it that a start may
    `set`, with an annotation that tells whether they are in force already.
    """
    values = _values(deployment)
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": SYSTEM_NAMESPACE},
    }
    tenant = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "default", "labels": {TENANT_LABEL: "true"}},
    }
    system = [namespace, tenant, *_rights(), *_documents("system.yaml", values)]
    if deployment.model.key:
        system.append(_secret(MODEL_SECRET, "OPENAI_API_KEY", deployment.model.key))
    if deployment.web_token:
        system.append(_secret(WEB_SECRET, "token", deployment.web_token))
    return {
        "apply": system,
        "create": _user_objects(deployment, values),
    }


def _values(deployment: Deployment) -> dict[str, str]:
    ports, access = deployment.ports, deployment.access
    loopback: list[Object] = [
        {
            "to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}],
            "ports": [{"protocol": "TCP", "port": port} for port in (ports.nats, ports.api)],
        }
    ]
    egress = json.dumps([*loopback, *deployment.model.egress()])
    quoted = {  # a JSON string is a YAML string, too
        "bus_user": CONTROLLER_USER,
        "bus_password": access.controller_password,
        "bus_issuer_seed": access.issuer_seed,
        "run_egress": egress,
        "router_dir": str(deployment.home.router),
        "model_idle_timeout_s": str(deployment.model.idle_timeout_s),
        "keep_days": str(deployment.keeping.transcripts_days),
        "runs_keep_days": str(deployment.keeping.runs_days),
        "runs_keep_successful": str(deployment.keeping.successful),
        "runs_keep_failed": str(deployment.keeping.failed),
    }
    plain = {
        "nats_port": ports.nats,
        "controller_port": ports.controller,
        "router_port": ports.router,
    }
    values = {name: json.dumps(text) for name, text in quoted.items()}
    return values | {name: str(port) for name, port in plain.items()}


def _documents(name: str, values: dict[str, str]) -> list[Object]:
    text = Template((_HERE / name).read_text()).substitute(values)
    return [document for document in _load(text) if document]


def _rights() -> list[Object]:
    """Return who may do what, and what may be created at all: as the chart installs it."""
    files = [path for folder in _RIGHTS for path in sorted((_CHART / folder).glob("*.yaml"))]
    if not files:
        raise StartError(
            f"cannot find the rights of controller and router in '{_CHART}'; "
            "run Sympozium from a complete checkout"
        )
    return [document for file in files for document in _load(file.read_text()) if document]


def _load(text: str) -> list[Object]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return list(yaml.load_all(text, Loader=loader))


def _secret(name: str, key: str, value: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default"},
        "type": "Opaque",
        "stringData": {key: value},
    }


def _user_objects(deployment: Deployment, values: dict[str, str]) -> list[Object]:
    settings = {"Agent": _model_settings(deployment.model), "Channel": _web_settings(deployment)}
    return [
        {"object": _merged(obj, settings[obj["kind"]]), "set": settings[obj["kind"]]}
        for obj in _documents("assistant.yaml", values)
    ]


def _model_settings(model: ModelSettings) -> Object:
    refs = [{"provider": "openai", "secret": MODEL_SECRET}] if model.key else []
    return {
        "metadata": {"annotations": {MODEL_ANNOTATION: model.fingerprint}},
        "spec": {
            "agents": {"default": {"model": model.name, "baseURL": model.base_url}},
            "authRefs": refs,
        },
    }


def _web_settings(deployment: Deployment) -> Object:
    port, token = deployment.ports.web, deployment.web_token
    fingerprint = hashlib.sha256(f"{port} {token}".encode()).hexdigest()[:16]
    return {
        "metadata": {"annotations": {WEB_ANNOTATION: fingerprint}},
        "spec": {"web": {"port": port, "tokenSecretRef": WEB_SECRET if token else ""}},
    }


def _merged(base: Object, patch: Object) -> Object:
    merged = dict(base)
    for key, value in patch.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old or {}, value) if both else value
    return merged
