"""`sympozium` against a real cluster: through the API server, with the caller's rights."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.kubeconfigs import write
from tests.kube.cluster import Clients
from tests.kube.release import SYSTEM_NAMESPACE, make_tenant

SYMPOZIUM = Path(sys.executable).with_name("sympozium")
TENANT = "command-line"
DENIED_S = 60.0

pytestmark = [pytest.mark.usefixtures("release"), pytest.mark.timeout(900)]


@pytest.fixture
def tenant(kube_clients: Clients) -> Iterator[str]:
    """A tenant of the test's own."""
    make_tenant(kube_clients, TENANT)
    yield TENANT
    kube_clients.kubectl("delete", "namespace", TENANT)


@pytest.fixture
def environ(kube_clients: Clients, tmp_path: Path) -> dict[str, str]:
    """As somebody with kubectl, and without a system of this machine."""
    return {**kube_clients.environ, "SYMPOZIUM_HOME": str(tmp_path / "home")}


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SYMPOZIUM), *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def doctor(environ: dict[str, str], *arguments: str) -> dict[tuple[str, str], dict[str, str]]:
    """Return what doctor found, by section and subject."""
    answer = run(environ, "doctor", "--json", *arguments)
    assert answer.stdout, answer.stderr
    told: dict[str, Any] = json.loads(answer.stdout)
    return {
        (section["title"], check["about"]): check
        for section in told["sections"]
        for check in section["checks"]
    }


def test_a_question_is_answered_through_the_api_server(environ: dict[str, str]) -> None:
    answer = run(environ, "chat", "hello there", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["text"]
    listed = run(environ, "runs", "list", "-l", "1")
    name = listed.stdout.splitlines()[1].split()[0]
    assert "Succeeded" in listed.stdout
    logs = run(environ, "runs", "logs", name)
    assert logs.returncode == 0, logs.stderr
    assert "==> agent <==" in logs.stdout


def test_status_names_the_cluster_and_every_program(environ: dict[str, str]) -> None:
    answer = run(environ, "status", "--json")
    told = json.loads(answer.stdout)
    assert told["cluster"].startswith("context '")
    ready = [one["name"].split("/") for one in told["programs"] if one["is_ready"]]
    names = {name for namespace, name in ready if namespace == SYSTEM_NAMESPACE}
    assert {"sympozium-controller", "sympozium-router", "sympozium-nats"} <= names
    assert any("no metrics API" in remark for remark in told["remarks"])


def test_dead_letters_are_asked_for_through_the_api_server(environ: dict[str, str]) -> None:
    answer = run(environ, "dead", "list", "--json")
    assert answer.returncode == 0, answer.stderr
    assert isinstance(json.loads(answer.stdout), list)


def test_doctor_finds_nothing_wrong_with_what_was_just_installed(
    environ: dict[str, str],
) -> None:
    found = doctor(environ, "--probe")
    assert {subject: one for subject, one in found.items() if one["state"] == "bad"} == {}
    assert found["network", "network policies tried"]["state"] == "ok"
    assert found["admission", "answer of the webhook"]["state"] == "ok"
    assert found["bus", "stream INBOX"]["state"] == "ok"


def test_doctor_names_an_image_that_cannot_be_pulled(
    environ: dict[str, str], kube_clients: Clients, tenant: str
) -> None:
    channel = {
        "apiVersion": "sympozium.ai/v1alpha1",
        "kind": "Channel",
        "metadata": {"name": "odd", "namespace": tenant},
        "spec": {"type": "odd", "agentRef": "a", "image": "localhost/not/there:dev"},
    }
    kube_clients.apply(json.dumps(channel))
    deadline = time.monotonic() + DENIED_S
    subject = ("images", "image localhost/not/there:dev")
    while subject not in (found := doctor(environ, "-n", tenant)):
        assert time.monotonic() < deadline, found
        time.sleep(1)
    assert found[subject]["state"] == "bad"
    assert "images.registry" in found[subject]["remedy"]


def test_somebody_who_may_only_look_looks_and_is_told_what_to_ask_for(
    environ: dict[str, str], kube_clients: Clients, tenant: str, tmp_path: Path
) -> None:
    scope = ("-n", tenant)
    kube_clients.kubectl(*scope, "create", "serviceaccount", "viewer")
    kube_clients.kubectl(
        *(*scope, "create", "rolebinding", "viewer", "--clusterrole=view"),
        f"--serviceaccount={tenant}:viewer",
    )
    token = kube_clients.kubectl(*scope, "create", "token", "viewer").strip()
    config = yaml.safe_load(kube_clients.kubeconfig.read_text())
    config["users"] = [{"name": one["name"], "user": {"token": token}} for one in config["users"]]
    environ["KUBECONFIG"] = str(write(tmp_path / "viewer", config))
    listed = run(environ, "runs", "list", *scope)
    assert (listed.returncode, listed.stderr[:8]) == (0, "No runs ")
    refused = run(environ, "runs", "cancel", "x", *scope)
    assert "it is not there" in refused.stderr
    elsewhere = run(environ, "runs", "list", "-n", "kube-system")
    assert "ask for the role 'sympozium-view' in namespace 'kube-system'" in elsewhere.stderr
    assert "ask for the role 'sympozium-operate'" in run(environ, "dead", "list").stderr
