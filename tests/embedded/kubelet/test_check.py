"""Whether a machine that cannot keep containers apart is told so."""

import shutil
import subprocess
import sys

import pytest

ASK = "from sympozium_local.kubelet.sandbox.check import sandbox_problem; print(sandbox_problem())"
FORBID = "echo 0 > /proc/sys/user/max_user_namespaces"


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare of util-linux")
def test_a_machine_without_user_namespaces_is_named_as_one() -> None:
    # A user namespace has a limit of its own for those inside it: the machine's stays as it is.
    script = f'{FORBID} && exec "$0" -c "$1"'
    answer = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script, sys.executable, ASK],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "forbids user namespaces" in answer.stdout
