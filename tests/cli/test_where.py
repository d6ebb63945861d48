"""Which cluster a command talks to, and what it says where it cannot."""

import json
from pathlib import Path

import pytest
import yaml

from sympozium.contract.resources import AGENT_RUNS
from sympozium_local.cli.paths import path_of
from sympozium_local.system.home import locked
from tests.cli.apis import Api
from tests.cli.kubeconfigs import kubeconfig, write
from tests.cli.stand_in import Front
from tests.fixtures.nats_server import free_port
from tests.local.command_line import CommandLine

LONG_AGO = "2026-01-01T00:00:00Z"
RUN = {
    "apiVersion": "sympozium.ai/v1alpha1",
    "kind": "AgentRun",
    "spec": {"agentRef": "assistant", "task": "look"},
}

pytestmark = pytest.mark.timeout(90)
"""The first test of a session waits for an API server and all that is put into it."""


def add_run(api: Api, name: str, namespace: str) -> None:
    api.put(RUN | {"metadata": {"name": name, "namespace": namespace}})


@pytest.mark.parametrize("how", ["variable", "option", "before"])
def test_a_cluster_is_named_as_to_kubectl(installed: Api, sympozium: CommandLine, how: str) -> None:
    add_run(installed, "one", "default")
    file = str(installed.kubeconfig)
    if how == "variable":
        answer = sympozium.run("runs", "list", KUBECONFIG=file)
    elif how == "option":
        answer = sympozium.run("runs", "list", "--kubeconfig", file)
    else:
        answer = sympozium.run("--kubeconfig", file, "runs", "list")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[1].split()[:2] == ["one", "assistant"]
    assert answer.stderr == ""


def test_a_context_and_its_namespace_choose(
    installed: Api, sympozium: CommandLine, tmp_path: Path
) -> None:
    add_run(installed, "here", "kube-system")
    config = yaml.safe_load(installed.kubeconfig.read_text())
    second = {**config["contexts"][0]["context"], "namespace": "kube-system"}
    config["contexts"].append({"name": "second", "context": second})
    file = str(write(tmp_path / "config", config))
    chosen = sympozium.run("runs", "list", "--context", "second", KUBECONFIG=file)
    assert chosen.stdout.splitlines()[1].split()[0] == "here"
    other = sympozium.run("runs", "list", "--context", "second", "-n", "default", KUBECONFIG=file)
    assert "No runs in namespace 'default'" in other.stderr
    every = sympozium.run("runs", "list", "-A", KUBECONFIG=file)
    assert every.stdout.splitlines()[1].split()[:2] == ["kube-system", "here"]
    wrong = sympozium.run("runs", "list", "--context", "third", KUBECONFIG=file)
    assert wrong.returncode == 1
    assert "cannot use context 'third'" in wrong.stderr


def test_who_used_this_machine_before_is_told_that_it_is_another_cluster(
    installed: Api, sympozium: CommandLine
) -> None:
    sympozium.home.prepare()
    sympozium.home.kubeconfig.touch()
    answer = sympozium.run("runs", "list", KUBECONFIG=str(installed.kubeconfig))
    assert answer.returncode == 0
    assert answer.stderr.startswith("No system runs on this machine; using context ")


def test_the_system_of_this_machine_goes_first_and_says_so(
    installed: Api, bare: Api, sympozium: CommandLine
) -> None:
    add_run(installed, "mine", "default")
    sympozium.home.prepare()
    sympozium.home.kubeconfig.write_bytes(installed.kubeconfig.read_bytes())
    other = str(bare.kubeconfig)
    with locked(sympozium.home, url="http://127.0.0.1:1"):
        quiet = sympozium.run("runs", "list")
        told = sympozium.run("runs", "list", KUBECONFIG=other)
        named = sympozium.run("runs", "list", "--kubeconfig", other)
    assert [one.stdout.splitlines()[1].split()[0] for one in (quiet, told)] == ["mine", "mine"]
    assert quiet.stderr == ""
    assert told.stderr.startswith("Using the system of this machine")
    assert "not KUBECONFIG; --context or --kubeconfig chooses a cluster" in told.stderr
    assert "no Sympozium is there" in named.stderr


def test_a_run_is_shown_and_cancelled_there(installed: Api, sympozium: CommandLine) -> None:
    add_run(installed, "one", "default")
    file = str(installed.kubeconfig)
    shown = sympozium.run("runs", "show", "one", "-o", "json", KUBECONFIG=file)
    assert json.loads(shown.stdout)["spec"]["task"] == "look"
    answer = sympozium.run("runs", "cancel", "one", KUBECONFIG=file)
    assert answer.returncode == 0, answer.stderr
    run = installed.cluster.get(path_of(AGENT_RUNS, "default", "one"))
    assert run["spec"]["cancel"] is True


