"""The objects that make an empty cluster a running system."""

import json
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

from sympozium_local.system.bus_access import CONTROLLER_USER, BusAccess
from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home
from sympozium_local.system.model import ModelSettings
from sympozium_local.system.ports import Ports

Object = dict[str, Any]

SYSTEM_NAMESPACE = "sympozium-system"
MODEL_SECRET = "assistant-model"  # noqa: S105 - the name of a Secret
MODEL_ANNOTATION = "sympozium.ai/model-settings"
"""On the Agent: of which settings its model was set at a start, to see when they change."""
PORT_ANNOTATION = "sympozium.ai/port"
"""On the Channel: the port of the last start."""

_HERE = Path(__file__).parent.parent / "manifests"
_RIGHTS = Path(__file__).parents[3] / "helm" / "sympozium" / "rbac"


@dataclass(frozen=True)
class Deployment:
    """What one start of the system is made of."""

    home: Home
    ports: Ports
    access: BusAccess
    model: ModelSettings


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
    system = [namespace, *_rights(), *_documents("system.yaml", values)]
    if deployment.model.key:
        system.append(_model_secret(deployment.model))
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
    files = sorted(_RIGHTS.glob("*.yaml"))
    if not files:
        raise StartError(
            f"cannot find the rights of controller and router in '{_RIGHTS}'; "
            "run Sympozium from a complete checkout"
        )
    return [document for file in files for document in _load(file.read_text()) if document]


def _load(text: str) -> list[Object]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return list(yaml.load_all(text, Loader=loader))


def _model_secret(model: ModelSettings) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": MODEL_SECRET, "namespace": "default"},
        "type": "Opaque",
        "stringData": {"OPENAI_API_KEY": model.key},
    }


def _user_objects(deployment: Deployment, values: dict[str, str]) -> list[Object]:
    settings = {"Agent": _model_settings(deployment.model), "Channel": _port(deployment.ports)}
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


def _port(ports: Ports) -> Object:
    return {
        "metadata": {"annotations": {PORT_ANNOTATION: str(ports.web)}},
        "spec": {"web": {"port": ports.web}},
    }


def _merged(base: Object, patch: Object) -> Object:
    merged = dict(base)
    for key, value in patch.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old or {}, value) if both else value
    return merged
