"""Which cluster a kubeconfig means: files merged, contexts chosen, paths found."""

from pathlib import Path

import pytest

from sympozium.contract.errors import PermanentError
from sympozium_local.cli.access.kubeconfig import find_kubeconfig, read_kubeconfig
from tests.cli.kubeconfigs import kubeconfig, write

A = kubeconfig({"server": "https://a:6443"}, {"token": "planted-7d1e"}, name="a", namespace="team")
B = kubeconfig({"server": "https://b:6443/"}, {"token": "tb"}, name="b")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_current_context_is_used_with_its_namespace(tmp_path: Path) -> None:
    context = read_kubeconfig([write(tmp_path / "a", A)]).context()
    assert (context.name, context.server, context.namespace) == ("a", "https://a:6443", "team")


def test_a_context_without_a_namespace_means_default(tmp_path: Path) -> None:
    context = read_kubeconfig([write(tmp_path / "b", B)]).context("b")
    assert (context.server, context.namespace) == ("https://b:6443", "default")


def test_of_several_files_the_first_word_counts(tmp_path: Path) -> None:
    other = kubeconfig({"server": "https://later:1"}, {"token": "x"}, name="a")
    files = [write(tmp_path / str(n), one) for n, one in enumerate((A, other, B))]
    merged = read_kubeconfig(files)
    assert merged.current == "a"
    assert merged.context("a").server == "https://a:6443"
    assert merged.context("b").user == {"token": "tb"}


def test_the_variable_lists_files_of_which_some_may_be_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'nope'}:{write(tmp_path / 'b', B)}")
    found = find_kubeconfig()
    assert found is not None
    assert found.context().name == "b"


def test_without_a_variable_it_is_the_file_in_the_home(tmp_path: Path) -> None:
    assert find_kubeconfig() is None
    write(tmp_path / ".kube" / "config", A)
    found = find_kubeconfig()
    assert found is not None
    assert found.context().name == "a"


def test_paths_are_seen_from_the_file_that_names_them(tmp_path: Path) -> None:
    cluster = {"server": "https://a", "certificate-authority": "pki/ca.crt"}
    plugin = {"command": "./bin/login", "apiVersion": "client.authentication.k8s.io/v1"}
    user = {"client-key": "/abs/key", "tokenFile": "token", "exec": plugin}
    context = read_kubeconfig([write(tmp_path / "x" / "c", kubeconfig(cluster, user))]).context()
    assert context.cluster["certificate-authority"] == str(tmp_path / "x/pki/ca.crt")
    assert context.user["client-key"] == "/abs/key"
    assert context.user["tokenFile"] == str(tmp_path / "x/token")
    assert Path(context.user["exec"]["command"]) == tmp_path / "x/bin/login"


def test_a_plugin_without_a_slash_is_looked_for_on_the_path(tmp_path: Path) -> None:
    user = {"exec": {"command": "aws"}}
    context = read_kubeconfig([write(tmp_path / "c", kubeconfig({"server": "s"}, user))]).context()
    assert context.user["exec"]["command"] == "aws"


def test_an_unknown_context_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    config = read_kubeconfig([write(tmp_path / "a", A), write(tmp_path / "b", B)])
    with pytest.raises(PermanentError, match=r"cannot use context 'c': .* has a, b; name one"):
        config.context("c")


def test_no_current_context_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = write(tmp_path / "a", A | {"current-context": ""})
    with pytest.raises(PermanentError, match=r"has no current context; name one with --context"):
        read_kubeconfig([file]).context()


@pytest.mark.parametrize("text", ["clusters: [", "just words"])
def test_a_file_that_is_no_kubeconfig_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "c").write_text(text)
    with pytest.raises(PermanentError, match="cannot read the kubeconfig"):
        read_kubeconfig([tmp_path / "c"])


def test_no_secret_is_in_what_a_context_shows_of_itself(tmp_path: Path) -> None:
    config = read_kubeconfig([write(tmp_path / "a", A)])
    assert "planted" not in repr(config) + repr(config.context())