def test_what_is_not_there_is_said_by_its_name(installed: Api, sympozium: CommandLine) -> None:
    answer = sympozium.run("runs", "show", "nope", KUBECONFIG=str(installed.kubeconfig))
    assert answer.returncode == 1
    assert answer.stderr == (
        "sympozium: cannot read agentruns 'nope' in namespace 'default': it is not there\n"
    )


def test_a_missing_right_names_the_role_to_ask_for(
    installed: Api, sympozium: CommandLine, tmp_path: Path
) -> None:
    file = str(installed.as_account("nobody", tmp_path / "config"))
    listing = sympozium.run("runs", "list", KUBECONFIG=file)
    assert listing.returncode == 1
    assert "cannot list agentruns in namespace 'default'" in listing.stderr
    assert "ask for the role 'sympozium-view' in namespace 'default'" in listing.stderr
    dead = sympozium.run("dead", "list", KUBECONFIG=file)
    assert "ask for the role 'sympozium-operate' in namespace 'sympozium-system'" in dead.stderr


@pytest.mark.parametrize(
    ("role", "command", "may"),
    [
        ("sympozium-view", ("runs", "list"), True),
        ("sympozium-view", ("channel", "list"), True),
        ("sympozium-view", ("runs", "cancel", "one"), False),
        ("sympozium-edit", ("runs", "cancel", "one"), True),
        ("sympozium-edit", ("channel", "list"), True),
    ],
)
def test_a_role_for_people_has_the_rights_that_its_commands_need(
    installed: Api,
    sympozium: CommandLine,
    tmp_path: Path,
    role: str,
    command: tuple[str, ...],
    may: bool,
) -> None:
    add_run(installed, "one", "default")
    file = str(installed.as_account("jane", tmp_path / "config"))
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "jane", "namespace": "default"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "jane", "namespace": "default"}],
    }
    installed.put(binding)
    answer = sympozium.run(*command, KUBECONFIG=file)
    assert (answer.returncode == 0) is may, answer.stderr


def test_who_may_see_a_tenant_only_is_shown_that(
    scripted: Front, sympozium: CommandLine, tmp_path: Path
) -> None:
    labels = {"sympozium.ai/component": "channel"}
    metadata = {"name": "channel-web", "namespace": "team", "creationTimestamp": LONG_AGO}
    channel = {"metadata": metadata, "spec": {"replicas": 1, "selector": {"matchLabels": labels}}}
    scripted.answers["/apis/apps/v1/namespaces/team/deployments"] = {"items": [channel]}
    scripted.answers["/api/v1/namespaces/team/pods"] = {"items": []}
    scripted.status = 403
    file = str(write(tmp_path / "config", scripted.kubeconfig("team")))
    answer = sympozium.run("status", KUBECONFIG=file)
    assert answer.returncode == 1, answer.stderr
    assert "team/channel-web   0/1" in answer.stdout
    assert "programs of the system: cannot list deployments" in answer.stdout
    nothing = sympozium.run("status", "-n", "other", KUBECONFIG=file)
    assert nothing.stderr.startswith("sympozium: cannot say how context 'there'")


@pytest.mark.parametrize(
    "command", [("runs", "list"), ("status",), ("channel", "list"), ("chat", "hello")]
)
def test_a_cluster_without_sympozium_is_told_how_to_get_it(
    bare: Api, sympozium: CommandLine, command: tuple[str, ...]
) -> None:
    answer = sympozium.run(*command, KUBECONFIG=str(bare.kubeconfig))
    assert answer.returncode == 3
    assert "install it: helm upgrade --install sympozium" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_cluster_that_does_not_answer_is_one_sentence(
    sympozium: CommandLine, tmp_path: Path
) -> None:
    entry = {"server": f"https://127.0.0.1:{free_port()}", "insecure-skip-tls-verify": True}
    file = str(write(tmp_path / "config", kubeconfig(entry, {"token": "planted-3f9b"})))
    answer = sympozium.run("runs", "list", KUBECONFIG=file)
    assert answer.returncode == 1
    assert answer.stderr.startswith("sympozium: cannot reach the cluster at https://127.0.0.1:")
    assert len(answer.stderr.splitlines()) == 1
    assert "planted" not in answer.stderr


def test_the_kubeconfig_in_use_is_printed(installed: Api, sympozium: CommandLine) -> None:
    file = str(installed.kubeconfig)
    answer = sympozium.run("kubeconfig", KUBECONFIG=file)
    assert (answer.returncode, answer.stdout) == (0, f"{file}\n")


def test_a_namespace_that_cannot_be_one_is_refused(installed: Api, sympozium: CommandLine) -> None:
    answer = sympozium.run("runs", "list", "-n", "A/b", KUBECONFIG=str(installed.kubeconfig))
    assert answer.returncode == 1
    assert "cannot use namespace 'A/b'" in answer.stderr
